"""The health page: what the worker found, since when, what to do, and that silence is not taken for health."""

import datetime as dt
import io
import re
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from authn.models import ClientCertificate, ServiceClient
from issuance.authz import Role
from issuance.operators.queries import pki_health_words
from issuance.orders.models.orders import CardOrder, OrderItem
from issuance.people.models.persons import Post
from issuance.roles.services import role_holder_reading
from issuance.stock.models import StockLevel
from issuance.suppliers.push.models import SupplierConnection
from issuance.suppliers.push.queries import rates
from pki.domain.findings import Finding, Severity
from pki.health import checks, limits, reports, samples
from pki.hsm import inventory
from pki.models import AuditCheck, ClockMark, HealthReport, HealthSample, KeyInventory
from pki.operators.authorities import authority_names
from pki.operators.keys import latest_inventory
from siths_portal.lib import clock, workdays
from siths_portal.lib.pages.dates import in_words
from tests.issuance.operators.operators import client_of, operator
from tests.issuance.person_page.test_pages import text_of

ADDRESS = "/pki/driftlage/"
MINUTE = dt.timedelta(minutes=1)
FINE = Finding("token siths-issuing", Severity.OK, "provnyckeln signerar och signaturen stämmer")
LATE = Finding("crl function:1", Severity.ERROR, "nummer 7, 0 poster, 3 dagar gammal, har gått ut")
SOON = Finding("ca person-hsaid-3:1", Severity.WARNING, "active, certifikatet gäller 200 dagar till", "days", 200)


def test_without_a_report_the_page_says_so(world: Any) -> None:
    client = client_of(operator(world))
    text = text_of(client.get(ADDRESS))
    for expected in (
        "Ingen kontroll är gjord än.",
        "Värdena visas här efter den första kontrollen.",
        "Ingen kontroll är sparad.",
        "Ingen inventering är gjord än.",
        "inget än",
    ):
        assert expected in text, expected
    assert "Ingen kontroll av driften är gjord än" in text_of(client.get("/pki/"))


def test_what_is_wrong_stands_first_with_what_to_do(world: Any) -> None:
    reports.keep([FINE, SOON, LATE])
    client = client_of(operator(world))
    page = client.get(ADDRESS)
    text = text_of(page)
    for expected in (
        "2 saker behöver ses över, varav 1 är ett fel.", "Spärrlista, function:1",
        "Nummer 7, 0 poster, 3 dagar gammal, har gått ut.",
        "Gör en ny spärrlista med kommandot pki_publish_crls", "Utfärdarens certifikat, person-hsaid-3:1", "Planera en ceremoni",
        "1 kontroll är som den ska", "Säkerhetsmodulen, siths-issuing", ", nyss.",
    ):  # fmt: skip
        assert expected in text, expected
    assert text.index("Att göra först. Fel sedan") < text.index("Spärrlista, function:1") < text.index("Se också över")
    assert f'href="{reverse("pki_status")}#listor"' in page.content.decode()
    assert "högst" not in text.split("Värden och gränser")[1].split("1 kontroll är som den ska")[0]
    assert "Se över 200 dagar minst 365 dagar" in text
    places = [
        text.index(each) for each in ("Spärrlista, function:1", "Utfärdarens certifikat, person-hsaid-3:1", "Säkerhetsmodulen")
    ]
    assert places == sorted(places)
    assert "Kontrollen visar 1 fel." in text_of(client.get("/pki/"))
    reports.keep([FINE])
    assert "Allt fungerar." in text_of(client.get(ADDRESS))
    front = text_of(client.get("/pki/"))
    assert "Kontrollen visar" not in front
    assert "Driftläget är okänt" not in front


def test_a_response_time_stands_beside_its_limit_with_its_beginning(world: Any) -> None:
    kept = Finding("svarstid portalen", Severity.OK, "95 av 100 svar inom 140 ms", "milliseconds", 140.4)
    slow = Finding("svarstid-system personregistret", Severity.WARNING, "95 av 100 svar inom 2425 ms", "milliseconds", 2425)
    start = clock.now().replace(hour=11)
    with clock.moved_to(start - dt.timedelta(days=2)):
        reports.keep([kept])
    with clock.moved_to(start):
        reports.keep([kept, slow])
        text = text_of(client_of(operator(world)).get(ADDRESS))
    since = in_words(start.date() - dt.timedelta(days=2))
    assert f"Svarstid, portalen Som det ska 140 ms högst 500 ms {since}" in text
    assert "Svarstid, personregistret Se över 2,4 s högst 2 s kl. 12:" in text


def test_a_fault_without_a_page_leads_to_the_runbook(world: Any, settings: Any) -> None:
    reports.keep([Finding("säkerhetskopia", Severity.WARNING, "ingen finns i mappen")])
    client = client_of(operator(world))
    assert "Visa instruktionen" not in text_of(client.get(ADDRESS))
    settings.RUNBOOK_URL = "https://drift.example.org/alarms.md"
    page = client.get(ADDRESS)
    assert 'href="https://drift.example.org/alarms.md#backuplate"' in page.content.decode()
    for expected in ("Säkerhetskopian", "Ingen finns i mappen.", "Kör kommandot ops_backup", "Visa instruktionen"):
        assert expected in text_of(page), expected


def test_how_long_old_answers_are_given_is_what_the_responder_keeps_to(world: Any) -> None:
    reports.keep([Finding("ocsp-lager", Severity.OK, "följer databasen")])
    text = text_of(client_of(operator(world)).get(ADDRESS))
    assert f"svar som gällde då, i högst {limits.STORE_GIVEN_UP // dt.timedelta(hours=1)} timmar." in text


def test_an_old_report_is_not_taken_for_health(world: Any) -> None:
    reports.keep([FINE])
    HealthReport.objects.update(seen_at=clock.now() - 43 * MINUTE)
    text = text_of(client_of(operator(world)).get(ADDRESS))
    assert "Driftläget är okänt." in text
    assert "för 43 minuter sedan" in text
    assert "Kontrollera att processerna pki-worker och beat är igång" in text
    assert "Allt fungerar" not in text


def test_since_when_something_is_wrong_is_kept_until_it_changes(world: Any) -> None:
    start = clock.now()

    def since(*found: Finding) -> list[int]:
        reports.keep(found)
        return [round((each.since - start) / MINUTE) for each in reports.latest_report().findings]  # type: ignore[union-attr]

    twin = Finding("crl function:2", Severity.OK, "en annan generation")
    assert since(LATE, FINE, twin) == [0, 0, 0]
    with clock.moved_to(start + 5 * MINUTE):
        assert since(LATE, FINE, twin) == [0, 0, 0]
    with clock.moved_to(start + 10 * MINUTE):
        assert since(Finding("crl function:1", Severity.OK, "bra"), FINE, twin) == [10, 0, 0]
    with clock.moved_to(start + 15 * MINUTE):
        assert since(LATE, twin) == [15, 0]
    assert HealthReport.objects.count() == 1


def test_a_day_of_samples_is_drawn_against_the_limits(world: Any) -> None:
    """The worst value of each hour, as a curve and in a table, and the responses between samples. Old samples are deleted."""

    def sampled(at: dt.datetime, seconds: float, answers: int | None) -> None:
        waits = Finding("MAC", Severity.OK, "väntar", "seconds", seconds)
        found = [waits, Finding("klocka", Severity.OK, "går", "seconds", -2), SOON]
        with clock.moved_to(at):
            samples.keep(found, ocsp_answers=answers)
            reports.keep(found)

    now = clock.now().replace(hour=11, minute=2)
    hours = ((400, 90, None), (6, 12, 5), (1.4, 40, 100), (1.3, 30, 30), (0.1, 7, 40), (0, 8, 50), (-0.01, 9, 60))
    for ago, seconds, answers in hours:
        sampled(now - dt.timedelta(hours=ago), seconds, answers)
    assert HealthSample.objects.count() == 5, "two weeks, and one for each five minutes"
    with clock.moved_to(now + MINUTE):
        page = client_of(operator(world)).get(ADDRESS)
        day = samples.of_day()
    assert day.worst["MAC"][-6:] == (None, None, None, 40, 7, 9)
    assert day.worst["klocka"][-1] == 2
    assert "ca person-hsaid-3:1" not in day.worst
    assert day.ocsp_answers[-6:] == (None, None, None, 30, None, 20)
    text = text_of(page)
    assert "högst 40 s" in text
    assert len(re.findall(r"kl\. \d\d–\d\d", text.split("OCSP-svar per timme")[0])) == samples.HOURS
    assert page.content.decode().count('class="curve"') == 2


@pytest.mark.usefixtures("demo_pki")
def test_the_task_leaves_what_the_page_shows(world: Any) -> None:
    """Every kind of finding that there is has words and a remedy on the page."""
    found = checks.measure()
    assert HealthSample.objects.count() == 1
    inventory.run()
    text = text_of(client_of(operator(world)).get(ADDRESS))
    assert len(reports.latest_report().findings) == len(found)  # type: ignore[union-attr]
    for each in found:
        area, _name = pki_health_words.area_of(each.subject)
        assert area.title, each.subject
        assert pki_health_words.title_of(each.subject, authority_names()) in text
    report = latest_inventory()
    assert report is not None
    for token in report.tokens:
        assert token.label in text
    for problem in report.problems:
        assert problem.label in text


def test_problems_of_the_inventory_are_listed(world: Any) -> None:
    problem = {
        "kind": "unknown",
        "token": "siths-issuing",
        "key_id": "ab" * 20,
        "label": "okänd",
        "facts": {"object": "secret_key"},
    }
    KeyInventory.objects.create(
        started_at=clock.now(), ended_at=clock.now(), tokens=[{"label": "siths-root", "state": "offline", "objects": 0}],
        problems=[problem],
    )  # fmt: skip
    text = text_of(client_of(operator(world)).get(ADDRESS))
    for expected in ("Frånkopplad, som den ska", "Okänt objekt i modulen", "okänd", "ab" * 20, "object: secret_key"):
        assert expected in text, expected


def test_a_clock_that_went_back_is_told(world: Any) -> None:
    client = client_of(operator(world))
    ClockMark.objects.create(produced_at=clock.now())
    assert "Signering tillåten" in text_of(client.get(ADDRESS))
    ClockMark.objects.update(produced_at=clock.now() + 10 * MINUTE)
    text = text_of(client.get(ADDRESS))
    assert "Har gått tillbaka" in text
    assert "Signering väntar i" in text


def test_the_last_verification_of_each_chain_is_shown(world: Any) -> None:
    client = client_of(operator(world))
    call_command("audit_verify", "--app", "pki", stdout=io.StringIO(), stderr=io.StringIO())
    text = text_of(client.get(ADDRESS))
    assert "PKI Stämmer" in text
    assert "MAC inte kontrollerade" in text or "styrkta av HSM" in text
    assert "Filen med signerade huvuden Stämmer" in text
    reports.keep_audit_check(
        chain="pki", actor_ref="operator:x", ok=False, whole=False, checked=3, macs=None, text="FEL vid sigill 4: ändrad"
    )
    reports.keep_audit_check(chain="billing", actor_ref="operator:x", ok=True, whole=True, checked=3, macs=3, text="3 sigill")
    text = text_of(client.get(ADDRESS))
    assert (
        text.index("Att göra först") < text.index("Händelseloggens kedja, PKI") < text.index("anmäl det som en säkerhetshändelse")
    )
    for expected in ("PKI Stämmer inte", "FEL vid sigill 4: ändrad", "Bara en del av kedjan", "Fakturering Stämmer"):
        assert expected in text, expected
    assert AuditCheck.objects.count() == 6
    with clock.moved_to(clock.now() + dt.timedelta(days=32)):
        assert "Gammal kontroll" in text_of(client_of(operator(world, "Sigrid")).get(ADDRESS))


def test_a_broken_chain_is_told_on_the_rooms_first_page(world: Any) -> None:
    client = client_of(operator(world))
    told = "Händelseloggens kedja stämmer inte."
    reports.keep([FINE])
    for ok in (True, False):
        reports.keep_audit_check(
            chain="billing", actor_ref="operator:x", ok=ok, whole=True, checked=3, macs=3, text="FEL vid sigill 4"
        )
        assert (told in text_of(client.get("/pki/"))) is not ok
    reports.keep([LATE])
    assert f"{told} Kontrollen visar 1 fel." in text_of(client.get("/pki/"))
    HealthReport.objects.all().delete()
    assert f"{told} Ingen kontroll av driften är gjord än." in text_of(client.get("/pki/"))


def test_a_database_that_takes_no_rows_changes_no_result(world: Any) -> None:
    """Who verifies may have a database that only reads."""
    said = io.StringIO()
    with connection.cursor() as cursor:
        cursor.execute("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY")
        try:
            call_command("audit_verify", "--app", "pki", stdout=said, stderr=said)
        finally:
            cursor.execute("SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE")
    assert "pki: 0 sigill stämmer" in said.getvalue()
    assert "resultatet är inte sparat" in said.getvalue()
    assert not AuditCheck.objects.exists()


def test_the_page_costs_the_same_however_much_there_is(world: Any) -> None:
    client = client_of(operator(world))
    reports.keep([FINE])
    client.get(ADDRESS)
    with CaptureQueriesContext(connection) as few:
        client.get(ADDRESS)
    reports.keep([FINE, LATE, SOON] * 20)
    for chain in ("authn", "billing", "issuance", "pki", "heads"):
        for _ in range(3):
            reports.keep_audit_check(
                chain=chain, actor_ref="operator:x", ok=True, whole=True, checked=1, macs=None, text="1 sigill stämmer"
            )
    for number in range(3):
        ServiceClient.objects.create(client_ref=f"supplier-{number}", kind="supplier", name=f"Leverantör {number}")
    StockLevel.objects.create(office=world.office, least=2)
    with CaptureQueriesContext(connection) as many:
        client.get(ADDRESS)
    assert len(few) == len(many) <= 15


def test_losses_of_the_catalogue_that_were_held_stand_first(world: Any, settings: Any) -> None:
    """So many role holders without a post that none was taken for a leaver (ADR 0036)."""
    settings.ROLE_HOLDERS_READ_PER_SECOND = 0
    reports.keep([FINE, LATE])
    client = client_of(operator(world))
    assert "Läsning av rollinnehavare" not in text_of(client.get(ADDRESS))
    for role in (Role.READER, Role.REVOKER, Role.ID_ADMINISTRATOR, Role.DEPUTY_ISSUER):
        world.outside.posts.pop(Post.objects.get(person=world.officer(role=role).person_id).hsa_id.upper())
    role_holder_reading.read(role_holder_reading.due(since=clock.now()))
    text = text_of(client.get(ADDRESS))
    assert "2 saker behöver ses över." in text
    assert text.index("HSA-katalogen saknar uppdrag för 4 av") < text.index("Spärrlista, function:1")
    assert "--accept-losses" in text
    assert "Inga uppdrag avslutades: för många rollinnehavare saknas" in text_of(client.get("/pki/"))


def supplier(client_ref: str, name: str) -> None:
    """A supplier that pulls, was heard just now and has a certificate for 200 days."""
    client = ServiceClient.objects.create(client_ref=client_ref, kind="supplier", name=name)
    end = clock.now() + dt.timedelta(days=200)
    ClientCertificate.objects.create(client=client, thumbprint=f"{client_ref:a<64}", not_after=end)
    SupplierConnection.objects.create(supplier_ref=client_ref, heard_at=clock.now())


def test_suppliers_are_shown_and_a_silent_one_stands_among_what_is_wrong(world: Any) -> None:
    supplier("arbetsam", "Arbetsamma AB")
    supplier("bureau", "Byrån AB")
    order, client = world.order(), client_of(operator(world))
    reports.keep([FINE, SOON])
    text = text_of(client.get(ADDRESS))
    assert "1 sak behöver ses över, men inget är fel." in text
    assert "i dag 0 fel 0 Hördes senast" in text
    assert text.index("Arbetsamma AB Som den ska i kö 0") < text.index("Byrån AB Som den ska i kö 1")
    five_hours_ago = clock.now() - 300 * MINUTE
    CardOrder.objects.update(ordered_at=five_hours_ago)
    SupplierConnection.objects.filter(pk="bureau").update(heard_at=five_hours_ago)
    page = client.get(ADDRESS)
    text = text_of(page)
    assert "2 saker behöver ses över, varav 1 är ett fel." in text
    told = "1 beställning är inte klar, varav 1 i kö. Beställningar väntar. Den äldsta beställningen har väntat i 5 timmar."
    places = [text.index(each) for each in ("Byrån AB: hörs inte av", told, "Utfärdarens certifikat, person-hsaid-3:1")]
    assert places == sorted(places)
    assert text.index("Byrån AB Hörs inte av i kö 1") < text.index("Arbetsamma AB Som den ska i kö 0")
    assert f'href="{reverse("supplier", args=["bureau"])}"' in page.content.decode()
    assert "Driftläget behöver ses över 1 kortleverantör har fel." in text_of(client.get(reverse("day")))
    for secret in (f"{order.person.given_name_in_use} {order.person.surname}", order.eid.hsa_id):
        assert secret not in text


def test_the_rate_is_that_of_all_suppliers_or_of_one_that_is_behind(world: Any) -> None:
    supplier("arbetsam", "Arbetsamma AB")
    supplier("bureau", "Byrån AB")
    client = client_of(operator(world))
    assert "per arbetsdag" not in text_of(client.get(ADDRESS))
    orders = (world.order(), world.order(), world.order())
    before, latest = workdays.latest(clock.today(), 2)
    CardOrder.objects.filter(pk=orders[0].pk).update(supplier_ref="arbetsam")
    for order, day in zip(orders, (before, before, latest), strict=True):
        OrderItem.objects.filter(order=order).update(sent_on=day, dispatched_at=clock.now())
    text = text_of(client.get(ADDRESS))
    assert "Beställda och skickade kort per arbetsdag" in text
    assert f"{in_words(before)} 0 2 {in_words(latest)} 3 1" in text, "ordered and sent"
    CardOrder.objects.filter(pk=orders[1].pk).update(ordered_at=clock.now() - 300 * MINUTE)
    text = text_of(client.get(ADDRESS))
    assert "Byrån AB: beställda och skickade kort per arbetsdag" in text
    found = rates.rates()
    assert (found.sent_by("bureau")[-2:], sum(found.ordered_from("bureau"))) == ([1, 1], 2)
    monday = dt.datetime(2026, 11, 30, 12, tzinfo=clock.STOCKHOLM)
    saturday = monday - dt.timedelta(days=2)
    OrderItem.objects.update(sent_on=saturday.date(), dispatched_at=saturday)
    CardOrder.objects.update(ordered_at=saturday)
    CardOrder.objects.filter(pk=orders[0].pk).update(state="cancelled")
    with clock.moved_to(monday):
        found = rates.rates()
        assert found.sent_by_all() == [0] * 8 + [3, 0], "a card that leaves on a Saturday counts on Friday"
        assert found.ordered_from_all() == [0] * 8 + [2, 0], "an order that was withdrawn does not count"


def test_failed_orders_are_shown_without_a_person_until_another_is_made(world: Any) -> None:
    """Operators cannot order again: no page of theirs has a button for it."""
    supplier("bureau", "Byrån AB")
    client, order = client_of(operator(world)), world.order()
    assert "Beställningar med fel" not in text_of(client.get(ADDRESS))
    CardOrder.objects.filter(pk=order.pk).update(state="failed", failure_reason="chip-dead")
    page = client.get(ADDRESS)
    assert "fel 1 Hördes senast" in text_of(page)
    assert f"{order.id} Byrån AB: chip-dead. Beställd {in_words(clock.today())}." in text_of(page)
    assert "Gör om" not in text_of(page)
    assert order.eid.hsa_id not in page.content.decode()
    world.order(order.eid.post)
    assert "Beställningar med fel" not in text_of(client.get(ADDRESS))
    SupplierConnection.objects.all().delete()
    CardOrder.objects.all().update(state="cancelled")
    assert "Byrån AB Har inte hörts av i kö 0" in text_of(client.get(ADDRESS)), "on trial, neither right nor wrong"


def test_offices_without_reserve_cards_are_counted_and_not_named(world: Any) -> None:
    client = client_of(operator(world))
    reports.keep([FINE])
    assert "Reservkort på kontoren" not in text_of(client.get(ADDRESS))
    StockLevel.objects.create(office=world.office, least=2)
    text = text_of(client.get(ADDRESS))
    for expected in (
        "1 sak behöver ses över, men inget är fel.", "Att göra först. Se över. Reservkort på kontoren",
        "1 kontor saknar reservkort att lämna ut. 1 kontor har färre reservkort än sin gräns",
    ):  # fmt: skip
        assert expected in text, expected
    assert world.office.name not in text
    assert "Driftläget behöver ses över 1 kontor saknar reservkort." in text_of(client.get(reverse("day")))
    StockLevel.objects.update(least=0)
    assert "Allt fungerar." in text_of(client.get(ADDRESS))
