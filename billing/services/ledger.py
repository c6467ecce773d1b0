"""The ledger: facts of `issuance` pulled in, each exactly once, with the price of its day copied in.

One row lock, that of the feed position, lets one writer at a time into the ledger. So an entry that is seen has a higher id
than every entry seen before, and a run's cutoff is exact.
"""

import datetime as dt
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal

from django.db import transaction
from django.db.models import Max

from billing import ports
from billing.domain import line_kinds
from billing.domain.periods import Month
from billing.models import FeedPosition, LedgerEntry, PriceItem, UnpricedFact
from billing.services.prices import PriceBook
from siths_portal.lib import clock, faults
from siths_portal.lib import ports as connected
from siths_portal.lib.database.feeds import Cursor

FEED = "issuance"
BATCH = 1000
_COPIED = (
    "source_key", "kind", "party_id", "organisation_id", "office_id", "article_code", "quantity", "priced_on", "occurred_at",
    "period", "recorded_at",
)  # fmt: skip


@contextmanager
def writing() -> Iterator[FeedPosition]:
    """Joins the caller's transaction and holds the ledger's lock to its end."""
    FeedPosition.objects.bulk_create([FeedPosition(feed=FEED)], ignore_conflicts=True)
    yield FeedPosition.objects.select_for_update().get(feed=FEED)


def collect(*, batch: int = BATCH) -> int:
    """Pulls every fact below the feed's horizon into the ledger and returns how many entries were new.

    Safe to repeat, to run twice at once and to kill: a batch and its cursor are one transaction, and a source key is unique.
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
    """As `collect`, within the caller's transaction."""
    with writing():
        price_waiting()
    while collect_batch()[0] == BATCH:
        pass


def collect_batch(batch: int = BATCH) -> tuple[int, int]:
    """Pulls one batch in the caller's transaction; returns how many facts were read and how many entries were new."""
    with writing() as position:
        facts = connected.get(ports.IssuanceFacts).billable_facts(Cursor(position.xid, position.event_id), limit=batch)
        added = record([_unpriced_order(fact) for fact in facts])
        faults.point("billing.collect")
        if facts:
            position.xid, position.event_id = facts[-1].cursor
            position.save()
    return len(facts), added


def _unpriced_order(fact: ports.BillableFact) -> UnpricedFact:
    """The fact of an order, before it has a price."""
    kind = line_kinds.of(fact.kind)
    return UnpricedFact(
        source_key=kind.source_key(fact.order_id),
        kind=kind.code,
        party_id=fact.party_id,
        organisation_id=fact.organisation_id,
        office_id=fact.office_id,
        article_code=fact.article_code,
        quantity=Decimal(1),
        priced_on=fact.ordered_at.astimezone(clock.STOCKHOLM).date(),
        occurred_at=fact.occurred_at,
        period=Month.of(fact.occurred_at).first_day,
        recorded_at=clock.now(),
    )


def record(facts: Sequence[UnpricedFact]) -> int:
    """Enters `facts` whose source key is new: priced ones in the ledger, the rest waiting. Returns how many entries were new.

    The caller holds `writing`. The first of several facts with one source key counts.
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
    """Moves every waiting fact whose day has got a price into the ledger. The caller holds `writing`."""
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
    """Returns the ledger entry of `fact` at the price `item`, not stored."""
    copied = {name: getattr(fact, name) for name in _COPIED}
    entry = LedgerEntry(**copied, price_item=item, unit_price=item.unit_price, vat_rate=item.vat_rate)
    entry.grouping_key = line_kinds.of(entry.kind).grouping_key(entry)
    return entry


def newest_entry() -> int:
    """The highest id in the ledger, 0 if it is empty. The caller holds `writing`, so no lower one can appear later."""
    highest: int | None = LedgerEntry.objects.aggregate(highest=Max("id"))["highest"]
    return highest or 0


def subscription_fact(count: ports.SubscriptionCount, *, month: Month, article_code: str, taken_at: dt.datetime) -> UnpricedFact:
    """The subscription of one organisation for `month`: one piece a person, at the price of the month's last day."""
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
