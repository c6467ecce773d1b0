"""Reports of suppliers on their orders. They arrive repeatedly, late and in any order; each changes the order at most once."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Q

from issuance.authz import Action, Actor, client, policy
from issuance.carriers.domain.carrier_states import CarrierAction, CarrierState
from issuance.carriers.domain.eid_states import EidAction
from issuance.carriers.models import Carrier, CarrierCertificate, Eid
from issuance.orders.domain.order_states import OrderAction, OrderState
from issuance.orders.domain.puk_states import PukState
from issuance.orders.models.orders import CardOrder, OrderItem
from issuance.records.models.events import Event
from issuance.records.services import steps
from issuance.revocation.domain import RevocationReason
from issuance.revocation.services.revocation import revoke_locked
from issuance.suppliers.domain import (
    EventOutcome,
    Failed,
    Produced,
    Returned,
    Sent,
    SupplierReport,
    from_payload,
    outcome_of,
    to_payload,
)
from issuance.suppliers.models import SupplierEvent
from issuance.suppliers.services import puks
from pki import service as pki
from siths_portal.lib import clock
from siths_portal.lib.canonical import canonical_json, sha256_hex
from siths_portal.lib.errors import Conflict, Invalid

_SEQUENCE = (Produced.kind, Sent.kind, Returned.kind)


@dataclass(frozen=True)
class OrderRows:
    """The locked rows of one order, and the item that is its card."""

    carrier: Carrier
    eids: list[Eid]
    order: CardOrder
    item: OrderItem


def lock_order(actor: Actor, action: Action, order_id: UUID) -> OrderRows:
    """Locks carrier, eIDs and order, in this order, if `actor` may do `action` to the order. Raises NotFound."""
    seen = policy.get(actor, action, CardOrder.objects.with_card(), order_id)
    carrier = Carrier.objects.select_for_update(no_key=True).get(pk=seen.carrier_id)
    eids = list(Eid.objects.select_for_update(no_key=True).filter(carrier=carrier).order_by("id"))
    rows = CardOrder.objects.select_for_update(of=("self",), no_key=True).select_related("article")
    return OrderRows(carrier, eids, policy.get(actor, action, rows, order_id), seen.card)


def require_not_withdrawn(order: CardOrder) -> None:
    """Raises Conflict if the customer withdrew the order, which is possible until the supplier accepts it."""
    if order.state == OrderState.CANCELLED:
        raise Conflict("order-withdrawn", "Beställningen är borttagen av kunden. Tillverka inget kort.")


def require_accepted(order: CardOrder) -> None:
    """Raises Conflict unless the supplier has accepted the order, also if the customer withdrew it."""
    require_not_withdrawn(order)
    if order.state == OrderState.QUEUED:
        raise Conflict("order-not-accepted", "Beställningen är inte accepterad. Acceptera den först.")


@transaction.atomic(durable=True)
def register_event(*, client_ref: str, order_id: UUID, event: SupplierReport) -> EventOutcome:
    """Processes a supplier's report on its accepted order: applied, repeated, parked until an earlier step, or noted.

    A report that a card is produced waits until its certificates are issued; if they fail, it is only noted. A card does not
    count as sent before its PUK is sealed. No report makes a revoked carrier valid. Raises NotFound, Invalid (form), Conflict
    (an order that is not accepted or was withdrawn; the same kind of report with other content).
    """
    actor = client(client_ref)
    rows = lock_order(actor, Action.SUPPLY, order_id)
    require_accepted(rows.order)
    _check_form(rows, event)
    replay_parked(actor, rows)
    content = sha256_hex(canonical_json(event.content()))
    known = SupplierEvent.objects.filter(item=rows.item, kind=event.kind).first()
    if known is not None:
        return _repeated_report(actor, rows, known, event, content)
    outcome = _outcome(rows, event.kind)
    now = clock.now()
    if outcome is EventOutcome.APPLIED:
        _apply(actor, rows, event)
    else:
        facts = {"kind": event.kind, "outcome": outcome.value}
        _record_noted(actor, rows.order, facts)
    payload = to_payload(event)
    if outcome is not EventOutcome.PARKED:
        payload.pop("puk_jwe", None)
    SupplierEvent.objects.create(
        item=rows.item,
        kind=event.kind,
        status=outcome.value,
        content_sha256=content,
        payload=payload,
        received_at=now,
        applied_at=now if outcome is EventOutcome.APPLIED else None,
    )
    replay_parked(actor, rows)
    return outcome


def replay_parked(actor: Actor, rows: OrderRows) -> None:
    """Applies parked reports whose predecessor has been applied, in natural order. A report that can never apply becomes noted.
    First updates the state of the PUK, which `sent` waits for.
    """
    puks.update_from_pki(rows.order, rows.carrier)
    parked = {row.kind: row for row in SupplierEvent.objects.filter(item=rows.item, status=EventOutcome.PARKED.value)}
    for row in [parked[kind] for kind in _SEQUENCE if kind in parked]:
        outcome = _outcome(rows, row.kind)
        if outcome is EventOutcome.PARKED:
            continue
        if outcome is EventOutcome.APPLIED:
            try:
                _apply(actor, rows, from_payload(row.kind, row.payload))
            except Invalid as error:
                # The parked report is no longer valid. Deleting it makes the supplier's next report count as the first.
                _record_noted(actor, rows.order, {"kind": row.kind, "outcome": "dropped", "error": error.code})
                puks.refuse(rows.order, error.code)
                row.delete()
                return
            row.applied_at = clock.now()
        row.status = outcome.value
        row.payload.pop("puk_jwe", None)
        row.save(update_fields=["status", "applied_at", "payload"])


@transaction.atomic(durable=True)
def replay_reports(*, client_ref: str, order_id: UUID) -> None:
    """Replays reports that arrived while the certificates were being signed or the PUK opened. Repeatable. Raises NotFound."""
    parked = SupplierEvent.objects.filter(item__order=order_id, status=EventOutcome.PARKED.value)
    if parked.exists() or CardOrder.objects.filter(pk=order_id, puk=PukState.PENDING.value).exists():
        actor = client(client_ref)
        replay_parked(actor, lock_order(actor, Action.SUPPLY, order_id))


def on_secret_settled(*, secret_ids: Iterable[UUID], **_signal: Any) -> None:
    """Receives `pki.signals.secret_settled`: updates the orders' PUK states and replays their parked reports."""
    orders = CardOrder.objects.filter(items__carrier__puk_secret_id__in=list(secret_ids))
    for client_ref, order_id in orders.order_by("pk").values_list("supplier_ref", "pk"):
        replay_reports(client_ref=client_ref, order_id=order_id)


def replay_all() -> int:
    """Replays the parked reports of every order that may have progressed, and returns how many orders did. Sweeps certificates
    and PUKs that were settled after the supplier's last call, and lost signals. Runs a transaction for each order.
    """
    parked = SupplierEvent.objects.filter(
        Q(kind=Produced.kind, item__order__state=OrderState.IN_PRODUCTION.value)
        | Q(kind=Sent.kind, item__order__state=OrderState.PRODUCED.value),
        status=EventOutcome.PARKED.value,
    )
    pending = CardOrder.objects.filter(puk=PukState.PENDING.value)
    waiting = CardOrder.objects.filter(Q(pk__in=parked.values("item__order")) | Q(pk__in=pending.values("pk")))
    keys = list(waiting.order_by("pk").values_list("supplier_ref", "pk"))
    for client_ref, order_id in keys:
        replay_reports(client_ref=client_ref, order_id=order_id)
    return len(keys) - waiting.filter(pk__in=[order_id for _, order_id in keys]).count()


def _outcome(rows: OrderRows, kind: str) -> EventOutcome:
    """Returns the report's outcome now, by the order's state and, before the card is sent, by its certificates and its PUK."""
    outcome = outcome_of(kind, OrderState(rows.order.state))
    if outcome is EventOutcome.APPLIED and kind == Returned.kind and rows.carrier.code_set_at is not None:
        return EventOutcome.NOTED  # the holder has the card, so a supplier neither revokes it nor ends its order (ADR 0033)
    if outcome is EventOutcome.APPLIED and kind == Sent.kind and puks.blocks_sending(rows.order):
        # A card that ended before its PUK was sealed was not delivered and is not charged.
        return EventOutcome.PARKED if rows.carrier.state == CarrierState.ORDERED else EventOutcome.NOTED
    if rows.order.state != OrderState.IN_PRODUCTION or kind not in _SEQUENCE or not rows.carrier.card_key_sha256:
        return outcome  # a card without a card key was certified by another CA
    ids = CarrierCertificate.objects.filter(carrier=rows.carrier).values_list("certificate_id", flat=True)
    statuses = {view.status for view in pki.certificates(ids)}
    if statuses & {"revoked", "failed"}:
        return EventOutcome.NOTED
    return outcome if statuses == {"issued"} else EventOutcome.PARKED


def _check_form(rows: OrderRows, event: SupplierReport) -> None:
    faults = event.faults()
    if isinstance(event, Sent):
        if event.sent_on > clock.today():
            faults["sent_on"] = ["Datumet ligger i framtiden. Ange dagen då kortet lämnades till posten."]
        elif event.sent_on < rows.order.ordered_at.astimezone(clock.STOCKHOLM).date():
            faults["sent_on"] = ["Datumet ligger före beställningens dag. Ange dagen då kortet lämnades till posten."]
        if rows.order.article.registered_mail and not event.registered_mail_id:
            faults["registered_mail_id"] = ["Ange REK-id för det rekommenderade brevet (REK)."]
    if isinstance(event, Produced) and event.no_puk and puks.is_required(rows.carrier):
        faults["no_puk"] = ["Kortet behöver en PUK. Skicka den som puk_jwe."]
    if isinstance(event, Produced) and event.puk_jwe and not puks.is_required(rows.carrier):
        faults["puk_jwe"] = ["Kortet har inga nycklar hos portalen, så dess PUK tas inte emot. Skicka no_puk."]
    if faults:
        raise Invalid("event", "Rapporten uppfyller inte reglerna. Rätta de fält som anges.", fields=faults)


def _repeated_report(actor: Actor, rows: OrderRows, known: SupplierEvent, event: SupplierReport, content: str) -> EventOutcome:
    """Returns the outcome of a repeated kind of report. It changes nothing unless it brings a new PUK for a refused one."""
    if known.content_sha256 != content:
        raise Conflict("event-mismatch", "Händelsen är redan rapporterad för beställningen med andra uppgifter.")
    refused = rows.order.puk == PukState.REFUSED and rows.carrier.state == CarrierState.ORDERED
    if not (isinstance(event, Produced) and event.puk_jwe and refused and known.status == EventOutcome.APPLIED.value):
        return EventOutcome.REPEATED
    rows.carrier.puk_secret_id = puks.receive(rows.order, rows.carrier, event.puk_jwe, actor_ref=actor.ref)
    rows.carrier.save(update_fields=["puk_secret_id"])
    _record_noted(actor, rows.order, {"kind": event.kind, "outcome": "puk-renewed"})
    return EventOutcome.APPLIED


def _record_noted(actor: Actor, order: CardOrder, facts: dict[str, Any]) -> None:
    Event.record(actor_ref=actor.ref, action="order.report_noted", subject_type="order", subject_ref=str(order.id), facts=facts)


def _apply(actor: Actor, rows: OrderRows, event: SupplierReport) -> None:
    match event:
        case Produced():
            _produced(actor, rows, event)
        case Sent():
            _sent(actor, rows, event)
        case Failed():
            _failed(actor, rows, event)
        case Returned():
            _returned(actor, rows, event)


def _produced(actor: Actor, rows: OrderRows, event: Produced) -> None:
    carrier = rows.carrier
    bound = carrier.state == CarrierState.ORDERED
    secret = None
    if event.no_puk:
        puks.receive_none(rows.order)
    elif bound:
        secret = puks.receive(rows.order, carrier, event.puk_jwe, actor_ref=actor.ref)
    facts = {"mifare_id": event.mifare_id, "carrier": carrier.state}
    steps.step([rows.order], OrderAction.PRODUCE, actor_ref=actor.ref, facts=facts, produced_at=clock.now())
    if bound:
        steps.step(
            [carrier],
            CarrierAction.REGISTER_PRODUCED,
            actor_ref=actor.ref,
            facts={"mifare_id": event.mifare_id},
            mifare_id=event.mifare_id,
            puk_secret_id=secret,
        )


def _sent(actor: Actor, rows: OrderRows, event: Sent) -> None:
    """Applies the billable step. A carrier that was revoked in the meantime stays revoked; the card was made and is charged."""
    now = clock.now()
    steps.step(
        [rows.order],
        OrderAction.SEND,
        actor_ref=actor.ref,
        facts={"sent_on": event.sent_on.isoformat(), "carrier": rows.carrier.state},
        sent_at=now,
        sent_on=event.sent_on,
        registered_mail_id=event.registered_mail_id,
    )
    if rows.carrier.state == CarrierState.ORDERED:
        steps.step([rows.carrier], CarrierAction.SEND, actor_ref=actor.ref, sent_at=now)


def _failed(actor: Actor, rows: OrderRows, event: Failed) -> None:
    """Ends the order. A card with certificates is revoked, one without is cancelled."""
    carrier = rows.carrier
    facts = {"reason": event.reason, "carrier": carrier.state}
    steps.step([rows.order], OrderAction.FAIL, actor_ref=actor.ref, facts=facts, failure_reason=event.reason)
    if carrier.state != CarrierState.ORDERED:
        return
    if CarrierCertificate.objects.filter(carrier=carrier).exists():
        revoke_locked([carrier], actor=actor, reason=RevocationReason.PRODUCTION_FAILED)
        return
    steps.step([carrier], CarrierAction.CANCEL, actor_ref=actor.ref, ended_at=clock.now())
    steps.step(rows.eids, EidAction.CANCEL, actor_ref=actor.ref, ended_at=clock.now())


def _returned(actor: Actor, rows: OrderRows, event: Returned) -> None:
    """Ends the order and revokes the card, which nobody has activated."""
    facts = {"reason": event.reason, "carrier": rows.carrier.state}
    steps.step([rows.order], OrderAction.RETURN, actor_ref=actor.ref, facts=facts)
    if rows.carrier.state == CarrierState.SENT:
        revoke_locked([rows.carrier], actor=actor, reason=RevocationReason.RETURNED)
