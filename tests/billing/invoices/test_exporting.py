"""Exports: whole files, named by number, safe for spreadsheets and bookkeeping."""

import csv
import io
import re
from collections import defaultdict
from dataclasses import replace
from decimal import Decimal

import pytest

from billing.customers.services.customers import CustomerTerms, put_customer
from billing.documents import sie
from billing.invoices.models import Invoice
from billing.invoices.services.exporting import export
from billing.service import run_month
from siths_portal.lib.errors import Conflict, NotFound
from tests.billing.documents.samples import invoice, line
from tests.billing.facts import local
from tests.billing.world import APRIL, REGION, customer, made_once, slide_prices, tamper

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def issued(facts):
    def make():
        slide_prices()
        customer(REGION, name="=Region", round_to_krona=True)
        facts.card(REGION, facts.office("a", '+Kontor "A"; ä'), "589", local(2023, 4, 12), n=3)
        facts.count("2023-04", REGION, "Partille kommun", 7)
        run_month(APRIL, actor_ref="user:test", issue=True)

    made_once("one issued with names for spreadsheets", facts, make)
    return Invoice.objects.get()


def test_files_are_the_stored_bytes_under_the_number(issued, tmp_path):
    for file_format, suffix in (("peppol", "xml"), ("pdf", "pdf")):
        (path,) = export(APRIL, file_format, tmp_path / "new" / "folder")
        assert path.name == f"2023-000001.{suffix}"
        assert path.read_bytes() == bytes(issued.files.get(file_format=file_format).document.content)


def test_csv_lists_each_line_and_calculates_nothing(issued, tmp_path):
    (path,) = export(APRIL, "csv", tmp_path)
    assert path.name == "fakturor-2023-04.csv"
    rows = list(csv.DictReader(io.StringIO(path.read_bytes().decode("utf-8-sig"), newline=""), delimiter=";"))
    assert [(row["Kund"], row["Beskrivning"], row["Antal"], row["Belopp exkl. moms"]) for row in rows] == [
        ("'=Region", '589, +Kontor "A"; ä', "3,00", "270,00"),
        ("'=Region", "SITHS-abonnemang, Partille kommun", "7,00", "665,00"),
    ]


def test_sie_is_a_4i_file_whose_vouchers_balance(issued, tmp_path):
    (path,) = export(APRIL, "sie", tmp_path)
    text = path.read_bytes().decode("cp437")
    assert path.name == "fakturor-2023-04.si"
    assert text.startswith("#FLAGGA 0\r\n#PROGRAM ")
    for wanted in ("#FORMAT PC8", "#SIETYP 4", "#GEN 20230502", "#ORGNR 559999-0008", '#FNAMN "Demo e-legitimationer AB"'):
        assert f"{wanted}\r\n" in text
    assert '#VER "F2023" 1 20230502 "Faktura 2023-000001 =Region"\r\n' in text
    sums = defaultdict(Decimal)
    for account, amount in re.findall(r"#TRANS (\d+) \{\} (-?[\d.]+)", text):
        sums[account] += Decimal(amount)
    # 270 + 665 = 935, VAT 233.75, together 1168.75, paid as 1169.
    assert dict(sums) == {
        "1510": Decimal("1169.00"),
        "3041": Decimal("-270.00"),
        "3042": Decimal("-665.00"),
        "2611": Decimal("-233.75"),
        "3740": Decimal("-0.25"),
    }
    assert sum(sums.values()) == 0


def test_sie_has_the_cost_centre_of_the_customers_version(issued, tmp_path):
    """On income accounts only, and of the version that was invoiced, not of a later one."""
    plain = export(APRIL, "sie", tmp_path)[0].read_bytes().decode("cp437")
    assert "#DIM" not in plain
    assert "#TRANS 3041 {} " in plain
    row = Invoice.objects.get(number="2023-000001")
    tamper(f"UPDATE billing_billingcustomer SET cost_centre = '40\"10' WHERE id = '{row.customer_id}'")
    party = row.party_id
    put_customer(actor_ref="user:test", party_id=party, terms=replace(CustomerTerms.of(row.customer), cost_centre="later"))
    text = export(APRIL, "sie", tmp_path)[0].read_bytes().decode("cp437")
    assert '#DIM 1 "Kostnadsställe"\r\n#OBJEKT 1 "40\\"10" "40\\"10"\r\n' in text
    assert "later" not in text
    vouchers = text.split("#VER")[1:]
    with_centre = [voucher for voucher in vouchers if "{1 " in voucher]
    assert len(with_centre) == 1
    assert '#TRANS 3041 {1 "40\\"10"} ' in with_centre[0]
    assert "#TRANS 1510 {} " in with_centre[0]
    assert "#TRANS 2611 {} " in with_centre[0]


def test_sie_maps_what_code_page_437_lacks_and_quotes():
    odd = sie.voucher(invoice(line(1, "589", "1", "90"), name='Å§ – ”x" \\ €'))
    content = sie.build([odd], company="Å", organisation_number="5599990008", version="1", made_on=odd.day)
    assert 'Å\\"' not in content.decode("cp437")
    assert '"Faktura 2023-000001 Åpar. - \\"x\\" / EUR"' in content.decode("cp437")


def test_an_unbalanced_voucher_is_never_written():
    crooked = sie.Voucher("2023-000001", invoice().issue_date, "x", (("1510", Decimal(1)),))
    with pytest.raises(ValueError, match="does not sum to 0"):
        sie.build([crooked], company="x", organisation_number="5599990008", version="1", made_on=crooked.day)


def test_nothing_issued(facts, tmp_path):
    with pytest.raises(NotFound):
        export(APRIL, "csv", tmp_path)
    assert not list(tmp_path.iterdir())


def test_an_invoice_without_its_file_is_not_passed_over(issued, tmp_path):
    tamper("DELETE FROM billing_invoicefile WHERE file_format = 'pdf'")
    with pytest.raises(Conflict) as refusal:
        export(APRIL, "pdf", tmp_path)
    assert "billing_run --month 2023-04 --issue" in refusal.value.message
    assert not list(tmp_path.iterdir())
