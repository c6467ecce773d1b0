"""Prices that two people set, and what a price from a past day corrects."""

import csv
import datetime as dt
import io
import re
from decimal import Decimal

import psycopg2
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from billing.invoices.models import Invoice, InvoiceLine
from billing.ledger.services import ledger
from billing.price_changes.models import PriceChange
from billing.price_changes.services import changes
from billing.prices.models import PriceItem
from billing.prices.services.prices import PriceBook
from billing.prices.services.replacing import NewPrice
from billing.reconciliation.services import reconcile
from billing.records.models import Event
from billing.runs.services import months
from issuance.authz import Role
from siths_portal.lib import clock
from siths_portal.lib.errors import Conflict, Forbidden, Invalid
from tests.billing.facts import local
from tests.billing.invoices.test_pages import plain
from tests.billing.world import APRIL, MUNICIPALITY, REGION, customer, price

pytestmark = pytest.mark.django_db(transaction=True)
LIST = "/fakturor/priser/"
MINUTE = dt.timedelta(minutes=1)
JUNE = dt.date(2023, 6, 1)
APRIL_FIRST = dt.date(2023, 4, 1)


def officer(world, role=Role.FINANCE_ADMIN, place="region"):
    """An officer; another place gives another person."""
    return world.world.officer(getattr(world, place), role)


def new(amount, day, *, article="589", party=None):
    return NewPrice(article, party, day, Decimal(amount) if amount else None, Decimal(25))


def by_two(world, wanted, reason="Fel i avtalet."):
    """One asks a minute later than both got their rights, the other approves what the page shows."""
    one, two = officer(world), officer(world, place="municipality")
    with clock.moved_to(clock.now() + MINUTE):
        change = changes.request_price(actor=one, new=wanted, reason=reason)
    return changes.decide(actor=two, change_id=change.pk, approved=True, seen=changes.effect(change).sha256)


def cost(day, party=REGION, article="589"):
    item = PriceBook([article]).price(article, party, day)
    return item and f"{item.unit_price:.2f}"


def lines(party=REGION):
    rows = InvoiceLine.objects.filter(invoice__party_id=party).order_by("position")
    return [f"{line.article_code} {line.quantity:.0f} x {line.unit_price:.2f}" for line in rows]


@pytest.fixture
def world(page_world, prices):
    for party, name in ((REGION, "Region Norr"), (MUNICIPALITY, "Demo kommun")):
        customer(party, name=name)
    return page_world


@pytest.fixture
def drafted(world, facts):
    """Two cards of each customer at 90, in drafts."""
    for party in (REGION, MUNICIPALITY):
        facts.card(party, facts.office(f"{party} A", "Kontor A"), "589", local(2023, 4, 12), n=2)
    months.run_month(APRIL, actor_ref="user:test")
    return world


class TestTwoPeople:
    def test_the_pages_lead_two_people_through(self, world):
        first, second = (world.client(Role.FINANCE_ADMIN, each) for each in (world.region, world.municipality))
        form = {
            "article_code": "589",
            "party_id": str(REGION),
            "unit_price": "80,50",
            "vat_rate": "25",
            "valid_from": "2023-06-01",
        }
        with clock.moved_to(clock.now() + MINUTE):
            answer = first.post(f"{LIST}nytt/", form)
        assert answer.status_code == 302
        change = PriceChange.objects.get()
        shown = plain(first.get(answer.url).content)
        assert "Region Norr: 80,50\u00a0kr exklusive 25\u00a0% moms från och med 2023-06-01." in shown
        assert "Godkänn priset" not in shown
        assert "Nytt pris för 589 Kort 589 väntar på beslut" in plain(second.get("/dagen/").content)
        sent = {"effekt": changes.effect(change).sha256}
        assert first.post(answer.url, sent).status_code == 403
        assert second.post(answer.url, {"effekt": "0"}).status_code == 409
        assert second.post(answer.url, sent).status_code == 302
        assert (cost(JUNE), cost(JUNE - dt.timedelta(days=1)), cost(JUNE, MUNICIPALITY)) == ("80.50", "90.00", "90.00")
        assert "589 Kort 589 Region Norr 80,50 25,00 2023-06-01 – Kommande" in plain(second.get(LIST).content)
        assert "Begäran är godkänd" in plain(second.get(answer.url).content)
        actions = Event.objects.filter(subject_type="price_change").order_by("id").values_list("action", flat=True)
        assert list(actions) == ["price.requested", "price.approved"]

    def test_a_request_is_refused_or_taken_back_and_then_free_again(self, world):
        one, two = officer(world), officer(world, place="municipality")
        with clock.moved_to(clock.now() + MINUTE):
            change = changes.request_price(actor=one, new=new("80", JUNE))
            with pytest.raises(Conflict):
                changes.request_price(actor=two, new=new("70", JUNE))
            with pytest.raises(Forbidden):
                changes.decide(actor=officer(world, place="clinic"), change_id=change.pk, approved=True)
            changes.decide(actor=one, change_id=change.pk, approved=False)
            other = changes.request_price(actor=one, new=new("70", JUNE))
        changes.decide(actor=two, change_id=other.pk, approved=False)
        assert cost(JUNE) == "90.00"
        with pytest.raises(Conflict):
            changes.decide(actor=two, change_id=other.pk, approved=True)

    def test_wrong_input_is_told_at_the_field(self, world):
        browser = world.client(Role.FINANCE_ADMIN)
        right = {"article_code": "589", "party_id": "", "unit_price": "80", "vat_rate": "25", "valid_from": "2023-06-01"}
        for values, told in (
            ({"unit_price": "åtta"}, "Skriv priset i kronor"),
            ({"unit_price": "80,00001"}, "högst 4 decimaler"),
            ({"unit_price": ""}, "Skriv priset."),
            ({"unit_price": "-1"}, "som inte är negativt"),
            ({"unit_price": "1" * 15}, "siffror före"),
            ({"unit_price": "", "end": "on"}, "Bara ett avtalat pris kan avslutas."),
            ({"unit_price": "90"}, "Priset gäller redan den dagen."),
            ({"valid_from": "2023-04-01"}, "Skriv varför priset ska gälla från en dag som har varit."),
            ({"valid_from": "2033-04-01"}, "Välj en dag från"),
            ({"valid_from": "x"}, "Skriv dagen"),
            ({"article_code": "nothing"}, "Välj ett alternativ i listan."),
        ):
            answer = browser.post(f"{LIST}nytt/", {**right, **values})
            assert answer.status_code in (409, 422), values
            assert told in plain(answer.content), values
        assert not PriceChange.objects.exists()

    def test_only_finance(self, world):
        for role in (Role.GLOBAL_READER, Role.RESPONSIBLE_ISSUER):
            with pytest.raises(Forbidden):
                changes.request_price(actor=officer(world, role), new=new("80", JUNE))

    def test_the_database_keeps_requests_and_prices(self, world):
        one = officer(world)
        changes.request_price(actor=one, new=new("80", JUNE))
        options = connection.settings_dict
        for statement in (
            f"UPDATE billing_pricechange SET approved = true, decided_by = '{one.ref}', decided_at = now()",
            "UPDATE billing_pricechange SET unit_price = 1",
            "DELETE FROM billing_pricechange",
            "UPDATE billing_priceitem SET unit_price = 1",
            "DELETE FROM billing_priceitem",
        ):
            with psycopg2.connect(dbname=options["NAME"], user="postgres", host=options["OPTIONS"]["host"]) as superuser:
                with superuser.cursor() as cursor, pytest.raises(psycopg2.Error):
                    cursor.execute(statement)
                superuser.rollback()


class TestPages:
    def test_the_list_is_filtered_and_fetched(self, world):
        price("589", "80", party_id=REGION, valid_from=JUNE)
        browser = world.client(Role.FINANCE_ADMIN)
        assert "Region Norr 80,00" in plain(browser.get(f"{LIST}?status=kommande").content)
        assert "Bruttolistan 90,00" not in plain(browser.get(f"{LIST}?lista={REGION}").content)
        content = b"".join(browser.get(f"{LIST}?artikel=589&fil=csv").streaming_content).decode("utf-8-sig")
        assert [row[1:3] for row in list(csv.reader(io.StringIO(content), delimiter=";"))[1:]] == [
            ["Bruttolistan", "90,0000"], ["Region Norr", "80,0000"],
        ]  # fmt: skip
        shown = plain(browser.get(f"{LIST}artikel/ABO/").content)
        assert "Räknas per Person, oavsett antal kort Räknas när Vid slutet av månadens sista dag" in shown
        assert browser.get(f"{LIST}artikel/nothing/").status_code == 404

    @pytest.mark.parametrize("address", [LIST, f"{LIST}artikel/589/", f"{LIST}nytt/"])
    def test_a_page_asks_the_database_little(self, world, address):
        changes.request_price(actor=officer(world), new=new("80", JUNE))
        browser = world.client(Role.FINANCE_ADMIN)
        browser.get(address)
        with CaptureQueriesContext(connection) as asked:
            assert browser.get(address).status_code == 200
        assert len(asked) <= 15


class TestCorrection:
    def test_a_wrong_gross_price_is_corrected_in_drafts_of_those_without_an_agreed_one(self, drafted, facts):
        change = by_two(drafted, new("80", APRIL_FIRST, party=MUNICIPALITY))
        assert change.approved
        months.run_month(APRIL, actor_ref="user:test")
        assert (lines(), lines(MUNICIPALITY)) == (["589 2 x 90.00"], ["589 2 x 80.00"])
        by_two(drafted, new("85", dt.date(2023, 4, 2)))
        facts.card(REGION, facts.office("late", "Kontor A"), "589", local(2023, 5, 2, 5), ordered=local(2023, 4, 3))
        ledger.collect()
        months.run_month(APRIL, actor_ref="user:test")
        assert (lines(), lines(MUNICIPALITY)) == (["589 2 x 85.00"], ["589 2 x 80.00"])
        assert (cost(APRIL_FIRST), cost(dt.date(2023, 4, 2)), cost(dt.date(2023, 4, 2), MUNICIPALITY)) == (
            "90.00",
            "85.00",
            "80.00",
        )
        months.run_month(APRIL, actor_ref="user:test", issue=True)
        assert {check.number for check in reconcile.reconcile(APRIL) if not check.ok} == set()

    def test_the_page_shows_what_changes_before_it_does(self, drafted):
        one, browser = officer(drafted), drafted.client(Role.FINANCE_ADMIN, drafted.municipality)
        with clock.moved_to(clock.now() + MINUTE):
            change = changes.request_price(actor=one, new=new("80", APRIL_FIRST), reason="Fel i avtalet.")
        address = f"{LIST}begaran/{change.pk}/"
        shown = plain(browser.get(address).content)
        assert "4 rader i liggaren som inte är fakturerade rättas med motbokningar och nya rader." in shown
        assert "Demo kommun 2 180,00 160,00 -20,00" in shown
        months.run_month(APRIL, actor_ref="user:test", issue=True)
        assert browser.post(address, {"effekt": changes.effect(change).sha256 + "0"}).status_code == 409
        assert "4 rader är redan fakturerade och ändras inte. Kreditera dem på fakturan." in plain(browser.get(address).content)
        assert browser.post(address, {"effekt": changes.effect(change).sha256}).status_code == 302
        assert Invoice.objects.filter(number__isnull=False).count() == 2
        assert cost(APRIL_FIRST) == "80.00"

    def test_an_agreed_price_ends_and_the_gross_list_applies(self, drafted):
        by_two(drafted, new("80", APRIL_FIRST, party=REGION))
        by_two(drafted, new(None, JUNE, party=REGION))
        assert (cost(JUNE - dt.timedelta(days=1)), cost(JUNE)) == ("80.00", "90.00")
        with pytest.raises(Invalid):
            changes.request_price(actor=officer(drafted), new=new(None, JUNE))
        with pytest.raises(Conflict):
            changes.request_price(actor=officer(drafted), new=new(None, JUNE, party=REGION))
        assert PriceItem.objects.filter(party_id=REGION, withdrawn_at=None).count() == 1


class TestFile:
    def test_prices_are_read_from_a_file_as_requests(self, world):
        browser = world.client(Role.FINANCE_ADMIN)
        head = "Artikelkod;Kundens organisationsnummer;Pris;Moms;Gäller från och med;Skäl\n"

        def send(*rows):
            content = io.BytesIO((head + "\n".join(rows)).encode())
            content.name = "priser.csv"
            return browser.post(f"{LIST}fil/", {"file": content}).url

        shown = plain(browser.get(send("589;;80;;2023-04-01;", "nope;;80;;2023-06-01;", "689;1;x;;2023-06-01;")).content)
        for told in ("Skriv varför priset ska gälla", "Artikeln finns inte.", "Skriv ett tal", "Ingen kund har numret."):
            assert told in shown
        address = send("589;;80,50;25;2023-06-01;", "689;;50;;2023-06-01;", "ABO;;99;;2023-06-01;")
        page = browser.get(address)
        plan = re.search(r'name="plan" value="([0-9a-f]+)"', page.content.decode()).group(1)
        assert browser.post(address, {"plan": plan}).status_code == 302
        assert sorted(PriceChange.objects.values_list("article_code", "unit_price")) == [
            ("589", Decimal("80.5000")), ("ABO", Decimal("99.0000")),
        ]  # fmt: skip
        assert cost(JUNE) == "90.00"
