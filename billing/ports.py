"""What billing needs from `issuance`. `siths_portal.wiring.ports` connects `issuance.service`."""

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from typing import Protocol
from uuid import UUID

from issuance.service import ArticleView, BillableFact, BillingParty, OfficeView, SubscriptionCount
from siths_portal.lib.database.feeds import Cursor

__all__ = ["ArticleView", "BillableFact", "BillingParty", "IssuanceFacts", "OfficeView", "SubscriptionCount"]


class IssuanceFacts(Protocol):
    """The public interface of `issuance` that billing uses. It only reads, and the feed never skips a row that commits late."""

    def billable_facts(self, after: Cursor, *, limit: int) -> Sequence[BillableFact]:
        """Returns the facts of up to `limit` events after `after`, in feed order."""
        ...

    def subscription_counts(
        self, at: dt.datetime, party_id: UUID | None = None, *, organisation_id: UUID | None = None, with_eids: bool = False
    ) -> Sequence[SubscriptionCount]:
        """Returns the counts at `at`, for one organisation, those of one party or all that paid the subscription fee then.

        `with_eids` adds the ids of the counted e-legitimations.
        """
        ...

    def billing_parties(self) -> Sequence[BillingParty]:
        """Returns every directly connected organisation."""
        ...

    def offices(self, ids: Collection[UUID]) -> Mapping[UUID, OfficeView]:
        """Returns the offices by id. Leaves out ids that do not exist."""
        ...

    def articles(self) -> Mapping[str, ArticleView]:
        """Returns every article by its code."""
        ...

    def sent_pieces(self, start: dt.datetime, end: dt.datetime) -> Mapping[str, int]:
        """Returns how many pieces of each kind suppliers reported as sent from `start` up to, not including, `end`."""
        ...
