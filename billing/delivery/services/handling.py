"""What a finance person decides about a document that does not arrive: to send it again now, or that it was sent another way."""

from django.db import transaction

from billing.delivery.models import Delivery, DeliveryState
from billing.records.models import Event
from issuance.authz import Action, Actor, policy
from siths_portal.lib import clock
from siths_portal.lib.errors import Conflict, Invalid

ACTION = Action.MANAGE_BILLING
LONGEST_REASON = 500
_RESENDABLE = (DeliveryState.WAITING, DeliveryState.STOPPED)
_OUTSIDE = (DeliveryState.WAITING, DeliveryState.STOPPED, DeliveryState.REJECTED)


def send_again(*, actor: Actor, number: str) -> None:
    """Makes the next call due now, for a document that waits or is stopped. The message id stays the same.

    Raises Forbidden, NotFound, and Conflict if the document is on its way or has arrived.
    """
    with transaction.atomic(durable=True):
        delivery = _locked(actor, number)
        if delivery.state not in _RESENDABLE:
            raise Conflict("delivery-settled", "Dokumentet är redan skickat. Ladda om sidan.")
        now = clock.now()
        delivery.state, delivery.next_at, delivery.settled_at, delivery.attempts = DeliveryState.WAITING, now, None, 0
        delivery.save(update_fields=["state", "next_at", "settled_at", "attempts"])
        _record(actor, "invoice.send_again", delivery, {})


def sent_outside(*, actor: Actor, number: str, reason: str) -> None:
    """Records that the document reached the buyer another way, so that nothing more is sent.

    Raises Forbidden, NotFound, Invalid without a reason, and Conflict if the document is on its way or has arrived.
    """
    reason = reason.strip()
    if not reason or len(reason) > LONGEST_REASON:
        message = "Skriv hur kunden fick dokumentet."
        raise Invalid("reason-missing", message, fields={"reason": [message]})
    with transaction.atomic(durable=True):
        delivery = _locked(actor, number)
        if delivery.state not in _OUTSIDE:
            raise Conflict("delivery-settled", "Dokumentet är redan skickat. Ladda om sidan.")
        delivery.state, delivery.next_at = DeliveryState.OUTSIDE, None
        delivery.settled_at, delivery.reason = clock.now(), reason
        delivery.save(update_fields=["state", "next_at", "settled_at", "reason"])
        _record(actor, "invoice.sent_outside", delivery, {"reason": reason})


def _locked(actor: Actor, number: str) -> Delivery:
    policy.require_global(actor, ACTION)
    rows = Delivery.objects.select_for_update(of=("self",), no_key=True).select_related("invoice")
    delivery = rows.filter(invoice__number=number).first()
    if delivery is None:
        raise policy.not_found()
    return delivery


def _record(actor: Actor, action: str, delivery: Delivery, facts: dict[str, str]) -> None:
    Event.record(
        actor_ref=actor.ref,
        action=action,
        subject_type="invoice",
        subject_ref=str(delivery.invoice_id),
        facts={"number": delivery.invoice.number, **facts},
    )
