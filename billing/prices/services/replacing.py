"""What a price from a day on does to the prices of its article: which one ends, which one is withdrawn, and which ones are new.

A used price is never edited. One that was used on or after the day is withdrawn and replaced by two: itself until that day, and
the new one. Withdrawn prices stay for the entries that refer to them, and no later fact gets them.
"""

import datetime as dt
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from billing.prices.models import PriceItem
from billing.prices.services.prices import terms_of_article
from siths_portal.lib import clock
from siths_portal.lib.errors import Conflict


@dataclass(frozen=True)
class NewPrice:
    """A price of an article from a day on, of the gross list or agreed with a party; without `unit_price` the end of one."""

    article_code: str
    party_id: UUID | None
    valid_from: dt.date
    unit_price: Decimal | None
    vat_rate: Decimal


@dataclass
class Replacement:
    """The items that change; nothing is stored until `carry_out`. `head` is `replaced` up to the day of the change.

    `until` is the first day on which the change does not hold, because another price begins or this one ends.
    """

    replaced: PriceItem | None = None
    head: PriceItem | None = None
    new: PriceItem | None = None
    until: dt.date | None = None

    def book_items(self, items: Collection[PriceItem]) -> list[PriceItem]:
        """Returns the items of a price book after the change. `items` are those before it."""
        kept = [each for each in items if self.replaced is None or each.pk != self.replaced.pk]
        return kept + [each for each in (self.head, self.new) if each]


def in_force(article_code: str, party_id: UUID | None) -> list[PriceItem]:
    """Returns the prices of one list for an article that are not withdrawn, by day."""
    return list(PriceItem.objects.filter(article_code=article_code, party_id=party_id, withdrawn_at=None).order_by("valid_from"))


def plan(new: NewPrice, items: Sequence[PriceItem]) -> Replacement:
    """Returns what `new` does to `items`, those of its list and article. Raises Conflict if it changes nothing."""
    day = new.valid_from
    begun = [each for each in items if each.valid_from <= day]
    covering = next((each for each in begun if each.valid_until is None or day < each.valid_until), None)
    later = next((each for each in items if each.valid_from > day), None)
    if new.unit_price is None and covering is None:
        raise Conflict("price-none", "Det finns inget avtalat pris att avsluta den dagen.")
    if covering and (covering.unit_price, covering.vat_rate) == (new.unit_price, new.vat_rate):
        raise Conflict("price-same", "Priset gäller redan den dagen.")
    until = covering.valid_until if covering else later.valid_from if later else None
    made = Replacement(until=until)
    if covering:
        made.replaced = covering
        made.head = _copy(covering, until=day) if covering.valid_from < day else None
    if new.unit_price is not None:
        made.new = PriceItem(
            article_code=new.article_code,
            party_id=new.party_id,
            unit_price=new.unit_price,
            vat_rate=new.vat_rate,
            valid_from=day,
            valid_until=until,
            terms=covering.terms if covering else terms_of_article(new.article_code),
        )
    return made


def _copy(item: PriceItem, *, until: dt.date) -> PriceItem:
    names = ("article_code", "party_id", "unit_price", "vat_rate", "valid_from", "terms")
    return PriceItem(**{name: getattr(item, name) for name in names}, valid_until=until)


def carry_out(replacement: Replacement) -> None:
    """Stores a plan in the caller's transaction, which locked the items before it was made.

    A price that was not used on or after the day ends on it; only one that was is withdrawn.
    """
    old, head, new = replacement.replaced, replacement.head, replacement.new
    if old and head and old.valid_until is None and not old.entries.filter(priced_on__gte=head.valid_until).exists():
        PriceItem.objects.filter(pk=old.pk).update(valid_until=head.valid_until)
        head = None
    elif old:
        PriceItem.objects.filter(pk=old.pk).update(withdrawn_at=clock.now())
    for item in (head, new):
        if item:
            item.save(force_insert=True)
