"""The interface of orders to invoicing."""

from collections.abc import Collection, Mapping
from decimal import Decimal
from typing import Protocol
from uuid import UUID


class ArticlePrices(Protocol):
    """The prices of articles, for the page of an order. `billing` implements it."""

    def prices(self, party_id: UUID, article_codes: Collection[str]) -> Mapping[str, Decimal]:
        """Returns the price in SEK without VAT of each article that has one for the party today."""
        ...
