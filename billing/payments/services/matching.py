"""What becomes of a file's payments: the invoice that each pays by its reference, and what finance has to allocate."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from billing.invoices.models import Invoice
from billing.payments.domain.camt054 import BankPayment
from billing.payments.models import Payment
from billing.payments.queries import balances
from billing.records.domain import identifiers
from siths_portal.lib.canonical import canonical_json, sha256_hex
from siths_portal.lib.errors import Invalid


class Outcome(StrEnum):
    """What a payment does. Of OVER and DOUBLE something remains to allocate, of UNKNOWN everything; KNOWN is booked already."""

    KNOWN = "known"
    FULL = "full"
    PART = "part"
    OVER = "over"
    DOUBLE = "double"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Planned:
    """A payment with its outcome, the invoice that it names, and what it pays of it."""

    payment: BankPayment
    outcome: Outcome
    invoice_id: UUID | None = None
    number: str = ""
    pays: Decimal = balances.ZERO

    @property
    def whole(self) -> Decimal:
        """The payment's amount."""
        return self.payment.amount


@dataclass(frozen=True)
class Plan:
    """The payments of a file. `sha256` covers what becomes of each, so that booking does what the preview showed."""

    rows: tuple[Planned, ...]

    @property
    def new(self) -> tuple[Planned, ...]:
        """The payments that are not booked yet."""
        return tuple(row for row in self.rows if row.outcome is not Outcome.KNOWN)

    @property
    def total(self) -> Decimal:
        """The sum of the new payments."""
        return sum((row.payment.amount for row in self.new), balances.ZERO)

    @property
    def allocated(self) -> Decimal:
        """What the new payments pay of invoices."""
        return sum((row.pays for row in self.new), balances.ZERO)

    @property
    def sha256(self) -> str:
        """The hash of what becomes of each payment."""
        rows = [[*row.payment.key, str(row.payment.amount), row.outcome, row.number, str(row.pays)] for row in self.rows]
        return sha256_hex(canonical_json(rows))


def plan(payments: Sequence[BankPayment]) -> Plan:
    """Returns what becomes of the payments as things stand now, in a constant number of queries.

    Raises Invalid if a payment of the same account, entry and part is booked with another amount.
    """
    booked = _booked(payments)
    invoices = _invoices(payments)
    settlements = balances.settlements([invoice.pk for invoice in invoices.values()])
    remaining = {invoice_id: found.remaining for invoice_id, found in settlements.items()}
    rows = []
    for payment in payments:
        if (amount := booked.get(payment.key)) is not None:
            _require_same(payment, amount)
            rows.append(Planned(payment, Outcome.KNOWN))
            continue
        rows.append(_planned(payment, invoices, remaining))
    return Plan(tuple(rows))


def _planned(payment: BankPayment, invoices: dict[str, Invoice], remaining: dict[UUID, Decimal]) -> Planned:
    """Returns what the payment does, and takes its amount off what remains."""
    named = {invoices[each].pk: invoices[each] for each in payment.references if each in invoices}
    if len(named) != 1:
        return Planned(payment, Outcome.UNKNOWN)
    (invoice,) = named.values()
    left = max(remaining[invoice.pk], balances.ZERO)
    amount = min(payment.amount, left)
    remaining[invoice.pk] -= amount
    if not amount:
        outcome = Outcome.DOUBLE
    elif payment.amount > left:
        outcome = Outcome.OVER
    else:
        outcome = Outcome.FULL if amount == left else Outcome.PART
    return Planned(payment, outcome, invoice.pk, invoice.number or "", amount)


def _booked(payments: Iterable[BankPayment]) -> dict[tuple[str, str, int], Decimal]:
    """Returns the amounts of those that are booked, by key."""
    rows = Payment.objects.filter(entry_reference__in={payment.entry_reference for payment in payments})
    return {(row[0], row[1], row[2]): row[3] for row in rows.values_list("account", "entry_reference", "part", "amount")}


def _require_same(payment: BankPayment, amount: Decimal) -> None:
    if payment.amount != amount:
        message = f"Posten {payment.entry_reference} är redan bokförd med ett annat belopp. Fråga banken. Inget har lästs in."
        raise Invalid("entry-changed", message, fields={"file": [message]})


def _invoices(payments: Iterable[BankPayment]) -> dict[str, Invoice]:
    """Returns the invoices that the payments name, by payment reference. The reference contains the invoice's number."""
    given = {each for payment in payments for each in payment.references if identifiers.ocr_valid(each)}
    numbers = {f"{each[:4]}-{each[4:-2]}" for each in given}
    found = balances.issued_invoices().filter(number__in=numbers)
    return {each.payment_reference: each for each in found.only("number", "payment_reference") if each.payment_reference in given}
