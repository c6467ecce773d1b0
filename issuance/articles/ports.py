"""The interface of articles to invoicing."""

from collections.abc import Collection, Mapping
from decimal import Decimal
from typing import Protocol
from uuid import UUID


class ArticlePrices(Protocol):
    """The prices of articles and PUK letters, for their pages and the page of an order. `billing` implements it."""

    def prices(self, party_id: UUID | None, article_codes: Collection[str]) -> Mapping[str, Decimal]:
        """Returns today's price of each article that has one, in SEK without VAT: the party's or, with None, the gross list's."""
        ...

    def letter_price(self, party_id: UUID) -> Decimal | None:
        """Returns today's price of a PUK letter for the party, in SEK without VAT, or None if it has none."""
        ...
