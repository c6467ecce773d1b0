"""The interface of bundles to invoicing."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from issuance.authz import Actor


@dataclass(frozen=True)
class InvoiceLine:
    """A line of an invoice in words, without amounts. `number` is that of the issued invoice and `url` the line's page; both are
    empty for a line to come.
    """

    text: str
    number: str = ""
    url: str = ""


class InvoiceLines(Protocol):
    """The lines on which bundles of reserve cards are invoiced. `billing` implements it."""

    def to_come(self, office_comment: str) -> InvoiceLine:
        """Returns the line of a bundle for an office with this invoice comment, as it would be written today."""
        ...

    def issued(self, actor: Actor, order_id: UUID) -> Sequence[InvoiceLine]:
        """Returns the lines that bill or credit the order, of the invoices that `actor` may read."""
        ...
