"""The price list: the price of an article on a day, for one customer or for all."""

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Iterable
from decimal import Decimal
from typing import Any, Self
from uuid import UUID

from django.db import transaction
from django.db.models import Q

from billing.prices.domain.terms import SubscriptionTerms
from billing.prices.models import PriceItem
from billing.records.domain import codes
from billing.records.models import Event
from billing.records.services.fitting import require_fit
from siths_portal.lib import clock
from siths_portal.lib.errors import Conflict, Invalid

_LABELS = {"article_code": "Artikelnumret", "unit_price": "Priset", "vat_rate": "Momssatsen"}


class PriceBook:
    """The prices of some articles, read once. A customer's agreed price precedes the gross list."""

    def __init__(self, article_codes: Iterable[str]) -> None:
        self._take(PriceItem.objects.filter(article_code__in=set(article_codes), withdrawn_at=None))

    @classmethod
    def of(cls, items: Iterable[PriceItem]) -> Self:
        """Returns the book of these items, stored or not."""
        book = cls.__new__(cls)
        book._take(items)
        return book

    def _take(self, items: Iterable[PriceItem]) -> None:
        self._items: dict[tuple[str, UUID | None], list[PriceItem]] = defaultdict(list)
        for item in items:
            self._items[item.article_code, item.party_id].append(item)

    def price(self, article_code: str, party_id: UUID | None, day: dt.date) -> PriceItem | None:
        """Returns the price on `day`: the one agreed with the party, else that of the gross list, else None."""
        for owner in (party_id, None):
            for item in self._items.get((article_code, owner), ()):
                if item.valid_from <= day and (item.valid_until is None or day < item.valid_until):
                    return item
        return None


def terms_of_article(article_code: str) -> dict[str, Any] | None:
    """Returns the terms that a new price of the article has: those of the subscription, or None."""
    return SubscriptionTerms().as_json() if article_code == codes.SUBSCRIPTION else None


def prices_today(party_id: UUID | None, article_codes: Collection[str]) -> dict[str, Decimal]:
    """Returns today's price of each article that has one, in SEK without VAT: the party's or, with None, the gross list's."""
    book, today = PriceBook(article_codes), clock.today()
    found = {code: book.price(code, party_id, today) for code in article_codes}
    return {code: item.unit_price for code, item in found.items() if item is not None}


def set_price(
    *,
    actor_ref: str,
    article_code: str,
    unit_price: Decimal,
    vat_rate: Decimal,
    valid_from: dt.date,
    party_id: UUID | None = None,
) -> PriceItem:
    """Sets the price of an article to `unit_price` SEK without VAT from `valid_from` on, and ends the previous price there.

    Raises Invalid for a negative value or one that the table cannot hold. Raises Conflict if another price begins or is valid on
    or after that day, or if the previous price was already used from that day on.
    """
    values = {"article_code": article_code, "unit_price": unit_price, "vat_rate": vat_rate}
    require_fit(PriceItem(party_id=party_id, valid_from=valid_from, **values), _LABELS)
    if unit_price < 0 or vat_rate < 0:
        raise Invalid("price-negative", f"Priset och momsen för artikel {article_code} får inte vara negativa.")
    with transaction.atomic(durable=True):
        same = PriceItem.objects.select_for_update(no_key=True).filter(
            article_code=article_code, party_id=party_id, withdrawn_at=None
        )
        if same.filter(Q(valid_from__gte=valid_from) | Q(valid_until__gt=valid_from)).exists():
            raise Conflict("price-exists", f"Artikel {article_code} har redan ett pris som gäller från den dagen eller senare.")
        current = same.filter(valid_until=None).first()
        if current and current.entries.filter(priced_on__gte=valid_from).exists():
            raise Conflict("price-used", f"Priset för artikel {article_code} har redan använts från den dagen.")
        if current:
            PriceItem.objects.filter(pk=current.pk).update(valid_until=valid_from)
        item = PriceItem.objects.create(
            article_code=article_code,
            party_id=party_id,
            unit_price=unit_price,
            vat_rate=vat_rate,
            valid_from=valid_from,
            terms=terms_of_article(article_code),
        )
        Event.record(
            actor_ref=actor_ref,
            action="price.set",
            subject_type="price",
            subject_ref=str(item.pk),
            facts={
                "article_code": article_code,
                "party_id": str(party_id) if party_id else None,
                "unit_price": str(unit_price),
                "vat_rate": str(vat_rate),
                "valid_from": valid_from.isoformat(),
            },
        )
        return item
