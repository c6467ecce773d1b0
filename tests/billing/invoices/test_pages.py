"""The pages of invoices as a browser gets them: to whom, with what, exactly as frozen, and to whom not."""

import csv
import io
import re
from dataclasses import replace
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from billing.invoices.models import Invoice, InvoiceFile, InvoiceLine
from billing.invoices.web.lists import InvoiceList, LineEventList
from billing.ledger.models import LedgerEntry
from billing.ledger.services import ledger
from billing.records.domain import money
from billing.records.domain.periods import Month
from billing.records.models import Event
from billing.runs.models import InvoiceRun
from billing.runs.services import issuing
from billing.service import run_month
from issuance.authz import Role
from issuance.organisations.models import Organisation
from siths_portal.lib import clock
from tests.billing.facts import Facts, local
from tests.billing.page_world import PageWorld
from tests.billing.world import APRIL, MUNICIPALITY, REGION, customer, made_once, sketches_issued, slide_prices

pytestmark = pytest.mark.django_db(transaction=True)
INVOICE_READERS = {
    Role.FINANCE_ADMIN, Role.GLOBAL_READER, Role.RESPONSIBLE_ISSUER, Role.DEPUTY_ISSUER, Role.CUSTOMER_FINANCE,
}  # fmt: skip
GOLDEN = {REGION: "302618.75", MUNICIPALITY: "198831.25"}


def plain(html: bytes) -> str:
    """The text of a page in one line, no-break spaces as such."""
    text = re.sub(r"<[^>]+>", " ", html.decode().replace("&nbsp;", "\u00a0"))
    return " ".join(part for part in re.split(r"[ \n\t]+", text) if part)


def sums(html: bytes) -> list[str]:
    return re.findall(r"<dd>([^<]*)</dd>", html.decode().replace("&nbsp;", "\u00a0"))


@pytest.fixture
def pages(page_world: PageWorld, facts: Facts) -> PageWorld:
    """Both sketches issued, their files not made yet, for a region and a municipality that exist as issuing organisations."""
    sketches_issued(facts)
    return page_world


@pytest.fixture
def few(page_world: PageWorld, facts: Facts) -> PageWorld:
    """The same parties with an invoice of two lines each, which is quicker."""
    made_once("few issued", facts, lambda: make_few(facts))
    return page_world


@pytest.fixture
def files(page_world: PageWorld, facts: Facts) -> PageWorld:
    """Those with their files."""

    def make() -> None:
        make_few(facts)
        run_month(APRIL, actor_ref="user:test", issue=True)

    made_once("few issued with files", facts, make)
    return page_world


def make_few(facts: Facts) -> None:
    slide_prices()
    customer(REGION, name="Västra Götalandsregionen", organisation_number="2329990010")
    customer(MUNICIPALITY, name="Demo kommun", organisation_number="2129990012")
    for party in (REGION, MUNICIPALITY):
        for article in ("589", "689"):
            facts.card(party, facts.office(f"{party} A", "Kontor A"), article, local(2023, 4, 12), n=2)
    run_month(APRIL, actor_ref="user:test")
    issuing.issue(InvoiceRun.objects.get(), actor_ref="user:test")


class TestGoldenPages:
    """The slides' two sketches (seed lines 704-745) as pages say what the golden documents say."""

    @pytest.mark.parametrize("party", [REGION, MUNICIPALITY], ids=["region", "municipality"])
    def test_the_page_is_the_document(self, pages: PageWorld, party: Any) -> None:
        row = Invoice.objects.get(party_id=party)
        answer = pages.client(Role.FINANCE_ADMIN).get(f"/fakturor/{row.number}/")
        assert answer.status_code == 200
        text = plain(answer.content)
        assert row.gross == Decimal(GOLDEN[party])
        assert f"Att betala {money.swedish(Decimal(GOLDEN[party]))}\u00a0kr" in text
        assert f"Summa exkl. moms {money.swedish(row.net)}" in text
        assert f"Moms 25 % på {money.swedish(row.net)} {money.swedish(row.vat)}" in text
        assert "SITHS, avser april 2023" in text
        assert "mer än i mars 2023" not in text, "an invoice without one before it is not compared"
        for line in row.lines.order_by("position"):
            amounts = (line.quantity, line.unit_price)
            pieces = f"{money.swedish(amounts[0], decimals=0)}\u00a0st"
            shown = f"{pieces} {money.swedish(amounts[1])} 25\u00a0% {money.swedish(line.net)}"
            named = f"Kort {line.article_code.removesuffix('-REK')}" if line.office_id else line.text
            detail = line.text if line.office_id else line.article_code
            assert f"{named} Artikel {detail} {shown}" in text
        assert text.count("\u00a0st ") == row.lines.count()
        for value in ("2023-05-02", "2023-06-01", "2023-04-01–2023-04-30", "991-2346", row.payment_reference):
            assert value in text
        for value in (row.buyer["name"], "Demo e-legitimationer AB", "SE559999000801", row.buyer["street"]):
            assert value in text

    def test_the_odd_line_of_the_slides_is_right(self, pages: PageWorld) -> None:
        number = Invoice.objects.get(party_id=REGION).number
        text = plain(pages.client(Role.FINANCE_ADMIN).get(f"/fakturor/{number}/").content)
        assert "Kort 689 Artikel 689, Kontor B 100\u00a0st 50,00 25\u00a0% 5\u00a0000,00" in text

    def test_both_stand_in_the_list_with_their_sum(self, pages: PageWorld) -> None:
        answer = pages.client(Role.FINANCE_ADMIN).get("/fakturor/")
        text = plain(answer.content)
        amounts = "242\u00a0095,00 302\u00a0618,75 302\u00a0618,75 0,00"
        assert f"2023-000002 April 2023 Västra Götalandsregionen {amounts} 2023-06-01" in text
        assert "2023-000001 April 2023 Demo kommun 159\u00a0065,00 198\u00a0831,25 198\u00a0831,25 0,00 2023-06-01" in text
        assert sums(answer.content) == ["2", "401\u00a0160,00", "501\u00a0450,00", "501\u00a0450,00"]


class TestHistory:
    def test_each_event_once_without_persons(self, files: PageWorld) -> None:
        row = Invoice.objects.get(number="2023-000002")
        client = files.client(Role.CUSTOMER_FINANCE)
        client.get("/fakturor/2023-000002/faktura.pdf")
        for action in ("invoice.delivered", "invoice.credited"):
            facts = {"number": row.number, "credit_note": "2023-000009"}
            Event.record(actor_ref="user:x", action=action, subject_type="invoice", subject_ref=str(row.pk), facts=facts)
        text = plain(client.get("/fakturor/2023-000002/").content)
        shown = text[text.index("Fakturans historik") :]
        said = re.findall(r"2023-05-02 06:00:0\d (.*?)(?= 2023-05-02 06:00:0| [A-Z][a-zåäö]+ Bankgiro)", shown)
        assert [each for each in said if "skapades" not in each] == [
            "Utfärdades med nummer 2023-000002", "Levererades till kunden", "Krediterades av 2023-000009",
        ]  # fmt: skip
        assert sorted(each for each in said if "skapades" in each) == ["E-faktura skapades", "PDF skapades"]


class TestList:
    def test_by_customer_and_month(self, pages: PageWorld) -> None:
        client = pages.client(Role.GLOBAL_READER)
        answer = client.get("/fakturor/", {"kund": str(REGION), "manad": "2023-04"})
        assert sums(answer.content)[0::3] == ["1", "302\u00a0618,75"]
        assert b"2023-000001" not in answer.content
        assert b'<option value="2023-04" selected>April 2023' in answer.content

    def test_what_is_not_in_the_list_is_refused_at_its_field(self, few: PageWorld) -> None:
        client = few.client(Role.FINANCE_ADMIN)
        for query in ({"kund": str(uuid4())}, {"kund": "x"}, {"manad": "2023-13"}, {"manad": "2019-01"}):
            answer = client.get("/fakturor/", query)
            assert answer.status_code == 422, query
            assert answer.content.decode().count("Välj ett av alternativen i listan.") == 2
            assert b'aria-invalid="true"' in answer.content
            assert b"2023-00000" not in answer.content

    def test_a_place_that_is_none_is_the_start(self, few: PageWorld) -> None:
        client = few.client(Role.FINANCE_ADMIN)
        for after in ("'", "2023", "9" * 40, "2023-000001' OR 1=1"):
            assert b"2023-000002" in client.get("/fakturor/", {"efter": after}).content, after

    def test_nothing_yet(self, page_world: PageWorld) -> None:
        answer = page_world.client(Role.FINANCE_ADMIN).get("/fakturor/")
        assert "Inga fakturor än" in plain(answer.content)
        assert b"<table" not in answer.content

    def test_pages_are_walked_by_number(self, few: PageWorld, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(InvoiceList, "page_size", 1)
        client = few.client(Role.FINANCE_ADMIN)
        first = client.get("/fakturor/", {"manad": "2023-04"})
        assert b"2023-000002" in first.content
        (address,) = re.findall(r'href="([^"]*)">Nästa sida', first.content.decode())
        assert address == f"/fakturor/?manad=2023-04&amp;efter={Invoice.objects.get(number='2023-000002').pk}"
        second = client.get(address.replace("&amp;", "&"))
        assert b"/fakturor/2023-000001/" in second.content
        assert b"/fakturor/2023-000002/" not in second.content
        assert "Nästa sida" not in plain(second.content)
        assert sums(second.content) == sums(first.content), "the sums are of all pages"
        assert "Från början" in plain(second.content)
        beyond = client.get("/fakturor/", {"efter": str(Invoice.objects.get(number="2023-000001").pk)})
        assert "Här tar listan slut" in plain(beyond.content)


class TestPiecesByMonth:
    """The charts of cards and subscriptions have a table each, by the right to the invoices."""

    @pytest.fixture
    def two_months(self, page_world: PageWorld, facts: Facts, prices: None) -> PageWorld:
        with clock.moved_to(local(2023, 1, 1)):
            customer(REGION, name="Västra Götalandsregionen", organisation_number="2329990010")
            customer(MUNICIPALITY, name="Demo kommun", organisation_number="2129990012")
        for party, month, count in ((REGION, 2, 3), (REGION, 4, 2), (MUNICIPALITY, 4, 5)):
            facts.card(party, facts.office(f"{party} A", "Kontor A"), "589", local(2023, month, 12), n=count)
        facts.count("2023-02", REGION, "Partille kommun", 7)
        facts.count("2023-04", REGION, "Partille kommun", 9)
        for month in (Month(2023, 2), APRIL):
            run_month(month, actor_ref="user:test")
            issuing.issue(InvoiceRun.objects.get(period=month.first_day), actor_ref="user:test")
        return page_world

    @pytest.mark.parametrize(("role", "cards"), [(Role.FINANCE_ADMIN, 7), (Role.RESPONSIBLE_ISSUER, 2)])
    def test_a_month_without_an_invoice_is_nought(self, two_months: PageWorld, role: Role, cards: int) -> None:
        client = two_months.client(role)
        with CaptureQueriesContext(connection) as queries:
            text = plain(client.get("/fakturor/").content)
        assert len(queries) <= 15
        assert f"Kort och brev per månad Månad Kort och brev Februari 2023 3 Mars 2023 0 April 2023 {cards}" in text
        assert "Abonnemang per månad Månad Abonnemang Februari 2023 7 Mars 2023 0 April 2023 9" in text
        assert "per månad" not in plain(client.get("/fakturor/", {"manad": "2023-04"}).content)


class TestLine:
    def test_it_drills_down_to_orders_without_persons(self, pages: PageWorld) -> None:
        number = Invoice.objects.get(party_id=REGION).number
        answer = pages.client(Role.GLOBAL_READER).get(f"/fakturor/{number}/rad/4/")
        text = plain(answer.content)
        assert "689, Kontor B" in text
        entries = LedgerEntry.objects.filter(line_events__line__invoice__number=number, line_events__line__position=4)
        for entry in entries.order_by("id")[: LineEventList.page_size]:
            order_id = entry.source_key.removeprefix("card:")
            assert f"2023-04-20 09:00:00 Kort {order_id} Kontoret 689 1,00 50,00" in text
        assert entries.count() == 100
        assert text.count("2023-04-20 09:00:00") == LineEventList.page_size
        (address,) = re.findall(r'href="([^"]*)">Nästa sida', answer.content.decode())
        rest = plain(pages.client(Role.GLOBAL_READER).get(address).content)
        assert rest.count("2023-04-20 09:00:00") == 50

    def test_an_order_id_finds_its_lines(self, pages: PageWorld, facts: Facts) -> None:
        fact = next(card for card in facts.cards if card.party_id == MUNICIPALITY and card.article_code == "689")
        number = Invoice.objects.get(party_id=MUNICIPALITY).number
        for text in (str(fact.order_id), fact.order_id.hex, f" {fact.order_id} "):
            answer = pages.client(Role.FINANCE_ADMIN).get("/fakturor/", {"bestallning": text})
            assert sums(answer.content)[0] == "1"
            assert f"{number} , rad 2 689, Kontor A" in plain(answer.content)
            assert f'href="/fakturor/{number}/rad/2/"' in answer.content.decode()
        outside, unknown = (
            pages.client(Role.RESPONSIBLE_ISSUER).get("/fakturor/", {"bestallning": str(order)})
            for order in (fact.order_id, uuid4())
        )
        assert "Inga fakturor i urvalet" in plain(outside.content)
        assert plain(outside.content).replace(str(fact.order_id), "") == re.sub(r"[0-9a-f-]{36}", "", plain(unknown.content))
        wrong = pages.client(Role.FINANCE_ADMIN).get("/fakturor/", {"bestallning": "0195"})
        assert wrong.status_code == 422
        assert "Klistra in hela beställnings-id:t" in plain(wrong.content)

    @pytest.mark.parametrize(("role", "sees"), [(Role.RESPONSIBLE_ISSUER, True), (Role.FINANCE_ADMIN, False)])
    def test_who_sees_the_card_comes_to_it(
        self, page_world: PageWorld, facts: Facts, prices: None, role: Role, sees: bool
    ) -> None:
        world = page_world.world
        order = world.order()
        customer(REGION)
        facts.card(REGION, facts.office("a", "Kontor A"), "589", local(2023, 4, 12))
        facts.cards[0] = replace(facts.cards[0], order_id=order.id)
        run_month(APRIL, actor_ref="user:test")
        issuing.issue(InvoiceRun.objects.get(), actor_ref="user:test")
        Organisation.objects.filter(pk=world.region.pk).update(scope_path=page_world.region.scope_path + "under/")
        client = page_world.client(role)
        for address in ("/fakturor/2023-000001/rad/1/", f"/fakturor/?bestallning={order.id}"):
            found = f'href="/sok/person/{order.person_id}/?barare={order.carrier_id}"' in client.get(address).content.decode()
            assert found == sees, address

    def test_a_subscription_is_one_event(self, pages: PageWorld) -> None:
        number = Invoice.objects.get(party_id=REGION).number
        text = plain(pages.client(Role.GLOBAL_READER).get(f"/fakturor/{number}/rad/6/").content)
        assert "2023-05-01 00:00:00 Abonnemang – – ABO 480,00 95,00" in text

    def test_a_place_that_is_none_breaks_nothing(self, few: PageWorld) -> None:
        client = few.client(Role.GLOBAL_READER)
        for after in ("x", "-1", "99999999999999999999", "9223372036854775807", "1' --"):
            assert client.get("/fakturor/2023-000002/rad/1/", {"efter": after}).status_code == 200, after

    def test_csv(self, pages: PageWorld) -> None:
        number = Invoice.objects.get(party_id=REGION).number
        answer = pages.client(Role.GLOBAL_READER).get(f"/fakturor/{number}/rad/4/handelser.csv")
        assert answer["Content-Type"] == "text/csv; charset=utf-8"
        assert answer["Content-Disposition"] == f'attachment; filename="faktura-{number}-rad-4.csv"'
        header, *rows = csv.reader(io.StringIO(answer.content.decode("utf-8-sig")), delimiter=";")
        assert header[2:6] == ["Tidpunkt", "Slag", "Beställnings-id", "Kontor"]
        assert len(rows) == 100
        assert rows[0][:4] == [number, "4", "2023-04-20 09:00:00+02:00", "Kort"]
        assert rows[0][5:] == ["Kontoret", "689", "1,00", "50,0000"]

    def test_no_cell_runs(self, pages: PageWorld, facts: Facts) -> None:
        facts.names = dict.fromkeys(facts.comments, "=HYPERLINK(1)")
        number = Invoice.objects.get(party_id=REGION).number
        content = pages.client(Role.GLOBAL_READER).get(f"/fakturor/{number}/rad/4/handelser.csv").content.decode("utf-8-sig")
        assert "'=HYPERLINK(1)" in content
        assert '"=' not in content


class TestFiles:
    def test_the_stored_bytes_come_as_files(self, files: PageWorld) -> None:
        client = files.client(Role.RESPONSIBLE_ISSUER)
        for suffix, form, media_type in (("pdf", "pdf", "application/pdf"), ("xml", "peppol", "application/xml")):
            answer = client.get(f"/fakturor/2023-000002/faktura.{suffix}")
            stored = InvoiceFile.objects.get(invoice__number="2023-000002", file_format=form).document
            assert answer.content == bytes(stored.content)
            assert answer["Content-Type"] == media_type
            assert answer["Content-Disposition"] == f'attachment; filename="faktura-2023-000002.{suffix}"'
            assert answer["Cache-Control"] == "no-store"
            assert answer["X-Content-Type-Options"] == "nosniff"

    def test_every_download_is_an_event(self, files: PageWorld) -> None:
        before = Event.objects.count()
        client = files.client(Role.RESPONSIBLE_ISSUER)
        for path in ("faktura.pdf", "faktura.xml", "faktura.pdf", "rad/2/handelser.csv"):
            assert client.get(f"/fakturor/2023-000002/{path}").status_code == 200
        events = list(Event.objects.order_by("id")[before:])
        assert {(event.action, event.subject_type) for event in events} == {("invoice.downloaded", "invoice")}
        assert {event.actor_ref for event in events} == {f"user:{files.person(Role.RESPONSIBLE_ISSUER).pk}"}
        assert {event.subject_ref for event in events} == {str(Invoice.objects.get(number="2023-000002").pk)}
        assert [(event.facts["format"], event.facts.get("line")) for event in events] == [
            ("pdf", None), ("peppol", None), ("pdf", None), ("csv", 2),
        ]  # fmt: skip

    def test_looking_is_no_download_and_a_refusal_leaves_no_event(self, few: PageWorld) -> None:
        before = Event.objects.count()
        client = few.client(Role.RESPONSIBLE_ISSUER)
        for path in ("", "2023-000002/", "2023-000002/rad/1/", "lopande/", "2023-000001/faktura.pdf", "2029-000001/faktura.xml"):
            client.get(f"/fakturor/{path}")
        assert Event.objects.count() == before

    def test_a_file_that_is_not_made_says_so(self, few: PageWorld) -> None:
        client = few.client(Role.FINANCE_ADMIN)
        page = client.get("/fakturor/2023-000001/")
        assert plain(page.content).count("Filen är inte gjord än.") == 2
        assert b"faktura.pdf" not in page.content
        answer = client.get("/fakturor/2023-000001/faktura.pdf")
        assert answer.status_code == 409
        assert "försök igen om en stund" in plain(answer.content)


class TestRights:
    """VIEW_INVOICE (rules/issuance 1.2; ADR 0100), within the scope of the role that has it."""

    ADDRESSES = (
        "2023-000002/",
        "2023-000002/faktura.pdf",
        "2023-000002/faktura.xml",
        "2023-000002/rad/1/",
        "2023-000002/rad/1/handelser.csv",
    )

    @pytest.mark.parametrize("role", [Role.FINANCE_ADMIN, Role.GLOBAL_READER])
    def test_a_global_role_sees_every_invoice(self, files: PageWorld, role: Role) -> None:
        client = files.client(role)
        assert {client.get(f"/fakturor/{address}").status_code for address in self.ADDRESSES} == {200}
        assert client.get("/fakturor/2023-000001/").status_code == 200

    @pytest.mark.parametrize("role", [Role.RESPONSIBLE_ISSUER, Role.DEPUTY_ISSUER, Role.CUSTOMER_FINANCE])
    def test_a_role_of_a_party_sees_its_own(self, files: PageWorld, role: Role) -> None:
        client = files.client(role)
        assert {client.get(f"/fakturor/{address}").status_code for address in self.ADDRESSES} == {200}
        assert sums(client.get("/fakturor/").content)[0] == "1"
        assert b"Demo kommun" not in client.get("/fakturor/").content
        for address in self.ADDRESSES:
            hidden = client.get(f"/fakturor/{address}".replace("2023-000002", "2023-000001"))
            unknown = client.get(f"/fakturor/{address}".replace("2023-000002", "2029-000009"))
            assert (hidden.status_code, unknown.status_code) == (404, 404)

    def test_a_deputy_of_a_part_does_not_see_the_whole_regions_invoice(self, few: PageWorld) -> None:
        client = few.client(Role.DEPUTY_ISSUER, few.clinic)
        assert "Inga fakturor än" in plain(client.get("/fakturor/").content)
        assert client.get("/fakturor/2023-000002/").status_code == 404

    def test_other_roles_have_no_such_page(self, few: PageWorld) -> None:
        for role in set(Role) - INVOICE_READERS:
            client = few.client(role)
            for address in ("", "lopande/", *self.ADDRESSES, "2029-000009/"):
                assert client.get(f"/fakturor/{address}").status_code == 403, (role, address)
            assert b"/fakturor/" not in client.get("/hjalp/").content, "no tab leads there"

    def test_nobody_logs_in_first(self, few: PageWorld) -> None:
        for address in ("", "lopande/", *self.ADDRESSES):
            answer = Client().get(f"/fakturor/{address}")
            assert answer.status_code == 302
            assert answer["Location"].startswith("/logga-in/?next=")

    def test_nothing_is_sent_to_these_pages(self, files: PageWorld) -> None:
        client = files.client(Role.FINANCE_ADMIN)
        for address in ("", "lopande/", *self.ADDRESSES):
            assert client.post(f"/fakturor/{address}").status_code == 405, address
            assert client.head(f"/fakturor/{address}").status_code == 200, address

    def test_what_is_no_address_is_not_found(self, few: PageWorld) -> None:
        client = few.client(Role.FINANCE_ADMIN)
        lines = ("rad/0/", "rad/99/", "rad/-1/", "faktura.exe")
        for address in ("x/", "2023-1/", *(f"2023-000002/{line}" for line in lines)):
            assert client.get(f"/fakturor/{address}").status_code == 404, address


class TestRunningMonth:
    def test_it_shows_what_the_invoice_would_say_and_writes_nothing(
        self, page_world: PageWorld, facts: Facts, prices: None
    ) -> None:
        customer(REGION, name="Västra Götalandsregionen")
        facts.card(REGION, facts.office("a", "Kontor A"), "589", local(2023, 5, 1, 12), n=3)
        facts.count("now", REGION, "Partille kommun", 7)
        client = page_world.client(Role.RESPONSIBLE_ISSUER)
        assert "589, Kontor A" not in plain(client.get("/fakturor/lopande/").content), "not pulled yet"
        assert not LedgerEntry.objects.exists()
        ledger.collect()
        text = plain(client.get("/fakturor/lopande/").content)
        assert "Preliminär" in text
        assert "Kontoret 270,00 Kort 589 Artikel 589, Kontor A 3\u00a0st 90,00 25\u00a0% 270,00" in text
        assert "SITHS-abonnemang, Partille kommun Artikel ABO 7\u00a0st 95,00 25\u00a0% 665,00" in text
        assert "Att betala 1\u00a0168,75\u00a0kr" in text
        assert not Invoice.objects.exists()

    def test_the_customer_is_chosen_among_those_in_sight(self, page_world: PageWorld, facts: Facts, prices: None) -> None:
        customer(REGION)
        customer(MUNICIPALITY, name="Demo kommun", organisation_number="2129990012")
        admin = page_world.client(Role.FINANCE_ADMIN)
        choice = admin.get("/fakturor/lopande/")
        assert b"Demo kommun" in choice.content
        assert b"<table" not in choice.content
        chosen = plain(admin.get("/fakturor/lopande/", {"kund": str(MUNICIPALITY)}).content)
        assert "Inget att fakturera än Demo kommun har inga skickade kort och inga abonnemang i maj 2023." in chosen
        issuer = page_world.client(Role.RESPONSIBLE_ISSUER)
        assert b"Demo kommun" not in issuer.get("/fakturor/lopande/").content
        hidden, unknown = (issuer.get("/fakturor/lopande/", {"kund": str(kund)}) for kund in (MUNICIPALITY, uuid4()))
        assert hidden.status_code == unknown.status_code == 422
        assert plain(hidden.content) == plain(unknown.content)

    def test_the_only_customer_is_computed_once_also_when_it_is_chosen(
        self, page_world: PageWorld, facts: Facts, prices: None
    ) -> None:
        customer(REGION)
        facts.card(REGION, facts.office("a", "Kontor A"), "589", local(2023, 5, 1, 12), n=3)
        ledger.collect()
        client = page_world.client(Role.RESPONSIBLE_ISSUER)
        shown = []
        for query in ({}, {"kund": str(REGION)}):
            with CaptureQueriesContext(connection) as queries:
                answer = client.get("/fakturor/lopande/", query)
            assert "589, Kontor A" in plain(answer.content)
            shown.append(len(queries))
        assert shown[0] == shown[1]

    def test_what_stops_the_invoice_is_said(self, page_world: PageWorld, facts: Facts) -> None:
        customer(REGION)
        facts.count("now", REGION, "Partille kommun", 1)
        text = plain(page_world.client(Role.RESPONSIBLE_ISSUER).get("/fakturor/lopande/").content)
        assert "Pris saknas för artikel ABO" in text

    def test_nobody_to_invoice(self, page_world: PageWorld) -> None:
        assert "Inga kunder" in plain(page_world.client(Role.FINANCE_ADMIN).get("/fakturor/lopande/").content)


class TestQueries:
    """As many queries for five hundred lines as for one, log-in and look-up of the actor included."""

    def invoices_of(self, facts: Facts, offices: int) -> None:
        customer(REGION)
        for number in range(offices):
            facts.card(REGION, facts.office(f"o{number}", f"Kontor {number:03}"), "589", local(2023, 4, 12), n=2)
        run_month(APRIL, actor_ref="user:test")
        issuing.issue(InvoiceRun.objects.get(), actor_ref="user:test")

    @pytest.mark.parametrize("offices", [1, 500])
    def test_the_number_does_not_grow(self, page_world: PageWorld, facts: Facts, prices: None, offices: int) -> None:
        self.invoices_of(facts, offices)
        assert InvoiceLine.objects.count() == offices
        client = page_world.client(Role.RESPONSIBLE_ISSUER)
        for address, most in (("", 10), ("2023-000001/", 10), ("2023-000001/rad/1/", 9), ("lopande/", 14)):
            with CaptureQueriesContext(connection) as counted:
                assert client.get(f"/fakturor/{address}").status_code == 200
            assert len(counted) <= most, [query["sql"][:150] for query in counted.captured_queries]
            page_world.counts.setdefault(address, set()).add(len(counted))
        assert all(len(seen) == 1 for seen in page_world.counts.values()), page_world.counts
