"""What a supplier's report changes when it applies: the item with its order, and the carrier that it makes with its eIDs."""

from issuance.authz import Actor
from issuance.carriers.domain import kinds
from issuance.carriers.domain.carrier_states import CarrierAction, CarrierState
from issuance.carriers.domain.eid_states import EidAction, EidState
from issuance.carriers.models import Carrier, CarrierCertificate
from issuance.orders.domain.items import ItemAction
from issuance.orders.models.orders import OrderItem
from issuance.orders.services import progress
from issuance.records.services import steps
from issuance.revocation.domain import RevocationReason
from issuance.revocation.services.revocation import revoke_locked
from issuance.suppliers.domain import Failed, Produced, Returned, Sent, SupplierReport
from issuance.suppliers.services import puks
from issuance.suppliers.services.item_rows import ItemRows
from pki import service as pki
from siths_portal.lib import clock


def apply(actor: Actor, rows: ItemRows, event: SupplierReport) -> None:
    """Applies a report to locked rows whose states allow it, in the caller's transaction. Raises Invalid if `pki` refuses the
    PUK's form.
    """
    match event:
        case Produced():
            _produced(actor, rows, event)
        case Sent():
            _sent(actor, rows, event)
        case Failed():
            _failed(actor, rows, event)
        case Returned():
            _returned(actor, rows, event)


def _produced(actor: Actor, rows: ItemRows, event: Produced) -> None:
    if rows.made is None:
        progress.step_items(rows.order, [rows.item], ItemAction.PRODUCE, actor_ref=actor.ref, facts={})
        return
    carrier = rows.carrier
    bound = carrier.state == CarrierState.ORDERED
    secret = None
    if event.no_puk:
        puks.receive_none(rows.item)
    elif bound:
        secret = puks.receive(rows.item, carrier, event.puk_jwe, actor_ref=actor.ref)
    facts = {"mifare_id": event.mifare_id, "carrier": carrier.state}
    progress.step_items(rows.order, [rows.item], ItemAction.PRODUCE, actor_ref=actor.ref, facts=facts)
    if bound:
        steps.step(
            [carrier],
            CarrierAction.REGISTER_PRODUCED,
            actor_ref=actor.ref,
            facts={"mifare_id": event.mifare_id},
            mifare_id=event.mifare_id,
            puk_secret_id=secret,
        )


def _sent(actor: Actor, rows: ItemRows, event: Sent) -> None:
    """Applies the billable step. A carrier that was revoked in the meantime stays revoked; the card was made and is charged."""
    _erase_puk(rows.item)
    progress.step_items(
        rows.order,
        [rows.item],
        ItemAction.SEND,
        actor_ref=actor.ref,
        facts={"sent_on": event.sent_on.isoformat(), **_registered(event), **_state(rows)},
        sent_on=event.sent_on,
        registered_mail_id=event.registered_mail_id,
    )
    if rows.made is not None and rows.made.state == CarrierState.ORDERED:
        _in_the_post(actor, rows, rows.made)


def _in_the_post(actor: Actor, rows: ItemRows, carrier: Carrier) -> None:
    """Sends the card. A kind that is active on delivery is in use from now on, with its eIDs."""
    now = clock.now()
    if not kinds.kind_of(carrier.kind).active_on_delivery:
        steps.step([carrier], CarrierAction.SEND, actor_ref=actor.ref, sent_at=now)
        return
    steps.step([carrier], CarrierAction.SEND, actor_ref=actor.ref, sent_at=now, activated_at=now)
    waiting = [eid for eid in rows.eids if eid.state == EidState.ORDERED]
    steps.step(waiting, EidAction.ACTIVATE, actor_ref=actor.ref, activated_at=now)


def _registered(event: Sent) -> dict[str, str]:
    return {"registered_mail_id": event.registered_mail_id} if event.registered_mail_id else {}


def _failed(actor: Actor, rows: ItemRows, event: Failed) -> None:
    """Ends the item and the card that it makes."""
    facts = {"reason": event.reason, **_state(rows)}
    progress.step_items(rows.order, [rows.item], ItemAction.FAIL, actor_ref=actor.ref, facts=facts, reason=event.reason)
    end_piece(actor, rows)


def end_piece(actor: Actor, rows: ItemRows) -> None:
    """Ends what will not be sent: revokes a card with certificates, cancels one without, and erases the PUK of a letter."""
    _erase_puk(rows.item)
    carrier = rows.made
    if carrier is None or carrier.state != CarrierState.ORDERED:
        return
    if CarrierCertificate.objects.filter(carrier=carrier).exists():
        revoke_locked([carrier], actor=actor, reason=RevocationReason.PRODUCTION_FAILED)
        return
    steps.step([carrier], CarrierAction.CANCEL, actor_ref=actor.ref, ended_at=clock.now())
    waiting = [eid for eid in rows.eids if eid.state == EidState.ORDERED]  # one may be revoked
    steps.step(waiting, EidAction.CANCEL, actor_ref=actor.ref, ended_at=clock.now())


def _returned(actor: Actor, rows: ItemRows, event: Returned) -> None:
    """Ends the item and revokes its card, which no holder has activated. The card of a letter stays in use."""
    facts = {"reason": event.reason, **_state(rows)}
    progress.step_items(rows.order, [rows.item], ItemAction.RETURN, actor_ref=actor.ref, facts=facts, reason=event.reason)
    if rows.made is not None and rows.made.state == _sent_state(rows.made):
        revoke_locked([rows.made], actor=actor, reason=RevocationReason.RETURNED)


def _sent_state(carrier: Carrier) -> CarrierState:
    """Returns the state of a sent card of this kind that nobody has activated."""
    return CarrierState.ACTIVE if kinds.kind_of(carrier.kind).active_on_delivery else CarrierState.SENT


def _erase_puk(item: OrderItem) -> None:
    """Erases what was made for a letter that is sent or ends. Does nothing for other items."""
    if item.puk_delivery_id is not None:
        pki.destroy_delivery(item.puk_delivery_id)


def _state(rows: ItemRows) -> dict[str, str]:
    """Returns the state of the carrier that the item makes, as a fact of the order's event."""
    return {} if rows.made is None else {"carrier": rows.made.state}
