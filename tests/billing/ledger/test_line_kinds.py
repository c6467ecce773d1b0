"""Line kinds are data: a further one needs no other code. Document types are kept apart by the database."""

from dataclasses import replace
from decimal import Decimal
from importlib import import_module

import pytest
from django.db import IntegrityError, connection
from lxml import etree

from billing.documents import sie
from billing.documents.domain.invoices import DocumentType, PrecedingInvoice
from billing.invoices.models import FileFormat, Invoice
from billing.invoices.queries import invoices
from billing.invoices.services import drafts, exporting, frozen, rendering
from billing.ledger.domain import line_kinds
from billing.ledger.domain.grouping import Place
from billing.ledger.domain.line_kinds import DrillDown, LineKind, Reconciliation
from billing.ledger.models import LedgerEntry
from billing.reconciliation.services.reconcile import reconcile
from billing.runs.services.preview import preview
from billing.service import run_month
from issuance.authz import Role
from siths_portal.lib import clock
from tests.billing.documents.samples import SELLER, invoice
from tests.billing.facts import Facts, local
from tests.billing.page_world import PageWorld
from tests.billing.world import APRIL, REGION, customer, price

pytestmark = pytest.mark.django_db(transaction=True)

COURIER = LineKind(
    code="courier",
    name="Bud",
    source="courier",
    unit_code=line_kinds.PIECE,
    group_by=(Place.OFFICE,),
    rank=18,
    text=lambda group, labels: f"Bud, {labels.office(group)}",
    order=line_kinds.office_order,
    drill_down=DrillDown.ORDERS,
    reconciliation=Reconciliation.LEDGER_ONLY,
    sales_account=line_kinds.Account("3044", "Försäljning av bud"),
)


@pytest.fixture
def couriers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Registers a further kind for one test."""
    monkeypatch.setattr(line_kinds, "_KINDS", dict(line_kinds._KINDS))
    line_kinds.register(COURIER)
    price("PUK", "45")


def test_a_further_kind_goes_from_the_ledger_to_an_invoice_line(
    page_world: PageWorld, facts: Facts, prices: None, couriers: None
) -> None:
    party, office = page_world.region.pk, facts.office("a", "Kontor A")
    with clock.moved_to(local(2023, 4, 1)):
        customer(party)
    facts.card(party, office, "589", local(2023, 4, 12), n=3)
    facts.card(party, office, "PUK", local(2023, 4, 13), n=2, kind="courier")
    facts.card(party, facts.office("b", "Kontor B"), "PUK", local(2023, 4, 14), kind="courier")
    facts.count("now", party, "Partille kommun", 1)
    facts.count("2023-04", party, "Partille kommun", 1)
    expected = ["589, Kontor A", "Bud, Kontor A", "Bud, Kontor B", "SITHS-abonnemang, Partille kommun"]

    with clock.moved_to(local(2023, 4, 30, 12)):
        (shown,) = preview(party)
    assert [line.text for line in shown.content.lines] == expected

    run_month(APRIL, actor_ref="user:test", issue=True)
    issued = Invoice.objects.get()
    lines = list(issued.lines.order_by("position"))
    assert [line.text for line in lines] == expected
    assert [line.quantity for line in lines] == [3, 2, 1, 1]
    assert [line.events.count() for line in lines] == [3, 2, 1, 1]
    assert [difference for difference in reconcile(APRIL) if not difference.ok] == []

    head, rows = invoices.line_events(page_world.world.officer(page_world.region, Role.FINANCE_ADMIN), issued.number, 2)
    assert head.text == "Bud, Kontor A"
    assert [(row.kind, row.order_id) for row in rows] == [("Bud", str(fact.order_id)) for fact in facts.cards[3:5]]

    voucher = sie.voucher(frozen.numbered(issued))
    assert dict(voucher.amounts)["3044"] == Decimal(-135)
    assert sum(amount for _, amount in voucher.amounts) == 0
    xml = etree.fromstring(rendering.stored(issued, FileFormat.PEPPOL))
    assert xml.xpath("//*[local-name()='InvoicedQuantity']/@unitCode") == ["EA"] * 4
    assert exporting._csv([issued]).decode("utf-8-sig").count('"st"') == 4


def test_a_kind_is_registered_once(couriers: None) -> None:
    with pytest.raises(ValueError, match="courier is registered"):
        line_kinds.register(COURIER)
    with pytest.raises(ValueError, match="has no name"):
        line_kinds.register(replace(COURIER, code="x", source="x", unit_code="KGM"))
    with pytest.raises(ValueError, match="'unknown'"):
        line_kinds.of("unknown")


def test_the_migration_gives_existing_rows_the_keys_of_the_declarations(small_sketches: Facts) -> None:
    run_month(APRIL, actor_ref="user:test")
    sql = import_module("billing.migrations.0008_line_kinds").KEY
    expression = sql[sql.index("(") : sql.index("STORED")].replace("(200) NOT NULL GENERATED ALWAYS AS", "", 1)
    for table in ("billing_ledgerentry", "billing_invoiceline"):
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT count(*), count(*) FILTER (WHERE grouping_key = {expression}) FROM {table}")
            rows, same = cursor.fetchone()
        assert rows == same > 0
    assert all(entry.grouping_key == line_kinds.of(entry.kind).grouping_key(entry) for entry in LedgerEntry.objects.all()[:5])


@pytest.mark.parametrize(
    "change",
    [
        "document_type = '381'",
        "document_type = '390'",
        "corrects_id = (SELECT id FROM billing_invoice WHERE id <> i.id)",
        "document_type = '381', corrects_id = id",
    ],
)
def test_only_a_credit_note_corrects_another_invoice(facts: Facts, prices: None, change: str) -> None:
    for number, party in enumerate((REGION, facts.office("another party", ""))):
        customer(party, organisation_number=("2329990002", "2129990012")[number])
        facts.card(party, facts.office("a", "Kontor A"), "589", local(2023, 4, 12))
    run_month(APRIL, actor_ref="user:test")
    assert set(Invoice.objects.values_list("document_type", "corrects")) == {("380", None)}
    with pytest.raises(IntegrityError, match="billing_invoice_document_type"), connection.cursor() as cursor:
        cursor.execute(f"UPDATE billing_invoice i SET {change}")


def test_the_content_hash_of_a_credit_note_names_its_type_and_what_it_corrects() -> None:
    content = invoice().content
    preceding = PrecedingInvoice("2023-000001", invoice().issue_date)
    credit = replace(content, document_type=DocumentType.CREDIT_NOTE, preceding=preceding).as_json()
    assert credit.keys() - content.as_json().keys() == {"document_type", "preceding"}
    assert "grouping_key" not in content.as_json()["lines"][0]


def test_hashes_from_before_descriptions_and_the_iban_hold() -> None:
    content = invoice(seller=replace(SELLER, iban="", bic="", contact="")).content
    assert drafts.content_hash(content) == "88b61494537f0d9a5bf380a1405f0e35bd4e6b84883ef644c11152cac92123b7"
    described = replace(content, lines=(replace(content.lines[0], description="Kort 589"), *content.lines[1:]))
    assert described.as_json()["lines"][0]["description"] == "Kort 589"
    assert "description" not in described.as_json()["lines"][1]
