"""The ledger: each fact once, at the price of its order's day; and what the database refuses."""

import datetime as dt
from decimal import Decimal

import pytest
from django.db import DatabaseError, connection, transaction

from billing.ledger.models import FeedPosition, LedgerEntry, UnpricedFact
from billing.ledger.services import ledger
from billing.prices.models import PriceItem
from billing.prices.services.prices import set_price
from billing.runs.services import schedule
from siths_portal.lib.clock import STOCKHOLM
from siths_portal.lib.errors import Conflict, Invalid
from tests.billing.facts import local, uid
from tests.billing.world import REGION, customer, price

pytestmark = pytest.mark.django_db(transaction=True)
SENT = local(2023, 4, 12, 9)


def prices_of_entries() -> list[str]:
    return [f"{entry.article_code} {entry.unit_price}" for entry in LedgerEntry.objects.order_by("id")]


def test_collecting_again_adds_nothing(facts, prices):
    facts.card(REGION, facts.office("a", "Kontor A"), "589", SENT, n=5)
    assert ledger.collect(batch=2) == 5
    assert ledger.collect(batch=2) == 0
    facts.card(REGION, uid("a"), "589", SENT)
    assert ledger.collect() == 1
    assert LedgerEntry.objects.count() == 6
    assert FeedPosition.objects.get().event_id == 6


def test_an_order_reported_sent_twice_is_one_entry(facts, prices):
    facts.card(REGION, facts.office("a", "Kontor A"), "589", SENT)
    facts.cards.append(type(facts.cards[0])(**{**facts.cards[0].__dict__, "cursor": ledger.Cursor(2000, 2), "event_id": 2}))
    assert ledger.collect() == 1
    assert LedgerEntry.objects.get().source_key == f"card:{facts.cards[0].order_id}"


def test_a_ledger_rebuilt_from_the_start_of_the_feed_gets_no_entry_twice(facts, prices):
    facts.card(REGION, facts.office("a", "Kontor A"), "589", SENT, n=3)
    ledger.collect()
    FeedPosition.objects.update(xid=0, event_id=0)
    assert ledger.collect() == 0
    assert LedgerEntry.objects.count() == 3


def test_the_price_is_that_of_the_day_of_order_in_stockholm(facts):
    price("589", "90")
    price("589", "99.5050", valid_from=dt.date(2023, 4, 10))
    office = facts.office("a", "Kontor A")
    facts.card(REGION, office, "589", SENT, ordered=local(2023, 4, 9, 23, 59, 59))
    facts.card(REGION, office, "589", SENT, ordered=local(2023, 4, 10, 0, 0))
    ledger.collect()
    assert prices_of_entries() == ["589 90.0000", "589 99.5050"]


def test_an_agreed_price_comes_before_the_gross_list(facts):
    price("589", "90")
    price("589", "80", party_id=REGION, valid_from=dt.date(2023, 4, 10))
    office = facts.office("a", "Kontor A")
    for party, day in ((REGION, 9), (REGION, 10), (uid("other"), 10)):
        facts.card(party, office, "589", SENT, ordered=local(2023, 4, day, 12))
    ledger.collect()
    assert prices_of_entries() == ["589 90.0000", "589 80.0000", "589 90.0000"]


def test_a_fact_without_price_waits_and_moves_once(facts):
    facts.card(REGION, facts.office("a", "Kontor A"), "589", SENT)
    assert ledger.collect() == 0
    assert (UnpricedFact.objects.count(), LedgerEntry.objects.count()) == (1, 0)
    schedule.measure()
    assert schedule._UNPRICED._value.get() == 1
    price("589", "90", valid_from=dt.date(2023, 4, 10))
    assert ledger.collect() == 0, "the price is of a later day than the order"
    price("589", "85", party_id=REGION)
    assert ledger.collect() == 1
    assert (UnpricedFact.objects.count(), prices_of_entries()) == (0, ["589 85.0000"])


def test_more_waiting_facts_than_a_page_do_not_hide_one_that_got_its_price(facts, monkeypatch):
    monkeypatch.setattr(ledger, "BATCH", 2)
    office = facts.office("a", "Kontor A")
    facts.card(REGION, office, "610", SENT, n=3)
    facts.card(REGION, office, "589", SENT)
    ledger.collect(batch=2)
    price("589", "90")
    assert ledger.collect() == 1
    assert UnpricedFact.objects.count() == 3


@pytest.mark.parametrize(
    ("sent", "period"),
    [
        (local(2024, 3, 31, 23, 30), dt.date(2024, 3, 1)),
        (local(2024, 3, 31, 1, 59), dt.date(2024, 3, 1)),
        (local(2023, 10, 29, 2, 30), dt.date(2023, 10, 1)),
        (dt.datetime(2023, 10, 29, 2, 30, tzinfo=STOCKHOLM, fold=1), dt.date(2023, 10, 1)),
        (local(2023, 10, 31, 23, 30), dt.date(2023, 10, 1)),
        (local(2023, 4, 30, 23, 59, 59, 999000), dt.date(2023, 4, 1)),
        (local(2023, 5, 1), dt.date(2023, 5, 1)),
        (dt.datetime(2023, 4, 30, 22, 0, tzinfo=dt.UTC), dt.date(2023, 5, 1)),
    ],
)
def test_an_event_belongs_to_stockholms_month(facts, prices, sent, period):
    facts.card(REGION, facts.office("a", "Kontor A"), "589", sent)
    ledger.collect()
    assert LedgerEntry.objects.get().period == period


# --- what the database refuses --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("statement", ["UPDATE {} SET quantity = 2", "DELETE FROM {}", "TRUNCATE {} CASCADE"])
def test_the_ledger_is_append_only(facts, prices, statement):
    facts.card(REGION, facts.office("a", "Kontor A"), "589", SENT)
    ledger.collect()
    with pytest.raises(DatabaseError), connection.cursor() as cursor:
        cursor.execute(statement.format("billing_ledgerentry"))
    assert LedgerEntry.objects.get().quantity == Decimal(1)


def test_a_price_cannot_be_edited_or_deleted_only_closed_once(prices):
    item = PriceItem.objects.get(article_code="589")
    for change in ({"unit_price": Decimal(1)}, {"valid_from": dt.date(2019, 1, 1)}, {"vat_rate": Decimal(6)}):
        with pytest.raises(DatabaseError):
            PriceItem.objects.filter(pk=item.pk).update(**change)
    with pytest.raises(DatabaseError):
        item.delete()
    PriceItem.objects.filter(pk=item.pk).update(valid_until=dt.date(2024, 1, 1))
    with pytest.raises(DatabaseError):
        PriceItem.objects.filter(pk=item.pk).update(valid_until=dt.date(2025, 1, 1))


def test_a_price_cannot_be_closed_before_a_day_it_was_used(facts, prices):
    facts.card(REGION, facts.office("a", "Kontor A"), "589", SENT, ordered=local(2023, 4, 9, 12))
    ledger.collect()
    with pytest.raises(Conflict, match="price-used"):
        price("589", "99", valid_from=dt.date(2023, 4, 9))
    with pytest.raises(DatabaseError):
        PriceItem.objects.filter(article_code="589").update(valid_until=dt.date(2023, 4, 9))
    price("589", "99", valid_from=dt.date(2023, 4, 10))


def test_prices_never_overlap(prices):
    with pytest.raises(Conflict, match="price-exists"):
        price("589", "1", valid_from=dt.date(2019, 1, 1))
    with pytest.raises(DatabaseError), transaction.atomic():
        PriceItem.objects.create(article_code="589", unit_price=Decimal(1), vat_rate=Decimal(25), valid_from=dt.date(2021, 1, 1))
    agreed = {"article_code": "589", "party_id": REGION, "vat_rate": Decimal(25), "valid_from": dt.date(2021, 1, 1)}
    PriceItem.objects.create(unit_price=Decimal(1), **agreed)
    with pytest.raises(DatabaseError), transaction.atomic():
        PriceItem.objects.create(unit_price=Decimal(2), **agreed)


def test_a_negative_price_is_refused(transactional_db):
    values = {"article_code": "589", "unit_price": Decimal("-0.01"), "vat_rate": Decimal(25), "valid_from": dt.date(2020, 1, 1)}
    with pytest.raises(Invalid):
        set_price(actor_ref="user:test", **values)
    with pytest.raises(DatabaseError):
        PriceItem.objects.create(**values)
    assert not PriceItem.objects.exists()


def test_a_customer_version_cannot_be_edited(facts):
    customer(REGION)
    with pytest.raises(DatabaseError), connection.cursor() as cursor:
        cursor.execute("UPDATE billing_billingcustomer SET name = 'Annan'")
    with pytest.raises(DatabaseError), connection.cursor() as cursor:
        cursor.execute("DELETE FROM billing_billingcustomer")
