"""What billing needs from the issuing of cards. `siths_portal.wiring` connects `issuance.service`."""

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from siths_portal.lib.feeds import Cursor


@dataclass(frozen=True)
class BillableFact:
    """A card that its supplier reported as sent. `ordered_at` decides the price, `occurred_at` the month."""

    cursor: Cursor
    event_id: int
    kind: str
    order_id: UUID
    organisation_id: UUID
    party_id: UUID
    office_id: UUID
    article_code: str
    ordered_at: dt.datetime
    occurred_at: dt.datetime


@dataclass(frozen=True)
class SubscriptionCount:
    """Persons with a valid e-legitimation in an organisation that pays the subscription fee, at one instant."""

    party_id: UUID
    organisation_id: UUID
    organisation_name: str
    direct: bool
    persons: int


@dataclass(frozen=True)
class BillingParty:
    """A directly connected organisation: the one that gets the consolidated invoice."""

    id: UUID
    name: str
    organisation_number: str
    invoice_reference: str


@dataclass(frozen=True)
class OfficeView:
    """An office; its invoice comment is printed on the lines of cards that were ordered through it."""

    id: UUID
    name: str
    invoice_comment: str


@dataclass(frozen=True)
class ArticleView:
    """An article that can be ordered; `code` is its number, with -REK for registered mail."""

    code: str
    number: str
    name: str
    registered_mail: bool


class IssuanceFacts(Protocol):
    """The door of `issuance` as billing uses it. Everything is read only; the feed never skips a row that commits late."""

    def billable_facts(self, after: Cursor, *, limit: int) -> Sequence[BillableFact]:
        """The next facts after `after` in feed order."""
        ...

    def subscription_counts(self, at: dt.datetime) -> Sequence[SubscriptionCount]:
        """The counts as they were at `at`, for the organisations that paid the fee then."""
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
