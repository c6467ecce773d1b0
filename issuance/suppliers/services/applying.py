"""What a supplier's report changes when it applies: the item with its order, the carrier and its eIDs."""

from issuance.authz import Actor
from issuance.carriers.domain.carrier_states import CarrierAction, CarrierState
from issuance.carriers.domain.eid_states import EidAction
from issuance.carriers.models import CarrierCertificate
from issuance.orders.domain.items import ItemAction
from issuance.orders.services import progress
from issuance.records.services import steps
from issuance.revocation.domain import RevocationReason
from issuance.revocation.services.revocation import revoke_locked
from issuance.suppliers.domain import Failed, Produced, Returned, Sent, SupplierReport
from issuance.suppliers.services import puks
from issuance.suppliers.services.item_rows import ItemRows
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
    progress.step_items(
        rows.order,
        [rows.item],
        ItemAction.SEND,
        actor_ref=actor.ref,
        facts={"sent_on": event.sent_on.isoformat(), "carrier": rows.carrier.state},
        sent_on=event.sent_on,
        registered_mail_id=event.registered_mail_id,
    )
    if rows.carrier.state == CarrierState.ORDERED:
        steps.step([rows.carrier], CarrierAction.SEND, actor_ref=actor.ref, sent_at=clock.now())


def _failed(actor: Actor, rows: ItemRows, event: Failed) -> None:
    """Ends the item and its card."""
    facts = {"reason": event.reason, "carrier": rows.carrier.state}
    progress.step_items(rows.order, [rows.item], ItemAction.FAIL, actor_ref=actor.ref, facts=facts, reason=event.reason)
    end_card(actor, rows)


def end_card(actor: Actor, rows: ItemRows) -> None:
    """Ends a card that will not be sent: revokes one with certificates, and cancels one without."""
    carrier = rows.carrier
    if carrier.state != CarrierState.ORDERED:
        return
    if CarrierCertificate.objects.filter(carrier=carrier).exists():
        revoke_locked([carrier], actor=actor, reason=RevocationReason.PRODUCTION_FAILED)
        return
    steps.step([carrier], CarrierAction.CANCEL, actor_ref=actor.ref, ended_at=clock.now())
    steps.step(rows.eids, EidAction.CANCEL, actor_ref=actor.ref, ended_at=clock.now())


def _returned(actor: Actor, rows: ItemRows, event: Returned) -> None:
    """Ends the item and revokes the card, which nobody has activated."""
    facts = {"reason": event.reason, "carrier": rows.carrier.state}
    progress.step_items(rows.order, [rows.item], ItemAction.RETURN, actor_ref=actor.ref, facts=facts, reason=event.reason)
    if rows.carrier.state == CarrierState.SENT:
        revoke_locked([rows.carrier], actor=actor, reason=RevocationReason.RETURNED)
