"""What finance decides about a payment by hand: which invoice it pays, that it is paid back, and that an allocation was wrong."""

from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from django.db import transaction
from django.db.models import Sum

from billing.invoices.models import Invoice
from billing.payments.models import Payment, PaymentAllocation
from billing.payments.queries import balances
from billing.payments.services.notes import refuse, written
from billing.payments.services.receiving import ACTION, LOCK
from billing.records.domain import money
from billing.records.models import Event
from issuance.authz import Actor, policy
from siths_portal.lib import clock
from siths_portal.lib.database import locks
from siths_portal.lib.errors import Conflict


@dataclass(frozen=True)
class _Locked:
    """A payment with what is not allocated of it."""

    payment: Payment
    unallocated: Decimal


@transaction.atomic(durable=True)
def allocate(*, actor: Actor, payment_id: UUID, number: str, amount: Decimal, reason: str) -> None:
    """Pays an amount of an invoice with the payment.

    Raises Forbidden, NotFound, and Invalid for an unknown invoice, or more than the payment has or the invoice needs.
    """
    locked = _lock(actor, payment_id)
    reason = written("reason", reason, "Skriv varför.")
    invoice = balances.with_remaining(Invoice.objects.filter(number=number.strip())).first()
    if invoice is None:
        refuse("number", "invoice-unknown", "Ingen faktura har numret. Skriv numret som det står på fakturan.")
    most = min(locked.unallocated, invoice.remaining)
    if most <= 0:
        field = "amount" if locked.unallocated <= 0 else "number"
        refuse(field, "nothing-to-pay", "Betalningen är redan fördelad." if field == "amount" else "Fakturan är redan betald.")
    if not 0 < amount <= most:
        refuse("amount", "amount-wrong", f"Skriv ett belopp över 0 och högst {money.swedish(most)} kr.")
    _add(actor, locked.payment, invoice, amount, reason)


@transaction.atomic(durable=True)
def pay_back(*, actor: Actor, payment_id: UUID, reason: str) -> None:
    """Records that what is not allocated of the payment is paid back to the payer, by the bank and outside the portal.

    Raises Forbidden, NotFound, Invalid without a reason, and Conflict if everything is allocated.
    """
    locked = _lock(actor, payment_id)
    reason = written("reason", reason, "Skriv varför.")
    if locked.unallocated <= 0:
        raise Conflict("payment-allocated", "Betalningen är redan fördelad. Ladda om sidan.")
    _add(actor, locked.payment, None, locked.unallocated, reason)


@transaction.atomic(durable=True)
def undo(*, actor: Actor, payment_id: UUID, allocation_id: UUID, reason: str) -> None:
    """Takes an allocation back by a row with the negative amount, so that the amount can be allocated again.

    Raises Forbidden, NotFound, Invalid without a reason, and Conflict if it is taken back already.
    """
    locked = _lock(actor, payment_id)
    reason = written("reason", reason, "Skriv varför.")
    wrong = PaymentAllocation.objects.filter(pk=allocation_id, payment=locked.payment, undoes=None).first()
    if wrong is None:
        raise policy.not_found()
    if PaymentAllocation.objects.filter(undoes=wrong).exists():
        raise Conflict("allocation-undone", "Fördelningen är redan ångrad. Ladda om sidan.")
    _add(actor, locked.payment, wrong.invoice, -wrong.amount, reason, wrong)


def _lock(actor: Actor, payment_id: UUID) -> _Locked:
    policy.require_global(actor, ACTION)
    locks.lock_until_commit(LOCK)
    payment = Payment.objects.filter(pk=payment_id).first()
    if payment is None:
        raise policy.not_found()
    allocated = payment.allocations.aggregate(sum=Sum("amount"))["sum"] or balances.ZERO
    return _Locked(payment, payment.amount - allocated)


def _add(
    actor: Actor, payment: Payment, invoice: Invoice | None, amount: Decimal, reason: str, undoes: PaymentAllocation | None = None
) -> None:
    PaymentAllocation.objects.create(
        payment=payment, invoice=invoice, amount=amount, undoes=undoes, reason=reason, made_by=actor.ref, made_at=clock.now()
    )
    action = "payment.allocation_undone" if undoes else "payment.allocated" if invoice else "payment.paid_back"
    Event.record(
        actor_ref=actor.ref,
        action=action,
        subject_type="payment",
        subject_ref=str(payment.pk),
        facts={"invoice": invoice.number if invoice else "", "amount": str(amount), "reason": reason},
    )
