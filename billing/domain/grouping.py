"""Which ledger entries make one invoice line, and what the texts of lines are made of."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from billing.domain.periods import Month


class Place(StrEnum):
    """What can separate the lines of one article: an attribute of the ledger entry."""

    OFFICE = "office_id"
    ORGANISATION = "organisation_id"


class PricedFact(Protocol):
    """A ledger entry, as far as grouping reads it."""

    kind: str
    office_id: UUID | None
    organisation_id: UUID
    article_code: str
    unit_price: Decimal
    vat_rate: Decimal
    period: dt.date


@dataclass(frozen=True)
class Group:
    """Ledger entries of one customer that make one line. They have the same `key`, and so everything else but the quantity."""

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
    """What the lines' texts are made of: office id to its invoice comment, article code to printed name, and subscribers."""

    offices: Mapping[UUID, str]
    articles: Mapping[str, str]
    subscribers: Mapping[UUID, Subscriber]

    def office(self, group: Group) -> str:
        """Returns the invoice comment of the group's office. Raises KeyError if the caller did not ask for it."""
        return self.offices[_known(group.office_id)]

    def subscriber(self, group: Group) -> Subscriber:
        """Returns the group's organisation. Raises KeyError if the caller did not ask for it."""
        return self.subscribers[_known(group.organisation_id)]

    def article(self, group: Group) -> str:
        """Returns the printed name of the group's article, or its code if it has no such name."""
        return self.articles.get(group.article_code, group.article_code)


def _known(identifier: UUID | None) -> UUID:
    if identifier is None:
        raise KeyError("line without office or organisation")
    return identifier
