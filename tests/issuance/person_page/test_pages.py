"""The person's page over HTTP: what stands on it, who may see it, what is noted, and what it costs."""

import csv
import datetime as dt
import io
import re
import uuid
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from issuance.authz import Actor, Role, system
from issuance.carriers.models import Carrier, CarrierCertificate, Eid
from issuance.imports.services import migration
from issuance.orders.models.drafts import OrderDraft
from issuance.people.models.persons import Person, Post
from issuance.people.models.photos import Photo
from issuance.records.models.events import Document, Event
from issuance.revocation.domain import RevocationReason
from issuance.revocation.services import revocation
from issuance.suppliers.services import supplier_intake
from siths_portal.lib import clock
from tests.issuance.migrated import CA, migrated_card
from tests.issuance.world import SUPPLIER
from tests.portal import portal_client

pytestmark = pytest.mark.usefixtures("authorities")


def client_of(actor: Actor) -> Client:
    return portal_client(Person.objects.get(pk=actor.person_id))


def migrated(post: Post, **changes: Any) -> Carrier:
    return migration.register_migrated_card(actor=system("migration"), card=migrated_card(post, **changes), ca=CA)


def text_of(response: Any) -> str:
    """The page's words as a reader sees them: no markup, single spaces."""
    body = re.sub(r"<(script|style|svg).*?</\1>", " ", response.content.decode(), flags=re.S)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", body.replace("<wbr>", "")))


def without_marks(response: Any) -> str:
    """The page without what differs in every answer: the request's id and the form token."""
    marks = r'[0-9a-f]{32}|[0-9a-f-]{36}|name="csrfmiddlewaretoken" value="[^"]+"'
    return re.sub(marks, "", response.content.decode())


def test_the_page_shows_a_card_with_its_eid(world: Any) -> None:
    post = world.post(given_name="Elva", surname="Tolvansson")
    carrier = migrated(post)
    response = client_of(world.officer()).get(reverse("person", args=[post.person_id]))
    text = text_of(response)
    assert response.status_code == 200
    serial = carrier.card_serial
    for expected in (
        "Elva Andra", "Tolvansson", "Läst i personregistret", "SITHS-kort", "Ordinarie kort", "Regionen", "Aktiv",
        f"{serial[:4]} {serial[4:8]} {serial[8:11]} {serial[11:15]} {serial[15:]}", "631 Kort", post.hsa_id, post.upn, post.mail,
        "Underskriftscertifikat Finns", "Spärra kort", "Spärra SITHS eID", "Visa elektronisk kvittens", "Historik",
        "Nytt SITHS eID ordinarie kort",
    ):  # fmt: skip
        assert expected in text, expected
    title = re.search(r"<title>(.*?)</title>", response.content.decode())
    assert title
    assert title[1] == "Person – SITHS eID Portal"


def test_every_function_that_is_on_leads_to_a_page(world: Any) -> None:
    order = world.order()
    client = client_of(world.officer())
    page = client.get(reverse("person", args=[order.carrier.person_id])).content.decode()
    links = set(re.findall(r'<a class="(?:function|ds-button)"[^>]* href="([^"]+)"', page.partition("<main")[2]))
    # Three histories, two revocations, the order's removal, and a reserve card.
    assert len(links) == 7
    assert {client.get(link).status_code for link in links} == {200}
    (form,) = re.findall(r'<form method="post" action="([^"]+nytt-kort/)"', page)
    assert client.post(form).status_code == 302


def test_invalid_carriers_come_on_demand(world: Any) -> None:
    post, actor = world.post(), world.officer()
    carrier = migrated(post)
    revocation.revoke_carrier(actor=actor, carrier_id=carrier.id, reason=RevocationReason.REPLACED)
    client, address = client_of(actor), reverse("person", args=[post.person_id])
    hidden = client.get(address)
    assert "Inget giltigt kort" in text_of(hidden)
    assert f'href="{address}?ogiltiga=1#kort"' in hidden.content.decode()
    shown = client.get(f"{address}?ogiltiga=1")
    assert "Ersatt av nytt kort" in text_of(shown)
    assert "Dölj ogiltiga bärare" in text_of(shown)


def test_who_has_no_carrier_is_offered_one(world: Any) -> None:
    post, actor = world.post(), world.officer()
    own = actor.person_id
    orders, reads = client_of(actor), client_of(world.officer(role=Role.READER))
    other = reverse("person", args=[post.person_id])
    assert "Personen har inget kort som du kan se. Beställ kort" in text_of(orders.get(other))
    mine = text_of(orders.get(reverse("person", args=[own])))
    assert "Be en annan ID-administratör beställa ett åt dig." in mine
    for told in (mine, text_of(reads.get(other))):
        assert "Inget giltigt kort" in told
        assert "Beställ kort" not in told


def test_who_orders_a_card_is_told_of_the_one_on_its_way(world: Any) -> None:
    order = world.order()
    day = clock.today() + dt.timedelta(days=90)
    address = reverse("person", args=[order.carrier.person_id])
    client = client_of(world.officer())
    assert "Nytt SITHS eID ordinarie kort Ett kort är redan beställt." in text_of(client.get(address))
    Carrier.objects.filter(pk=order.carrier_id).update(state="sent", sent_at=clock.now(), card_serial="9" * 15 + "1234")
    text = text_of(client.get(address))
    assert "Nytt SITHS eID ordinarie kort Kortet …1234 är på väg." in text
    assert text.index("Nytt SITHS eID reservkort") < text.index("Nytt SITHS eID ordinarie kort"), "which comes last of the orders"
    year = "" if day.year == clock.today().year else f" {day.year}"
    assert re.search(rf"Kortet ska aktiveras senast {day.day} [a-z]+{year}\. Därefter spärras det automatiskt\.", text)
    world.order(order.eid.post)
    assert "Nytt SITHS eID ordinarie kort 2 kort är på väg." in text_of(client.get(address))


def test_a_draft_is_resumed_from_the_page(world: Any) -> None:
    post, actor = world.post(), world.officer()
    draft = OrderDraft.objects.create(
        person=post.person, owner_ref=actor.ref, post=post, article_id="631", created_at=clock.now(), updated_at=clock.now()
    )
    client = client_of(actor)
    page = client.get(reverse("person", args=[post.person_id]))
    assert "Påbörjad beställning · Regionen · 631 Kort" in text_of(page)
    address = reverse("order", args=[draft.id])
    assert f'href="{address}"' in page.content.decode()
    assert client.get(address).status_code == 200
    colleague = client_of(world.officer(protected=True)).get(reverse("person", args=[post.person_id]))
    assert "Påbörjad beställning" not in text_of(colleague)


class TestAccess:
    """404 for what is hidden, the same as for what is not there; 403 for what is seen but not allowed."""

    @pytest.mark.parametrize("name", ["person", "person_history", "person_photo", "person_access_log"])
    def test_hidden_people_are_unknown(self, world: Any, name: str) -> None:
        client = client_of(world.officer())
        answers = set()
        for person_id in (world.post(world.stranger).person_id, world.post(protected=True).person_id, uuid.uuid4()):
            with CaptureQueriesContext(connection) as queries:
                response = client.get(reverse(name, args=[person_id]))
            answers.add((response.status_code, without_marks(response), len(queries)))
        assert len(answers) == 1
        assert answers.pop()[0] == 404

    @pytest.mark.parametrize("name", ["carrier_history", "receipt", "receipt_pdf", "certificate", "certificate_pem"])
    def test_hidden_carriers_are_unknown(self, world: Any, name: str) -> None:
        hidden = migrated(world.post(protected=True))
        elsewhere = migrated(world.post(world.city))
        client = client_of(world.officer())
        subjects = [hidden.id, elsewhere.id]
        if name.startswith("certificate"):
            subjects = [CarrierCertificate.objects.filter(carrier=pk).first().pk for pk in subjects]  # type: ignore[union-attr]
        answers = set()
        for pk in (*subjects, uuid.uuid4()):
            with CaptureQueriesContext(connection) as queries:
                response = client.get(reverse(name, args=[pk]))
            answers.add((response.status_code, without_marks(response), len(queries)))
        assert len(answers) == 1
        assert answers.pop()[0] == 404

    def test_who_may_not_see_photo_or_receipt_is_refused(self, world: Any) -> None:
        post = world.post()
        carrier = migrated(post)
        reader, revoker = client_of(world.officer(role=Role.READER)), client_of(world.officer(role=Role.REVOKER))
        assert reader.get(reverse("person_photo", args=[post.person_id])).status_code == 403
        assert revoker.get(reverse("receipt", args=[carrier.id])).status_code == 403
        assert revoker.get(reverse("receipt_pdf", args=[carrier.id])).status_code == 403
        assert reader.get(reverse("receipt", args=[carrier.id])).status_code == 404  # there is none

    def test_nobody_gets_in_without_logging_in(self, world: Any) -> None:
        post = world.post()
        response = Client().get(reverse("person", args=[post.person_id]))
        assert response.status_code in (302, 401, 403)
        assert "Provsson" not in response.content.decode()

    def test_nothing_is_changed_by_other_methods(self, world: Any) -> None:
        assert client_of(world.officer()).post(reverse("person", args=[world.post().person_id])).status_code == 405


class TestDisclosures:
    """Every page on a person is noted before it is shown."""

    def noted(self) -> list[tuple[str, str, str]]:
        rows = Event.objects.filter(action="person.shown").order_by("id")
        return [(row.actor_ref, row.subject_ref, row.facts["shown"]) for row in rows]

    def test_each_page_is_noted(self, world: Any) -> None:
        actor, post = world.officer(), world.post()
        carrier = migrated(post)
        certificate = CarrierCertificate.objects.filter(carrier=carrier).first()
        client = client_of(actor)
        assert certificate
        for name, pk in (
            ("person", post.person_id), ("person_history", post.person_id), ("carrier_history", carrier.id),
            ("eid_history", Eid.objects.get(carrier=carrier).pk), ("certificate", certificate.pk), ("carrier_revoke", carrier.id),
        ):  # fmt: skip
            assert client.get(reverse(name, args=[pk])).status_code == 200, name
        shown = ["person", "person_history", "carrier_history", "eid_history", "certificate", "revocation"]
        assert self.noted() == [(actor.ref, str(post.person_id), each) for each in shown]

    def test_what_was_refused_is_not_noted_as_shown(self, world: Any) -> None:
        client_of(world.officer()).get(reverse("person", args=[world.post(world.stranger).person_id]))
        assert self.noted() == []

    def test_a_protected_persons_photo_is_noted_by_itself(self, world: Any) -> None:
        actor = world.officer(protected=True)
        for protected in (False, True):
            post = world.post(protected=protected)
            Photo.objects.create(
                person=post.person, document=Document.store(b"\xff\xd8photo", "image/jpeg"), width=300, height=400,
                uploaded_at=clock.now(), uploaded_by_ref="user:x", approved_at=clock.now(),
            )  # fmt: skip
            assert client_of(actor).get(reverse("person_photo", args=[post.person_id])).status_code == 200
        assert [(subject, shown) for _actor, subject, shown in self.noted()] == [(str(post.person_id), "photo")]

    def test_views_are_no_part_of_the_history(self, world: Any) -> None:
        post, client = world.post(), client_of(world.officer())
        client.get(reverse("person", args=[post.person_id]))
        assert "Personen lades till från HSA-katalogen" in text_of(client.get(reverse("person_history", args=[post.person_id])))
        assert "person.shown" not in text_of(client.get(reverse("person_history", args=[post.person_id])))


def test_a_protected_person_is_marked(world: Any) -> None:
    post = world.post(protected=True)
    text = text_of(client_of(world.officer(protected=True)).get(reverse("person", args=[post.person_id])))
    for expected in ("Skyddade personuppgifter", "Sekretessmarkering. Lämna inte ut uppgifter"):
        assert expected in text


def test_a_deceased_person_is_marked(world: Any) -> None:
    post = world.post()
    Person.objects.filter(pk=post.person_id).update(deceased=True)
    text = text_of(client_of(world.officer()).get(reverse("person", args=[post.person_id])))
    assert "Avliden. Personen är avliden enligt personregistret." in text
    assert "ska spärras" not in text


def test_the_photo_is_a_picture_and_nothing_else(world: Any) -> None:
    """Fixed type, no sniffing, nothing may run or load in it, no other site may embed it, nothing is kept (S12, S18, S34)."""
    post = world.post()
    Photo.objects.create(
        person=post.person, document=Document.store(b"\xff\xd8<script>", "text/html"), width=300, height=400,
        uploaded_at=clock.now(), uploaded_by_ref="user:x", approved_at=clock.now(),
    )  # fmt: skip
    client = client_of(world.officer())
    response = client.get(reverse("person_photo", args=[post.person_id]))
    assert response.content == b"\xff\xd8<script>"
    assert {name: response[name] for name in (
        "Content-Type", "X-Content-Type-Options", "Cross-Origin-Resource-Policy", "Cache-Control", "Content-Security-Policy",
    )} == {
        "Content-Type": "image/jpeg", "X-Content-Type-Options": "nosniff", "Cross-Origin-Resource-Policy": "same-origin",
        "Cache-Control": "no-store", "Content-Security-Policy": "default-src 'none'; sandbox",
    }  # fmt: skip
    page = client.get(reverse("person", args=[post.person_id])).content.decode()
    assert f'src="{reverse("person_photo", args=[post.person_id])}"' in page
    for role in (Role.READER, Role.REVOKER):
        page = client_of(world.officer(role=role)).get(reverse("person", args=[post.person_id])).content.decode()
        assert "person-initials" in page
        assert "/foto/" not in page


class TestCost:
    """Queries do not grow with what is shown; log-in and actor are among them."""

    def test_the_person_with_one_and_with_thirty_carriers(self, world: Any) -> None:
        post, actor = world.post(), world.officer()
        client, counts = client_of(actor), []
        for total in (1, 30):
            while Carrier.objects.count() < total:
                migrated(post)
            with CaptureQueriesContext(connection) as queries:
                response = client.get(reverse("person", args=[post.person_id]))
            assert response.content.decode().count('id="barare-') == total
            assert response.content.decode().count('id="eid-') == total
            counts.append(len(queries))
        assert counts[0] == counts[1]
        assert counts[0] <= 15

    @pytest.mark.parametrize(
        ("name", "most"), [("person_history", 15), ("carrier_history", 15), ("certificate", 15), ("carrier_revoke", 15)]
    )
    def test_the_other_pages(self, world: Any, name: str, most: int) -> None:
        post = world.post()
        carrier = migrated(post)
        certificate = CarrierCertificate.objects.filter(carrier=carrier).first()
        assert certificate
        pk = {"person_history": post.person_id, "certificate": certificate.pk}.get(name, carrier.id)
        client = client_of(world.officer())
        with CaptureQueriesContext(connection) as queries:
            assert client.get(reverse(name, args=[pk])).status_code == 200
        assert len(queries) <= most, [query["sql"][:90] for query in queries]


def test_history_pages_lead_on_and_back(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from issuance.person_page.web.history import PersonHistoryList

    monkeypatch.setattr(PersonHistoryList, "page_size", 1)
    order = world.order()
    supplier_intake.accept(client_ref=SUPPLIER, order_id=order.id)
    client, address = client_of(world.officer()), reverse("carrier_history", args=[order.carrier_id])
    first = client.get(address)
    assert "Kortet beställdes" not in text_of(first)
    second = client.get(first.context["list"].next_url)
    assert "Kortet beställdes" in text_of(second)
    assert f'href="{address}?ordning=-tid"' in second.content.decode()
    assert "Kortet beställdes" in text_of(client.get(f"{address}?ordning=tid"))
    for odd in ("x", "9" * 40):
        assert client.get(f"{address}?efter={odd}").context["list"].lines == first.context["list"].lines


def test_a_history_is_narrowed_by_days_and_fetched_as_a_file_that_is_noted(world: Any) -> None:
    actor, order = world.officer(), world.order()
    client, address = client_of(actor), reverse("carrier_history", args=[order.carrier_id])
    today = clock.today().isoformat()
    assert "Kortet beställdes" in text_of(client.get(address, {"fran": today, "till": today}))
    assert "Inget som du får se hände" in text_of(client.get(address, {"till": "2000-01-01"}))
    wrong = client.get(address, {"fran": today, "till": "2000-01-01"})
    assert (wrong.status_code, "Sista dagen ligger före första dagen" in text_of(wrong)) == (422, True)
    assert "Kortet beställdes" not in text_of(client.get(address, {"galler": "eid"}))
    assert "SITHS eID beställdes" in text_of(client.get(address, {"galler": "eid"}))
    assert "Ingen historik" in text_of(client.get(address, {"galler": "besok"}))
    assert client.get(address, {"galler": "annat"}).status_code == 422
    paper = client.get(address, {"galler": "kort", "papper": "1"})
    told = Event.objects.filter(action="person.shown").latest("id").facts
    assert told == {"shown": "carrier_history_file", "subject": str(order.carrier_id), "galler": "kort", "rows": 1}
    assert "Kortet beställdes" in text_of(paper)
    assert "Nästa person" not in text_of(paper)
    noted = Event.objects.filter(action="person.shown").count()
    file = b"".join(client.get(address, {"fran": today, "fil": "csv"})).decode("utf-8-sig")  # type: ignore[arg-type]
    rows = list(csv.reader(io.StringIO(file), delimiter=";"))
    assert rows[0] == ["Tid", "Händelse", "Uppgifter", "Gäller", "Vem"]
    assert [row[1] for row in rows[1:]] == ["Kortet beställdes"]
    event = Event.objects.filter(action="person.shown").latest("id")
    assert Event.objects.filter(action="person.shown").count() == noted + 1
    assert (event.actor_ref, event.subject_ref) == (actor.ref, str(order.carrier.person_id))
    assert event.facts == {"shown": "carrier_history_file", "subject": str(order.carrier_id), "fran": today, "rows": 1}


def test_a_card_seen_by_its_eid_alone_offers_nothing_that_changes_it(world: Any) -> None:
    carrier = migrated(world.post())
    identifier = carrier.person.identifiers.get(valid_to=None)
    from issuance.records.domain.ids import PersonId, PersonIdKind

    post = world.post(world.city, person_id=PersonId(PersonIdKind(identifier.kind), identifier.value))
    Eid.objects.create(
        carrier=carrier, post=post, organisation=world.city, hsa_id=post.hsa_id, state="ordered", seq=1, created_at=clock.now()
    )
    client = client_of(world.officer(world.city))
    page = client.get(reverse("person", args=[carrier.person_id]))
    assert "Kortet tillhör Regionen" in text_of(page)
    assert reverse("carrier_revoke", args=[carrier.id]) not in page.content.decode()
    assert client.get(reverse("carrier_revoke", args=[carrier.id])).status_code == 403
    assert client.get(reverse("carrier_history", args=[carrier.id])).status_code == 200


def test_an_eid_has_a_history_of_its_own(world: Any) -> None:
    order = world.order()
    other = world.order()
    reader = client_of(world.officer(role=Role.READER))
    address = reverse("eid_history", args=[order.eid.pk])
    assert f'href="{address}"' in reader.get(reverse("person", args=[order.carrier.person_id])).content.decode()
    revocation.revoke_eid(actor=world.officer(), eid_id=order.eid.pk, reason="replaced", requester="holder", channel="visit")
    page = reader.get(address)
    assert {"SITHS eID beställdes", "SITHS eID spärrades"} == {entry.what for entry in page.context["list"].lines}
    assert Event.objects.filter(subject_type="eid", subject_ref=str(other.eid.pk)).exists()
    assert client_of(world.officer(world.stranger)).get(address).status_code == 404


def test_who_looked_is_told_to_those_who_answer_for_the_clerks(world: Any) -> None:
    post, clerk = world.post(), world.officer()
    client_of(clerk).get(reverse("person", args=[post.person_id]))
    address = reverse("person_access_log", args=[post.person_id])
    assert client_of(clerk).get(address).status_code == 403
    assert f'href="{address}"' not in client_of(clerk).get(reverse("person", args=[post.person_id])).content.decode()
    issuer = client_of(world.officer(role=Role.RESPONSIBLE_ISSUER))
    assert f'href="{address}"' in issuer.get(reverse("person", args=[post.person_id])).content.decode()
    page = issuer.get(address)
    assert [entry.what for entry in page.context["list"].lines] == ["Personens sida"] * 3
    assert {entry.who for entry in page.context["list"].lines} == {"Handläggare Provsson"}
    again = issuer.get(address, {"till": "2000-01-01"})
    assert "Ingen såg personens uppgifter de dagar" in text_of(again)
    assert "Vem som har tittat" in text_of(issuer.get(address))
    assert issuer.get(address, {"fil": "csv"}).status_code == 200
    assert Event.objects.filter(facts__shown="access_log_file").count() == 1
