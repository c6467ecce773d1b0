"""The ledger: pulls facts from `issuance`, each exactly once, and copies in the price of its day.

The row lock of the feed position admits one writer at a time. Ids therefore become visible in increasing order, and a run's
cutoff is exact.
"""

import datetime as dt
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal

from django.db import transaction
from django.db.models import Max

from billing import ports
from billing.ledger.domain import line_kinds
from billing.ledger.models import FeedPosition, LedgerEntry, UnpricedFact
from billing.prices.models import PriceItem
from billing.prices.services.prices import PriceBook
from billing.records.domain.periods import Month
from siths_portal.lib import clock, faults
from siths_portal.lib import ports as connected
from siths_portal.lib.database.feeds import Cursor

FEED = "issuance"
BATCH = 1000
_COPIED = (
    "source_key", "kind", "party_id", "organisation_id", "office_id", "article_code", "quantity", "priced_on", "occurred_at",
    "period", "recorded_at", "reason",
)  # fmt: skip

_REMADE = "Kortleverantören gjorde om kortet. Orsak: {reason}"
_UNKNOWN = "okänd"


@contextmanager
def writing() -> Iterator[FeedPosition]:
    """Takes the ledger's lock, which the caller's transaction holds until its end, and yields the feed position."""
    FeedPosition.objects.bulk_create([FeedPosition(feed=FEED)], ignore_conflicts=True)
    yield FeedPosition.objects.select_for_update().get(feed=FEED)


def collect(*, batch: int = BATCH) -> int:
    """Pulls every fact that the feed returns into the ledger and returns how many entries were new.

    It can be repeated, run twice at once and killed: a batch and its cursor commit together, and source keys are unique.
    """
    with transaction.atomic(durable=True), writing():
        added = price_waiting()
    while True:
        with transaction.atomic(durable=True):
            seen, new = collect_batch(batch)
        added += new
        if seen < batch:
            return added


def collect_all() -> None:
    """Does the same as `collect` within the caller's transaction."""
    with writing():
        price_waiting()
    while collect_batch()[0] == BATCH:
        pass


def collect_batch(batch: int = BATCH) -> tuple[int, int]:
    """Pulls one batch in the caller's transaction. Returns the number of events read and of new entries."""
    with writing() as position:
        facts = connected.get(ports.IssuanceFacts).billable_facts(Cursor(position.xid, position.event_id), limit=batch)
        added = record([_unpriced_order(fact) for fact in facts])
        faults.point("billing.collect")
        if facts:
            position.xid, position.event_id = facts[-1].cursor
            position.save()
    return len({fact.event_id for fact in facts}), added


def _unpriced_order(fact: ports.BillableFact) -> UnpricedFact:
    """Returns the fact as a row without a price, not stored."""
    kind = line_kinds.of(fact.kind)
    key = (fact.order_id,) if fact.item is None else (fact.item, fact.order_id)
    return UnpricedFact(
        source_key=kind.source_key(*key),
        kind=kind.code,
        party_id=fact.party_id,
        organisation_id=fact.organisation_id,
        office_id=fact.office_id,
        article_code=kind.article or fact.article_code,
        quantity=Decimal(fact.quantity),
        priced_on=fact.ordered_at.astimezone(clock.STOCKHOLM).date(),
        occurred_at=fact.occurred_at,
        period=Month.of(fact.occurred_at).first_day,
        recorded_at=clock.now(),
        reason=_REMADE.format(reason=fact.reason or _UNKNOWN) if kind.free else "",
    )


def record(facts: Sequence[UnpricedFact]) -> int:
    """Stores facts with new source keys, in the ledger or, without a price, as unpriced. Returns the number of ledger entries.

    The caller holds `writing`. If several facts have the same source key, the first one is stored.
    """
    unique: dict[str, UnpricedFact] = {}
    for fact in facts:
        unique.setdefault(fact.source_key, fact)
    known = {
        key
        for model in (LedgerEntry, UnpricedFact)
        for key in model.objects.filter(source_key__in=unique).values_list("source_key", flat=True)
    }
    fresh = [fact for key, fact in unique.items() if key not in known]
    entries, waiting = _priced(fresh)
    LedgerEntry.objects.bulk_create(entries)
    UnpricedFact.objects.bulk_create(waiting)
    return len(entries)


def price_waiting() -> int:
    """Moves every unpriced fact that now has a price into the ledger and returns how many. The caller holds `writing`."""
    moved, last = 0, 0
    while waiting := list(UnpricedFact.objects.filter(id__gt=last).order_by("id")[:BATCH]):
        last = waiting[-1].id
        entries, _ = _priced(waiting)
        LedgerEntry.objects.bulk_create(entries)
        UnpricedFact.objects.filter(source_key__in=[entry.source_key for entry in entries]).delete()
        moved += len(entries)
    return moved


def _priced(facts: Sequence[UnpricedFact]) -> tuple[list[LedgerEntry], list[UnpricedFact]]:
    if not facts:
        return [], []
    book = PriceBook(fact.article_code for fact in facts)
    entries, without = [], []
    for fact in facts:
        item = book.price(fact.article_code, fact.party_id, fact.priced_on)
        if item is None:
            without.append(fact)
            continue
        entries.append(entry_of(fact, item))
    return entries, without


def entry_of(fact: UnpricedFact, item: PriceItem) -> LedgerEntry:
    """Returns the ledger entry of `fact` with the price `item`, or with price 0 for a free kind, not stored."""
    copied = {name: getattr(fact, name) for name in _COPIED}
    kind = line_kinds.of(fact.kind)
    unit_price = Decimal(0) if kind.free else item.unit_price
    entry = LedgerEntry(**copied, price_item=item, unit_price=unit_price, vat_rate=item.vat_rate)
    entry.grouping_key = kind.grouping_key(entry)
    return entry


def newest_entry() -> int:
    """Returns the highest id in the ledger, or 0. The caller holds `writing`, so no lower id can appear later."""
    highest: int | None = LedgerEntry.objects.aggregate(highest=Max("id"))["highest"]
    return highest or 0


def subscription_fact(count: ports.SubscriptionCount, *, month: Month, article_code: str, taken_at: dt.datetime) -> UnpricedFact:
    """Returns the subscription of one organisation for `month`: one piece for each person, priced on the month's last day."""
    return UnpricedFact(
        source_key=line_kinds.SUBSCRIPTION.source_key(month.code(), count.organisation_id),
        kind=line_kinds.SUBSCRIPTION.code,
        party_id=count.party_id,
        organisation_id=count.organisation_id,
        article_code=article_code,
        quantity=Decimal(count.persons),
        priced_on=month.last_day,
        occurred_at=month.end,
        period=month.first_day,
        recorded_at=taken_at,
    )
