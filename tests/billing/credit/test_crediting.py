"""Crediting: two people, release and write-off, never more than a line's quantity; the thirteen differences stay 0."""

import csv
import datetime as dt
from decimal import Decimal
from itertools import pairwise

import pytest
from django.db import DatabaseError, connection, transaction

from billing.credit.models import CreditRequest, CreditRequestLine, Treatment
from billing.credit.services import crediting, files
from billing.credit.services.crediting import Choice
from billing.documents import sie, ubl
from billing.documents.domain.invoices import DocumentType
from billing.invoices.models import Counter, EntryRelease, FileFormat, Invoice, InvoiceLine, LineEvent
from billing.invoices.services import exporting, frozen, rendering
from billing.ledger.models import LedgerEntry
from billing.ledger.services import corrections, ledger
from billing.prices.services.prices import PriceBook
from billing.reconciliation.services.reconcile import reconcile
from billing.records.domain.periods import Month
from billing.records.models import Event
from billing.runs.services.preview import preview
from billing.service import run_month, verify_issued
from issuance.authz import Role
from siths_portal.lib import clock
from siths_portal.lib.errors import Conflict, Forbidden, Invalid, NotFound
from tests.billing.documents import official
from tests.billing.facts import local, uid
from tests.billing.invoices.test_issuing import answer, start
from tests.billing.world import APRIL, REGION, price

pytestmark = pytest.mark.django_db(transaction=True)
MAY = Month(2023, 5)
MINUTE = dt.timedelta(minutes=1)
RELEASE, WRITE_OFF = Treatment.RELEASE, Treatment.WRITE_OFF
NUMBER = "2023-000001"


def pair(world):
    """Two persons with the right, which both have before any request."""
    return (world.world.officer(place, Role.FINANCE_ADMIN) for place in (world.region, world.municipality))


def request(world, number=NUMBER, **lines):
    one, two = pair(world)
    choices = {int(position[1:]): Choice(Decimal(quantity), treatment) for position, (quantity, treatment) in lines.items()}
    with clock.moved_to(clock.now() + MINUTE):
        return crediting.request_credit(actor=one, number=number, choices=choices, reason="Fel referens."), two


def credit(world, **lines):
    asked, two = request(world, **lines)
    note = crediting.approve_credit(actor=two, request_id=asked.pk)
    files.render_credit_notes()
    return Invoice.objects.get(pk=note.pk)


EVERYTHING = {"l1": ("3", RELEASE), "l2": ("2", RELEASE), "l3": ("7", RELEASE)}


def differences(*months):
    return {(month.code(), check.number): check.named for month in months for check in reconcile(month) if not check.ok}


def test_a_whole_invoice_is_credited_and_billed_again_next_month(issued):
    note = credit(issued, **EVERYTHING)
    invoice = Invoice.objects.get(number=NUMBER)
    assert (note.number, note.document_type, note.corrects, note.run) == ("2023-000002", "381", invoice, None)
    assert (note.payable, note.net, note.previous_hash) == (invoice.payable, invoice.net, invoice.chain_hash)
    assert differences(APRIL) == {}
    xml = rendering.stored(note, FileFormat.PEPPOL)
    assert official.xsd_errors(xml) == official.cen_errors(xml) == []
    assert ubl.read(xml)["preceding_number"] == NUMBER
    # Everything is billable again: in the preview of the running month, and on the next invoice with its own month.
    (running,) = preview(REGION)
    assert running.content.totals.payable == invoice.payable
    assert running.content.lines[0].text == "589, Kontor A, avser april 2023"
    with clock.moved_to(local(2023, 6, 2, 6)):
        run_month(MAY, actor_ref="user:test", issue=True)
        assert differences(APRIL, MAY) == {}
    again = Invoice.objects.get(number="2023-000003")
    assert (again.payable, again.period) == (invoice.payable, MAY.first_day)
    assert set(LineEvent.objects.values_list("generation", "line__invoice__number")) == {(1, NUMBER), (2, "2023-000003")}
    assert verify_issued().wrong == ()
    # And it can be credited and billed a third time.
    with clock.moved_to(local(2023, 6, 3, 6)):
        asked, two = request(issued, "2023-000003", l1=("3", RELEASE))
        crediting.approve_credit(actor=two, request_id=asked.pk)
        files.render_credit_notes()
        assert differences(APRIL, MAY) == {}
    assert LedgerEntry.objects.filter(releases__generation=2).count() == 3


def test_parts_are_released_or_written_off_up_to_the_quantity(issued):
    first = credit(issued, l1=("1", RELEASE), l3=("2", WRITE_OFF))
    assert [(line.position, line.credits.position, str(line.quantity), str(line.net)) for line in first.lines.order_by("id")] == [
        (1, 1, "1.00", "90.00"),
        (2, 3, "2.00", "190.00"),
    ]
    assert EntryRelease.objects.count() == 1
    assert differences(APRIL) == {}
    assert [str(line.quantity) for line in preview(REGION)[0].content.lines] == ["1.00"]
    with pytest.raises(Invalid) as refusal:
        request(issued, l1=("3", WRITE_OFF), l2=("0", RELEASE), l3=("5", RELEASE), l9=("1", RELEASE))
    assert refusal.value.fields == {
        "1": ["Skriv ett antal från 1 till 2."],
        "2": ["Skriv ett antal från 1 till 2."],
        "3": ["Raden kan bara faktureras igen i sin helhet. Kreditera hela antalet, eller skriv av en del."],
        "9": ["Raden finns inte på fakturan. Ladda om sidan."],
    }
    credit(issued, l1=("2", WRITE_OFF), l3=("5", WRITE_OFF))
    with pytest.raises(Invalid) as refusal:
        request(issued, l1=("1", WRITE_OFF))
    assert refusal.value.fields == {"1": ["Raden är redan helt krediterad."]}
    assert differences(APRIL) == {}
    assert verify_issued().wrong == ()
    with clock.moved_to(local(2023, 6, 2, 6)):
        run_month(MAY, actor_ref="user:test", issue=True)
        assert differences(APRIL, MAY) == {}
    assert str(Invoice.objects.get(period=MAY.first_day).net) == "90.00"


def test_a_wrong_price_is_corrected_between_credit_and_new_invoice(issued):
    credit(issued, **EVERYTHING)
    price("589", "80", valid_from=dt.date(2020, 1, 1), party_id=REGION)
    price("ABO", "70", valid_from=dt.date(2020, 1, 1), party_id=REGION)
    entries = LedgerEntry.objects.filter(article_code__in=["589", "ABO"])
    with transaction.atomic(), ledger.writing():
        wrong = corrections.due(entries, PriceBook(["589", "ABO"]))
        assert corrections.carry_out(wrong, actor_ref="user:test", reason="Fel pris.") == 4
    assert differences(APRIL) == {}
    with clock.moved_to(local(2023, 6, 2, 6)):
        run_month(MAY, actor_ref="user:test", issue=True)
        assert differences(APRIL, MAY) == {}
    again = Invoice.objects.get(period=MAY.first_day)
    assert [str(line.unit_price) for line in again.lines.order_by("position")] == ["80.0000", "50.0000", "70.0000"]


def test_books_and_files_have_the_opposite_sign(issued, tmp_path):
    note = credit(issued, l2=("2", WRITE_OFF))
    voucher = sie.voucher(frozen.numbered(note))
    assert voucher.amounts == (("1510", Decimal("-125.00")), ("3041", Decimal("100.00")), ("2611", Decimal("25.00")))
    assert voucher.text.startswith("Kreditfaktura 2023-000002 avser faktura 2023-000001")
    (path,) = exporting.export(APRIL, "csv", tmp_path)
    *_, last = csv.reader(path.read_text(encoding="utf-8-sig").splitlines(), delimiter=";")
    assert (last[0], last[8], last[12:]) == ("2023-000002", "-2,00", ["-100,00", "381", "2023-000001"])
    assert len(exporting.export(APRIL, "peppol", tmp_path)) == len(exporting.export(APRIL, "pdf", tmp_path)) == 2


def test_a_credit_note_is_not_credited(issued):
    credit(issued, l2=("1", WRITE_OFF))
    with pytest.raises(Conflict) as refusal:
        request(issued, "2023-000002", l1=("1", WRITE_OFF))
    assert refusal.value.code == "credit-of-credit"
    with pytest.raises(NotFound):
        request(issued, "2023-000009", l1=("1", WRITE_OFF))


def test_two_people_make_a_credit_note_or_nobody(issued):
    one, two = pair(issued)
    with clock.moved_to(clock.now() + MINUTE):
        asked = crediting.request_credit(actor=one, number=NUMBER, choices={1: Choice(Decimal(1), RELEASE)}, reason="Fel antal.")
        with pytest.raises(Conflict):
            crediting.request_credit(actor=two, number=NUMBER, choices={1: Choice(Decimal(1), RELEASE)}, reason="Igen.")
    for actor in (one, issued.world.officer(issued.region, Role.GLOBAL_READER)):
        with pytest.raises(Forbidden):
            crediting.approve_credit(actor=actor, request_id=asked.pk)
    assert Invoice.objects.count() == 1
    crediting.withdraw_credit(actor=one, request_id=asked.pk)
    with pytest.raises(Conflict):
        crediting.approve_credit(actor=two, request_id=asked.pk)
    asked, two = request(issued, l1=("1", RELEASE))
    note = crediting.approve_credit(actor=two, request_id=asked.pk)
    assert list(Event.objects.filter(subject_type="credit_request", subject_ref=asked.pk).values_list("action", flat=True)) == [
        "credit.requested", "credit.approved",
    ]  # fmt: skip
    credited = Event.objects.get(action="invoice.credited")
    assert (credited.actor_ref, credited.facts["credit_note"], credited.facts["released"]) == (two.ref, note.number, 1)
    with pytest.raises(Conflict):
        crediting.approve_credit(actor=two, request_id=asked.pk)
    with pytest.raises(Invalid):
        crediting.request_credit(actor=one, number=NUMBER, choices={1: Choice(Decimal(1), RELEASE)}, reason=" ")
    with pytest.raises(Invalid):
        crediting.request_credit(actor=one, number=NUMBER, choices={}, reason="x")


LINE = "(SELECT id FROM billing_invoiceline l WHERE position = 1 AND credits_id IS NULL)"
NOTE = "(SELECT id FROM billing_invoice WHERE document_type = '381' AND number IS NULL)"
COPY = (
    "INSERT INTO billing_invoiceline (invoice_id, position, kind, grouping_key, office_id, organisation_id, article_code, text,"
    " quantity, unit_price, vat_rate, net, period, credits_id) SELECT {note}, 7, kind, grouping_key, office_id, organisation_id,"
    " article_code, text, {quantity}, {price}, vat_rate, net, period, {credits} FROM billing_invoiceline WHERE id = " + LINE
)
REFUSED = {
    "more than the line": COPY.format(note=NOTE, quantity="2.01", price="unit_price", credits=LINE),
    "another price": COPY.format(note=NOTE, quantity="1", price="91", credits=LINE),
    "no line": COPY.format(note=NOTE, quantity="1", price="unit_price", credits="NULL"),
    "below zero": COPY.format(note=NOTE, quantity="-1", price="unit_price", credits=LINE),
    "an entry on a second live line": "INSERT INTO billing_lineevent (entry_id, generation, line_id)"
    " SELECT entry_id, 2, line_id FROM billing_lineevent WHERE entry_id = (SELECT max(entry_id) FROM billing_lineevent)",
    "an entry twice on a line": "INSERT INTO billing_lineevent (entry_id, line_id) SELECT entry_id, line_id"
    " FROM billing_lineevent",
    "a release of another line": "INSERT INTO billing_entryrelease SELECT entry_id, 1, id FROM billing_lineevent,"
    " billing_invoiceline c WHERE c.credits_id IS NOT NULL",
    "a credit of a credit": f"UPDATE billing_invoice SET corrects_id = (SELECT id FROM billing_invoice WHERE number ="
    f" '2023-000002') WHERE id = {NOTE}",
    "another customer": f"UPDATE billing_invoice SET party_id = gen_random_uuid() WHERE id = {NOTE}",
    "one person": "UPDATE billing_creditrequest SET approved_by = requested_by, approved_at = now(), credit_note_id = " + NOTE
    + " WHERE approved_at IS NULL",
    "another reason": "UPDATE billing_creditrequest SET reason = 'x'",
    "another quantity": "UPDATE billing_creditrequestline SET quantity = 1",
    "no trace": "DELETE FROM billing_creditrequest",
    "no release": "DELETE FROM billing_entryrelease",
    "no request": f"UPDATE billing_invoice SET number = '2023-000003', state = 'issued', series = '2023', sequence = 3,"
    f" issue_date = now(), due_date = now(), payment_reference = '1', issued_at = now(), previous_hash = '', chain_hash = ''"
    f" WHERE id = {NOTE}",
}  # fmt: skip


def test_the_database_keeps_the_rules_of_credit(issued, subtests):
    first = credit(issued, l1=("1", RELEASE))
    request(issued, l1=("1", RELEASE))
    draft = Invoice.objects.get(pk=first.pk)
    draft.pk = uid("draft")
    for name in ("number", "series", "sequence", "issue_date", "due_date", "payment_reference", "issued_at"):
        setattr(draft, name, None)
    draft.previous_hash, draft.chain_hash, draft.state = None, None, "draft"
    draft.save(force_insert=True)
    for name, statement in REFUSED.items():
        with subtests.test(name=name), pytest.raises(DatabaseError), connection.cursor() as cursor:
            cursor.execute(statement)
    with connection.cursor() as cursor:
        cursor.execute(COPY.format(note=NOTE, quantity="2", price="unit_price", credits=LINE))
    assert InvoiceLine.objects.filter(credits__position=1).count() == 2
    assert CreditRequestLine.objects.count() == CreditRequest.objects.count() == 2


def test_an_approval_that_was_killed_gives_no_number_and_is_repeated(issued, facts, tmp_path, tally):
    asked, two = request(issued, **EVERYTHING)
    (tmp_path / "billing.credit").touch()
    assert answer(start("credit", facts.save(tmp_path / "facts"), faults=tmp_path))[0] == -9
    assert (Invoice.objects.count(), EntryRelease.objects.count(), Counter.objects.get().last) == (1, 0, 1)
    assert crediting.approve_credit(actor=two, request_id=asked.pk).number == "2023-000002"
    files.render_credit_notes()
    assert differences(APRIL) == {}
    tally.run([NUMBER, "2023-000002"], Invoice.objects.values_list("number", flat=True), "invoice numbers")


def test_dates_and_numbers_are_of_one_series(issued):
    notes = [credit(issued, **{f"l{line}": ("1", WRITE_OFF)}) for line in (1, 2)]
    rows = list(Invoice.objects.order_by("sequence"))
    assert [row.number for row in rows] == [NUMBER, *(note.number for note in notes)]
    assert all(later.previous_hash == earlier.chain_hash for earlier, later in pairwise(rows))
    assert [DocumentType(row.document_type).sign for row in rows] == [1, -1, -1]
