"""Kortleverantörer: what waits, what is wrong and what to do, without personal data; pause, resume and send again."""

import datetime as dt
import re
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from playwright.sync_api import Browser

from authn.models import ClientCertificate, ServiceClient
from issuance.authz import Role
from issuance.orders.models.orders import CardOrder
from issuance.records.models.events import Event
from issuance.suppliers.push.models import PushAttempt, PushDelivery, SupplierConnection
from issuance.suppliers.push.queries.overview import LATE
from issuance.suppliers.push.services import measures
from issuance.suppliers.services import supplier_intake
from issuance.tasks import replay_reports
from siths_portal.lib import clock
from tests.browser import look
from tests.issuance.operators.operators import client_of, operator
from tests.issuance.person_page.test_browser import logged_in
from tests.issuance.person_page.test_pages import text_of

LIST = "/pki/kortleverantorer/"
ONE = f"{LIST}bureau/"
HOUR = dt.timedelta(hours=1)


@pytest.fixture
def pushed(world: Any) -> ServiceClient:
    """The world's supplier is pushed to. Nothing is sent in these tests."""
    client = ServiceClient.objects.create(
        client_ref="bureau", kind="supplier", name="Byrån AB", push={"url": "https://kort.example", "keys": ["whpk_x"]}
    )
    end = clock.now() + dt.timedelta(days=200)
    ClientCertificate.objects.create(client=client, thumbprint="a" * 64, not_after=end)
    return client


def stopped(order: CardOrder, code: str = "article-unknown") -> PushDelivery:
    """The order's delivery, refused by the supplier."""
    now = clock.now()
    PushDelivery.objects.filter(order=order).update(state="dead", next_at=None, settled_at=now, reason=code, attempts=1)
    delivery = PushDelivery.objects.get(order=order)
    PushAttempt.objects.create(delivery=delivery, at=now, outcome="refused", code=code)
    return delivery


def test_without_suppliers_the_page_says_what_to_do(world: Any) -> None:
    text = text_of(client_of(operator(world)).get(LIST))
    assert "Ingen kortleverantör än" in text
    assert "authn_sync_clients" in text


def test_the_list_shows_each_supplier_with_what_is_wrong(world: Any, pushed: ServiceClient) -> None:
    ServiceClient.objects.create(client_ref="puller", kind="supplier", name="Hämtaren AB")
    ServiceClient.objects.create(client_ref="gone", kind="supplier", name="Nedlagda AB", active=False)
    client = client_of(operator(world))
    text = text_of(client.get(LIST))
    assert re.search(r"Byrån AB Får beställningar skickade Har inte hörts av 0 0 0 0 20\d\d-", text)
    assert re.search(r"Hämtaren AB Hämtar beställningar Certifikat går ut 0 0 0 – inget certifikat", text)
    assert "Nedlagda AB Hämtar beställningar Avstängd" in text
    assert "1 kortleverantör behöver ses över." in text
    order = world.order()
    stopped(order)
    CardOrder.objects.update(ordered_at=clock.now() - 5 * HOUR)
    text = text_of(client.get(LIST))
    assert "Byrån AB Får beställningar skickade Stoppade leveranser 1 äldsta för 5 timmar sedan 0 0 1" in text
    assert "2 kortleverantörer behöver ses över." in text


def test_the_list_takes_as_many_queries_for_many_suppliers(world: Any, pushed: ServiceClient) -> None:
    client = client_of(operator(world))
    client.get(LIST)
    counts = []
    for number in range(3):
        with CaptureQueriesContext(connection) as queries:
            client.get(LIST)
        counts.append(len(queries))
        ServiceClient.objects.create(client_ref=f"more-{number}", kind="supplier", name=f"Fler {number}")
    assert len(set(counts)) == 1


def test_one_supplier_shows_calls_differences_and_what_to_do(world: Any, pushed: ServiceClient) -> None:
    order = world.order()
    stopped(order)
    now = clock.now()
    SupplierConnection.objects.create(
        supplier_ref="bureau", heard_at=now - 2 * HOUR, failures=7, open_until=now + dt.timedelta(minutes=5),
        reconciled_at=now - 3 * HOUR,
        differences=[{"order": str(order.id), "kind": "missing-there", "here": "accepted", "there": ""}],
    )  # fmt: skip
    text = text_of(client_of(operator(world)).get(ONE))
    for expected in (
        "Stoppade leveranser", "Svarar inte", "Skillnader", "article-unknown", "Leverantören nekade leveransen.",
        "Saknas hos leverantören. Skickas igen.", "för 2 timmar sedan", "för 3 timmar sedan", "Nästa försök",
        "Skicka alla stoppade igen", "Pausa det som skickas", str(order.id),
    ):  # fmt: skip
        assert expected in text, expected
    person = order.person
    for secret in (person.surname, person.given_name_in_use, order.eid.hsa_id):
        assert secret not in text


def test_a_supplier_that_pulls_has_nothing_to_send(world: Any) -> None:
    ServiceClient.objects.create(client_ref="bureau", kind="supplier", name="Hämtaren AB")
    client = client_of(operator(world))
    text = text_of(client.get(ONE))
    assert "Leverantören hämtar sina beställningar" in text
    assert "Pausa" not in text
    assert client.post(ONE, {"pausa": "1"}).status_code == 404
    assert client.get(f"{LIST}nobody/").status_code == 404


def test_pause_and_resume(world: Any, pushed: ServiceClient) -> None:
    actor = operator(world)
    client = client_of(actor)
    client.post(ONE, {"pausa": "1"})
    text = text_of(client.post(ONE, {"pausa": "1"}, follow=True))  # a second click changes nothing
    assert re.search(r"Pausad \d{4}-\d\d-\d\d \d\d:\d\d av Ester Förvaltarsson", text)
    assert "Inget skickas till leverantören förrän du återupptar." in text
    client.post(ONE, {"ateruppta": "1"})
    text = text_of(client.post(ONE, {"ateruppta": "1"}, follow=True))
    assert "Har inte hörts av" in text
    told = Event.objects.filter(subject_type="supplier").order_by("id").values_list("action", "actor_ref")
    assert list(told) == [("supplier.paused", actor.ref), ("supplier.resumed", actor.ref)]


def test_a_stopped_delivery_is_sent_again_once(world: Any, pushed: ServiceClient) -> None:
    delivery, other = stopped(world.order()), stopped(world.order(), "closed")
    client = client_of(operator(world))
    address = f"{ONE}leveranser/{delivery.pk}/"
    assert "article-unknown" in text_of(client.get(address))
    assert "1 leverans skickas" not in text_of(client.post(address, {"skicka": "1"}, follow=True))
    delivery.refresh_from_db()
    assert (delivery.state, delivery.attempts) == ("waiting", 0)
    again = client.post(address, {"skicka": "1"})
    assert again.status_code == 409
    assert "inte stoppad längre" in text_of(again)
    text = text_of(client.post(ONE, {"skicka": "1"}, follow=True))
    assert "1 leverans skickas igen om en stund." in text
    other.refresh_from_db()
    assert other.state == "waiting"
    assert client.get(f"{LIST}another/leveranser/{delivery.pk}/").status_code == 404


def test_only_operators_see_suppliers(world: Any, pushed: ServiceClient) -> None:
    for role in (Role.MASTER_DATA_ADMIN, Role.GLOBAL_READER, Role.RESPONSIBLE_ISSUER):
        client = client_of(world.officer(role=role))
        assert (client.get(LIST).status_code, client.post(ONE, {"pausa": "1"}).status_code) == (403, 403)
    assert not SupplierConnection.objects.exists()


def gauge(name: str) -> float:
    return float(getattr(measures, name).labels("bureau")._value.get())


def test_alarms_measure_age_silence_stops_and_certificates(world: Any, pushed: ServiceClient) -> None:
    replay_reports()
    assert [gauge(name) for name in ("_QUEUE", "_DELIVERIES", "_STOPPED", "_SILENT", "_DIFFERENT")] == [0] * 5
    assert gauge("_CERTIFICATE") == pytest.approx(200 * 86400, abs=60)
    order = world.order()
    past = clock.now() - LATE - HOUR
    CardOrder.objects.update(ordered_at=past)
    PushDelivery.objects.update(queued_at=past)
    replay_reports()
    for name in ("_QUEUE", "_DELIVERIES", "_SILENT"):
        assert gauge(name) == pytest.approx((LATE + HOUR).total_seconds(), abs=60), name
    CardOrder.objects.update(restarted_at=clock.now() - HOUR)
    replay_reports()
    assert gauge("_QUEUE") == pytest.approx(HOUR.total_seconds(), abs=60), "an order that is queued again waits since then"
    SupplierConnection.objects.create(supplier_ref="bureau", heard_at=clock.now(), differences=[{}, {}])
    supplier_intake.accept(client_ref="bureau", order_id=order.id)
    stopped(order)
    replay_reports()
    assert [round(gauge(name)) for name in ("_QUEUE", "_DELIVERIES", "_STOPPED", "_SILENT", "_DIFFERENT")] == [0, 0, 1, 0, 2]


@pytest.mark.usefixtures("pushed")
def test_the_pages_look_right(browser: Browser, portal: str, world: Any) -> None:
    stopped(world.order())
    order = world.order()
    now = clock.now()
    SupplierConnection.objects.create(
        supplier_ref="bureau", heard_at=now - HOUR, reconciled_at=now - HOUR,
        differences=[{"order": str(order.id), "kind": "other-state", "here": "produced", "there": "sent"}],
    )  # fmt: skip
    delivery = PushDelivery.objects.get(state="dead")
    with logged_in(browser, portal, operator(world)) as page:
        for address, name in ((LIST, "list"), (ONE, "one"), (f"{ONE}leveranser/{delivery.pk}/", "delivery")):
            page.goto(portal + address)
            look(page, f"suppliers-{name}")
