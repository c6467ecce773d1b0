"""Groups of ledger entries that make one invoice line, and the labels that line texts use."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from billing.records.domain.periods import Month


class Place(StrEnum):
    """The attribute of a ledger entry by which lines of one article are separated."""

    OFFICE = "office_id"
    ORGANISATION = "organisation_id"


class PricedFact(Protocol):
    """The part of a ledger entry that grouping reads."""

    kind: str
    office_id: UUID | None
    organisation_id: UUID
    article_code: str
    unit_price: Decimal
    vat_rate: Decimal
    period: dt.date


@dataclass(frozen=True)
class Group:
    """Ledger entries of one customer that make one line. Entries with the same `key` differ only in quantity."""

    key: str
    kind: str
    office_id: UUID | None
    organisation_id: UUID | None
    article_code: str
    unit_price: Decimal
    vat_rate: Decimal
    period: Month
    quantity: Decimal


@dataclass(frozen=True)
class Subscriber:
    """An organisation whose subscription is billed. `direct` is the customer's own organisation."""

    name: str
    direct: bool


@dataclass(frozen=True)
class Labels:
    """Labels for line texts: invoice comments by office id, printed names by article code, subscribers by organisation id.

    `descriptions` says in words what each article is, by its code.
    """

    offices: Mapping[UUID, str]
    articles: Mapping[str, str]
    subscribers: Mapping[UUID, Subscriber]
    descriptions: Mapping[str, str] = field(default_factory=dict)

    def office(self, group: Group) -> str:
        """Returns the invoice comment of the group's office. Raises KeyError if the labels lack it."""
        return self.offices[_known(group.office_id)]

    def subscriber(self, group: Group) -> Subscriber:
        """Returns the subscriber of the group's organisation. Raises KeyError if the labels lack it."""
        return self.subscribers[_known(group.organisation_id)]

    def article(self, group: Group) -> str:
        """Returns the printed name of the group's article, or its code if it has no such name."""
        return self.articles.get(group.article_code, group.article_code)

    def description(self, group: Group) -> str:
        """Returns what the group's article is in words, or an empty text."""
        return self.descriptions.get(group.article_code, "")


def _known(identifier: UUID | None) -> UUID:
    if identifier is None:
        raise KeyError("line without office or organisation")
    return identifier
