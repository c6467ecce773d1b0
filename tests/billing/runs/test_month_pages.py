"""The pages of a month: two people of finance take it from drafts to numbers, and see and repair what is stopped."""

import datetime as dt
import re
from decimal import Decimal
from io import BytesIO

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from openpyxl import load_workbook

from billing import tasks
from billing.invoices.models import Invoice
from billing.records.models import Event
from billing.runs.models import InvoiceRun, RunState
from billing.runs.queries import day
from billing.service import run_month
from issuance.authz import Role
from issuance.people.models.persons import Person
from issuance.roles.models.grants import RoleGrant
from siths_portal.lib import clock
from tests.billing.facts import local, uid
from tests.billing.invoices.test_pages import plain
from tests.billing.runs.test_approvals import MINUTE, officer
from tests.billing.world import APRIL, MUNICIPALITY, REGION, both_sketches, customer, slide_prices
from tests.pressing import MAIN

pytestmark = pytest.mark.django_db(transaction=True)
RUNS = "/fakturor/manadskorning/"
MONTH = f"{RUNS}2023-04/"
LATE = uid("late")


@pytest.fixture
def people(page_world):
    """Two people of finance in their browsers."""
    return [page_world.client(Role.FINANCE_ADMIN, each) for each in (page_world.region, page_world.municipality)]


@pytest.fixture
def april(page_world, facts, prices, people, woken, request):
    """April: both customers of the slides with a fiftieth of their cards (or all), and one that has no customer data."""
    both_sketches(facts, part=getattr(request, "param", 50))
    facts.card(LATE, facts.office("late", "Kontor L"), "589", local(2023, 4, 13), n=4)
    with clock.moved_to(clock.now() + MINUTE):
        yield people


def press(client, address, **fields):
    return client.post(address, {**fields, **MAIN})


def shown(client, address=MONTH) -> str:
    response = client.get(address)
    assert response.status_code == 200
    return plain(response.content)


def seen(client) -> str:
    found = re.search(rb'name="sedd" value="([0-9a-f]{64})"', client.get(MONTH).content)
    return found[1].decode() if found else ""


def test_from_opening_to_numbers_by_two_people(april, page_world, woken):
    first, second = april
    assert "Öppna april 2023" in shown(first, RUNS)
    assert press(first, RUNS)["Location"] == MONTH
    assert "Utkasten görs" in shown(first)
    assert first.get(f"{MONTH}?lage=open-arbetar", headers={"HX-Request": "true"}).status_code == 200
    woken.work()
    assert "HX-Refresh" in first.get(f"{MONTH}?lage=open-arbetar", headers={"HX-Request": "true"}).headers
    text = shown(first)
    assert "2 av 3 fakturor är klara att godkänna. 1 kund är stoppad." in text
    assert "fakturor klara 2 av 3" in text
    assert "Kunduppgifter för fakturering saknas." in text
    assert re.search(r"Stoppad \+.360\b", text)  # a stopped customer has no draft whose pieces could be compared
    assert "Du släpper 2 fakturor på 90 660,00 kr exkl. moms." in text.replace("\xa0", " ")
    sha256 = seen(first)
    assert press(first, MONTH, steg="slapp", sedd=sha256).status_code == 302
    assert "Du släppte 2 fakturor" in shown(first)
    assert "Godkänn 2 fakturor" not in shown(first)
    assert press(first, MONTH, steg="godkann", sedd=sha256).status_code == 403
    assert "Godkänn 2 fakturor" in shown(second)
    assert press(second, MONTH, steg="godkann", sedd=sha256).status_code == 302
    assert "får sina nummer" in shown(second)
    woken.work()
    text = shown(second)
    assert "2 fakturor är utfärdade." in text
    assert "billing_run" not in text
    assert Invoice.objects.exclude(number=None).count() == 2
    assert "April 2023 Utfärdad 3 2 1 90 660,00" in shown(first, RUNS).replace("\xa0", " ")


def test_the_books_of_the_month_are_on_its_page(april):
    first, _second = april
    run_month(APRIL, actor_ref="user:test")
    assert "Till bokföringen" not in shown(first)
    run_month(APRIL, actor_ref="user:test", issue=True)
    assert "Driften gav numren med kommandot billing_run" in shown(first)
    assert "Hämta verifikationer (SIE 4)" in shown(first)
    for name, begins in (("fakturor.si", b"#FLAGGA 0\r\n"), ("fakturor.csv", '\ufeff"Fakturanummer";'.encode())):
        response = first.get(MONTH + name)
        assert response.content.startswith(begins)
        assert f'attachment; filename="{name.replace(".", "-2023-04.")}"' in response["Content-Disposition"]
    exported = Event.objects.filter(action="invoices.exported").order_by("pk")
    assert [(event.subject_ref, event.facts["format"]) for event in exported] == [("2023-04", "sie"), ("2023-04", "csv")]


def test_what_was_seen_is_what_is_released(april, woken):
    first, second = april
    run_month(APRIL, actor_ref="user:test")
    sha256 = seen(first)
    customer(LATE, name="Kommun Sen", organisation_number="2129990004")
    draft = f"{MONTH}{LATE}/"
    assert "Det här stoppar fakturan" in shown(second, draft)
    assert press(second, draft)["Location"] == draft
    woken.work()
    assert "360,00" in shown(second, draft)
    refused = press(first, MONTH, steg="slapp", sedd=sha256)
    assert refused.status_code == 409
    assert "Utkasten har ändrats sedan du såg dem." in plain(refused.content)
    assert InvoiceRun.objects.get().state == RunState.REVIEW
    assert "Störst förändring" in shown(first)
    assert press(first, MONTH, steg="om").status_code == 302
    assert InvoiceRun.objects.get().state == RunState.OPEN
    assert "Störst förändring" not in shown(first)


@pytest.mark.parametrize("april", [1], indirect=True, ids=["all cards"])
def test_sums_changes_and_the_basis_as_a_file(april, page_world, facts, woken):
    run_month(APRIL, actor_ref="user:test", issue=True)
    facts.card(REGION, facts.office("region Kontor A", "Kontor A"), "589", local(2023, 5, 12), n=100)
    facts.count("2023-05", MUNICIPALITY, "Vingåkers kommun", 500)
    with clock.moved_to(local(2023, 6, 2, 6)):
        woken.sweep()
        first = page_world.client(Role.FINANCE_ADMIN)
        text = shown(first, f"{RUNS}2023-05/").replace("\xa0", " ")
        assert "0 kort, 1 960 i april" in text
        assert "april: 401 160" in text
        assert "Det mesta är abonnemang" in text
        assert "1 stoppad" in text
        content = first.get(f"{RUNS}2023-05/kunder/?fil=xlsx").content
        found = shown(first, f"{RUNS}2023-05/kunder/?visa=avviker")
        assert "Demo kommun" in found
        assert "Inga sådana kunder" not in shown(first, f"{RUNS}2023-05/kunder/?visa=stoppade")
    rows = list(load_workbook(BytesIO(content)).active.iter_rows(values_only=True))
    by_name = {row[0]: row for row in rows[1:]}
    assert [Decimal(value.replace(",", ".")) for value in by_name["Demo kommun"][2:5]] == [
        Decimal("47500"),
        Decimal("159065"),
        Decimal("-111565"),
    ]


def test_dagen_says_whose_turn_it_is(april, page_world, woken):
    actors = [officer(page_world, place) for place in ("region", "municipality")]
    run_month(APRIL, actor_ref="user:test")
    titles = [[str(line.title) for line in day.lines(actor)] for actor in actors]
    assert all("Fakturorna för april 2023 väntar på granskning" in found for found in titles)
    assert press(april[0], MONTH, steg="slapp", sedd=seen(april[0])).status_code == 302
    own, other = ([str(line.title) for line in day.lines(actor)] for actor in actors)
    assert "Fakturorna för april 2023 väntar på att godkännas" not in own
    assert "Fakturorna för april 2023 väntar på att godkännas" in other


def test_queries_are_few_and_do_not_grow_with_customers(april, facts, woken):
    first, _second = april
    run_month(APRIL, actor_ref="user:test")
    tasks.reconcile(str(InvoiceRun.objects.get().pk))
    addresses = [RUNS, MONTH, f"{MONTH}kunder/", f"{MONTH}{REGION}/"]
    counts = []
    for more in (0, 5):
        for number in range(more):
            party = uid(f"more {number}")
            customer(party, name=f"Kommun {number}", organisation_number="2129990004")
            facts.card(party, facts.office(f"more {number}", "Kontor M"), "589", local(2023, 4, 13))
        run_month(APRIL, actor_ref="user:test")
        for address in addresses:
            first.get(address)
            with CaptureQueriesContext(
                connection,
            ) as asked:
                first.get(address)
            counts.append(len(asked))
    assert counts[:4] == counts[4:]
    assert max(counts) <= 20, counts


@pytest.mark.parametrize("address", [f"{RUNS}2023-03/", f"{RUNS}2023-13/", f"{RUNS}2023-04/kunder/x", f"{MONTH}{LATE}/"])
def test_what_is_not_there(page_world, facts, people, address):
    assert people[0].get(address).status_code == 404


def test_a_month_that_nobody_has_prices_for_is_explained(page_world, facts, people, woken):
    customer(REGION)
    facts.card(REGION, facts.office("a", "Kontor A"), "589", local(2023, 4, 13))
    run_month(APRIL, actor_ref="user:test")
    text = shown(people[0])
    assert "Ingen faktura är klar att godkänna. 1 kund är stoppad." in text
    assert re.search(r"Pris saknas för artikel 589 [^0-9]*–", text)  # no sum, which is not a sum of 0
    slide_prices()
    press(people[0], MONTH, steg="om")
    woken.work()
    assert "1 av 1 faktura är klar att godkänna." in shown(people[0])


def test_a_stopped_customer_is_explained_in_words_and_its_repair_leads_back(page_world, facts, prices, people):
    customer(REGION, buyer_reference="")
    facts.card(REGION, facts.office("a", "Kontor A"), "589", local(2023, 4, 13))
    run_month(APRIL, actor_ref="user:test")
    sentence = "Kundens egen referens eller ordernummer saknas i kunduppgifterna."
    for address in (MONTH, f"{MONTH}{REGION}/"):
        text = shown(people[0], address)
        assert f"{sentence} Regel PEPPOL-EN16931-R003" in text
        assert "BT-1" not in text
    form = f"/fakturor/kunder/{REGION}/uppgifter/?fran=2023-04"
    assert f'href="{form}"' in people[0].get(MONTH).content.decode()
    assert f'action="{form}"' in people[0].get(form).content.decode()
    back = people[0].get(f"/fakturor/kunder/{REGION}/?fran=2023-04").content.decode()
    assert f'href="{MONTH}">Tillbaka till april 2023' in back
    assert "Tillbaka" not in shown(people[0], f"/fakturor/kunder/{REGION}/?fran=2023-13")


def test_the_panel_names_who_may_be_the_second_person(april, page_world, woken):
    """The panel names colleagues whose identity is not protected. If nobody else has the role, it says so."""
    first, _second = april
    grants = RoleGrant.objects.filter(role=Role.FINANCE_ADMIN).order_by("pk")
    colleague = grants.last().person
    Person.objects.filter(pk=colleague.pk).update(given_name_in_use="Klara", surname="Wallin")
    press(first, RUNS)
    woken.work()
    assert "En annan Förvaltningsadmin ekonomi Klara Wallin" in shown(first)
    Person.objects.filter(pk=colleague.pk).update(is_protected=True, protected_person_indicator=True)
    assert "Wallin" not in shown(first)
    assert "En annan Förvaltningsadmin ekonomi Ingen annan har rollen nu." in shown(first)


def test_the_track_says_when_the_month_was_counted_and_how_long_the_drafts_took(april, woken):
    first, _second = april
    press(first, RUNS)
    woken.work()
    run = InvoiceRun.objects.get()
    for took, note in ((dt.timedelta(minutes=2, seconds=14), "på 2 min 14 s"), (dt.timedelta(days=2), ", 4 maj kl. 06:01")):
        Invoice.objects.filter(run=run).update(drafted_at=run.snapshot_at + took)
        assert f"Perioden stängd 2 maj kl. 06:01 Klart: Utkast 3 kunder {note}".replace(" ,", ",") in shown(first)
