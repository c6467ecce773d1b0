"""A wrong price in the ledger is reversed and adjusted before issue: the wrong line disappears, and nothing is billed twice."""

import datetime as dt
from decimal import Decimal

import pytest
from django.db import DatabaseError, transaction

from billing.invoices.models import Invoice, InvoiceLine
from billing.ledger.models import LedgerEntry, billable
from billing.ledger.services import corrections, ledger
from billing.prices.services.prices import PriceBook
from billing.reconciliation.services import reconcile
from billing.records.models import Event
from billing.runs.services import months
from billing.runs.services.withdrawing import draft_again, holding_runs, withdraw_drafts
from siths_portal.lib.errors import Conflict, Invalid
from tests.billing.facts import local
from tests.billing.world import APRIL, REGION, customer

pytestmark = pytest.mark.django_db(transaction=True)
FROM = dt.date(2023, 4, 1)


class Book(PriceBook):
    """A price list in which everything costs `amount`, as the item of an article that is not used."""

    def __init__(self, amount):
        super().__init__(["689"])
        self.amount = Decimal(amount)

    def price(self, article_code, party_id, day):
        item = super().price("689", party_id, day)
        assert item is not None
        item.unit_price = self.amount
        return item


def correct(amount, reason="Fel pris i avtalet."):
    with transaction.atomic(durable=True), holding_runs():
        due = corrections.due(corrections.of_article("589", party_id=REGION, from_day=FROM, until=None), Book(amount))
        items = withdraw_drafts({REGION})
        number = corrections.carry_out(due, actor_ref="user:test", reason=reason)
        draft_again(items)
    return number


@pytest.fixture
def drafted(facts, prices):
    """Three cards at 90 and one at 50, in a draft."""
    customer(REGION)
    office = facts.office("a", "Kontor A")
    facts.card(REGION, office, "589", local(2023, 4, 12), n=3)
    facts.card(REGION, office, "689", local(2023, 4, 12))
    months.run_month(APRIL, actor_ref="user:test")
    return facts


def lines():
    return [
        f"{line.article_code} {line.quantity:.0f} x {line.unit_price:.2f}" for line in InvoiceLine.objects.order_by("position")
    ]


def differences():
    return [check.number for check in reconcile.reconcile(APRIL) if not check.ok]


def test_a_card_that_was_made_again_stays_free(drafted):
    drafted.card(REGION, drafted.office("a", "Kontor A"), "589", local(2023, 4, 13), kind="reproduction")
    ledger.collect()
    assert correct("80") == 3
    again = LedgerEntry.objects.get(kind="reproduction")
    assert (again.unit_price, again.reversals.count()) == (0, 0)


def test_the_wrong_line_disappears_and_the_invoice_has_the_right_price(drafted):
    assert lines() == ["589 3 x 90.00", "689 1 x 50.00"]
    assert correct("80") == 3
    months.run_month(APRIL, actor_ref="user:test")
    assert lines() == ["589 3 x 80.00", "689 1 x 50.00"]
    assert differences() == []
    months.run_month(APRIL, actor_ref="user:test", issue=True)
    assert Invoice.objects.get().net == Decimal("290.00")
    assert differences() == []
    facts = Event.objects.get(action="ledger.corrected").facts
    assert (facts["entries"], facts["before"], facts["after"]) == (3, "270.00", "240.00")


def test_a_second_correction_corrects_the_first(drafted):
    correct("80")
    assert correct("80") == 0
    assert correct("70") == 3
    months.run_month(APRIL, actor_ref="user:test")
    assert lines() == ["589 3 x 70.00", "689 1 x 50.00"]
    keys = [entry.source_key for entry in billable().filter(article_code="589")]
    assert {key.rpartition(":")[2] for key in keys} == {str(card.order_id) for card in drafted.cards[:3]}
    assert LedgerEntry.objects.filter(article_code="589").count() == 15


def test_what_is_issued_stays(drafted):
    months.run_month(APRIL, actor_ref="user:test", issue=True)
    assert corrections.issued(corrections.of_article("589", party_id=None, from_day=FROM, until=None)).count() == 3
    assert correct("80") == 0
    entry = LedgerEntry.objects.filter(article_code="589").first()
    with pytest.raises(Conflict), transaction.atomic(), ledger.writing():
        corrections.carry_out([corrections.Correction(entry, entry.price_item)], actor_ref="user:test", reason="x")


def test_the_database_refuses_another_quantity_a_second_reversal_and_a_reversed_entry_on_a_line(drafted):
    with pytest.raises(Invalid):
        correct("80", reason=" ")
    correct("80")
    reversal = LedgerEntry.objects.filter(reverses__isnull=False).first()
    for quantity, reversed_entry in ((-2, reversal.reverses_id), (-1, reversal.reverses_id), (1, reversal.pk)):
        reversal.pk, reversal.source_key = None, f"reversal:{quantity}:{reversed_entry}"
        reversal.quantity, reversal.reverses_id = quantity, reversed_entry
        with pytest.raises(DatabaseError), transaction.atomic():
            reversal.save(force_insert=True)
    months.run_month(APRIL, actor_ref="user:test")
    line = InvoiceLine.objects.first()
    with pytest.raises(DatabaseError), transaction.atomic():
        line.events.create(entry=LedgerEntry.objects.filter(reversals__isnull=False).first())
