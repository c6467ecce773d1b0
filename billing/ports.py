"""What billing needs from the issuing of cards. `siths_portal.wiring.ports` connects `issuance.service`."""

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from typing import Protocol
from uuid import UUID

from issuance.service import ArticleView, BillableFact, BillingParty, OfficeView, SubscriptionCount
from siths_portal.lib.database.feeds import Cursor

__all__ = ["ArticleView", "BillableFact", "BillingParty", "IssuanceFacts", "OfficeView", "SubscriptionCount"]


class IssuanceFacts(Protocol):
    """The door of `issuance` as billing uses it. Everything is read only; the feed never skips a row that commits late."""

    def billable_facts(self, after: Cursor, *, limit: int) -> Sequence[BillableFact]:
        """The next facts after `after` in feed order."""
        ...

    def subscription_counts(self, at: dt.datetime, party_id: UUID | None = None) -> Sequence[SubscriptionCount]:
        """The counts as they were at `at`, for the organisations (of one party, or of all) that paid the fee then."""
        ...

    def billing_parties(self) -> Sequence[BillingParty]:
        """Every directly connected organisation."""
        ...

    def offices(self, ids: Collection[UUID]) -> Mapping[UUID, OfficeView]:
        """Those of `ids` that exist."""
        ...

    def articles(self) -> Mapping[str, ArticleView]:
        """Every article by its code."""
        ...

    def sent_card_count(self, start: dt.datetime, end: dt.datetime) -> int:
        """How many cards suppliers reported as sent from `start` up to, not including, `end`."""
        ...
