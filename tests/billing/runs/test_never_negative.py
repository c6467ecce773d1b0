"""No draft is ever negative, so nothing needs to be carried over to the next month.

A wrong price gives a reversal and an adjustment, and the wrong entry leaves its line together with its reversal. What was issued
wrong becomes a credit note, which is a document of its own and no line of a later invoice.
"""

import datetime as dt
import random
from decimal import Decimal

import pytest
from django.db import IntegrityError, transaction
from django.db.models import Q

from billing.credit.models import Treatment
from billing.credit.services import crediting
from billing.credit.services.crediting import Choice
from billing.invoices.models import Invoice, InvoiceLine
from billing.ledger.models import LedgerEntry
from billing.price_changes.services import changes
from billing.prices.services.replacing import NewPrice
from billing.reconciliation.services.reconcile import reconcile
from billing.records.domain.periods import Month
from billing.runs.models import InvoiceRun
from billing.runs.services import issuing
from billing.service import run_month
from issuance.authz import Role
from siths_portal.lib import clock
from siths_portal.lib.errors import Conflict
from tests.billing.facts import local
from tests.billing.world import REGION, customer, price

pytestmark = pytest.mark.django_db(transaction=True)
ME = "user:test"
MONTHS = [Month(2023, 4), Month(2023, 5), Month(2023, 6)]
CODES = ("589", "689", "ABO")
AMOUNTS = ("0", "0.01", "12.3456", "90", "500")
MINUTE = dt.timedelta(minutes=1)


def nothing_is_negative() -> None:
    assert not InvoiceLine.objects.filter(Q(quantity__lte=0) | Q(unit_price__lt=0) | Q(net__lt=0)).exists()
    assert not Invoice.objects.filter(Q(net__lt=0) | Q(vat__lt=0) | Q(gross__lt=0) | Q(payable__lt=0)).exists()


def correct_a_price(pair, chance) -> None:
    """Two people change a price from a day that has been, often downwards; sometimes nothing changes."""
    one, two = pair
    day = dt.date(2023, chance.choice((3, 4, 5)), chance.randint(1, 30))
    new = NewPrice(chance.choice(CODES), chance.choice((None, REGION)), day, Decimal(chance.choice(AMOUNTS)), Decimal(25))
    try:
        asked = changes.request_price(actor=one, new=new, reason="Fel pris.")
        with clock.moved_to(clock.now() + MINUTE):
            changes.decide(actor=two, change_id=asked.pk, approved=True, seen=changes.effect(asked).sha256)
    except Conflict as refusal:
        if refusal.code != "price-same":
            raise


def credit_something(pair, chance) -> None:
    """Two people credit some pieces of an issued invoice, to be billed again or never."""
    one, two = pair
    invoice = chance.choice(Invoice.objects.filter(document_type="380").exclude(number=None).order_by("number"))
    choices = {}
    for line in crediting.creditable_lines(invoice):
        treatment = chance.choice(list(Treatment))
        pieces = line.remaining if line.whole else Decimal(chance.randint(0, int(line.remaining)))
        if pieces and (treatment == Treatment.WRITE_OFF or not line.whole or pieces == line.content.quantity):
            choices[line.content.position] = Choice(pieces, treatment)
    if choices:
        asked = crediting.request_credit(actor=one, number=invoice.number, choices=choices, reason="Fel antal.")
        with clock.moved_to(clock.now() + MINUTE):
            crediting.approve_credit(actor=two, request_id=asked.pk)


@pytest.mark.parametrize("seed", [18, 19])
def test_whatever_is_corrected_and_credited_no_draft_is_negative(page_world, facts, seed):
    chance = random.Random(seed)
    for code, amount in (("589", "90"), ("689", "12.3456"), ("ABO", "95")):
        price(code, amount)
    customer(REGION, organisation_number="2329990010", round_to_krona=chance.random() < 0.5)
    office = facts.office("a", "Kontor A")
    with clock.moved_to(local(2023, 3, 1)):
        pair = [page_world.world.officer(place, Role.FINANCE_ADMIN) for place in (page_world.region, page_world.municipality)]
    for month in MONTHS:
        for code in CODES[:2]:
            facts.card(REGION, office, code, month.start + dt.timedelta(days=chance.randint(0, 27)), n=chance.randint(0, 4))
        facts.count(month.code(), REGION, "Partille kommun", chance.randint(0, 4))
        with clock.moved_to(month.end + dt.timedelta(days=1, hours=6)):
            run_month(month, actor_ref=ME)
            nothing_is_negative()
            for _ in range(2):
                correct_a_price(pair, chance)
            run_month(month, actor_ref=ME)
            nothing_is_negative()
            issuing.issue(InvoiceRun.objects.get(period=month.first_day), actor_ref=ME)
            credit_something(pair, chance)
            nothing_is_negative()
            assert {check.number for check in reconcile(month) if not check.ok} <= {10, 12}, "files are not made here"
    assert LedgerEntry.objects.filter(quantity__lt=0).exists(), "a price was corrected"
    assert Invoice.objects.filter(document_type="381").exists(), "something was credited"


def test_the_ledger_takes_no_negative_entry_but_a_reversal(facts, prices):
    customer(REGION)
    facts.card(REGION, facts.office("a", "Kontor A"), "589", local(2023, 4, 12))
    run_month(Month(2023, 4), actor_ref=ME)
    entry = LedgerEntry.objects.get()
    entry.pk, entry.source_key, entry.quantity = None, "card:other", Decimal(-1)
    with pytest.raises(IntegrityError, match="billing_ledger_quantity"), transaction.atomic():
        entry.save(force_insert=True)
