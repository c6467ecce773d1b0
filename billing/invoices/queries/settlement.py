"""What is paid of invoices, for their list and pages. `billing.payments` knows it and registers."""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any, Protocol

from django.db.models import QuerySet

from billing.invoices.models import Invoice
from siths_portal.lib.registry import Slot


class Paid(StrEnum):
    """How invoices can be chosen by what is paid of them."""

    PAID = "paid"
    UNPAID = "unpaid"
    OVERDUE = "overdue"
    DISPUTED = "disputed"


@dataclass(frozen=True)
class Settlement:
    """What is paid of an invoice. `remaining` is below zero if the customer has paid or been credited too much.

    `disputed`: the customer objects to the invoice, and finance has not closed the dispute.
    """

    paid: Decimal
    credited: Decimal
    remaining: Decimal
    overdue: bool
    disputed: bool


class Settlements(Protocol):
    """What `billing.payments` answers."""

    def with_sums(self, invoices: QuerySet[Invoice]) -> QuerySet[Any]:
        """Returns the same invoices, read with what `of` needs."""
        ...

    def of(self, invoice: Any) -> Settlement | None:
        """Returns the settlement of an invoice of `with_sums`, without a query; None for a credit note."""
        ...

    def narrow(self, invoices: QuerySet[Invoice], paid: Paid) -> QuerySet[Invoice]:
        """Returns those of the invoices that are paid, unpaid, overdue or disputed. Credit notes are none of them."""
        ...


SETTLEMENTS: Slot[Settlements] = Slot()
