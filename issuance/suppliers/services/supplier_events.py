"""Reports of suppliers on their orders. They arrive repeatedly, late and in any order; each changes an item at most once."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from issuance.authz import Action, Actor, client
from issuance.carriers.domain.carrier_states import CarrierState
from issuance.carriers.models import Carrier, CarrierCertificate
from issuance.orders.domain.items import ItemState
from issuance.orders.domain.puk_states import PukState
from issuance.orders.models.orders import OrderItem
from issuance.records.models.events import Event
from issuance.suppliers.domain import (
    EventOutcome,
    Produced,
    Returned,
    Sent,
    SupplierReport,
    from_payload,
    outcome_of,
    to_payload,
)
from issuance.suppliers.models import SupplierEvent
from issuance.suppliers.services import applying, puks
from issuance.suppliers.services.item_rows import ItemRows, lock_item, require_accepted
from pki import service as pki
from siths_portal.lib import clock
from siths_portal.lib.canonical import canonical_json, sha256_hex
from siths_portal.lib.errors import Conflict, Invalid

_SEQUENCE = (Produced.kind, Sent.kind, Returned.kind)


@transaction.atomic(durable=True)
def register_event(*, client_ref: str, order_id: UUID, event: SupplierReport, item: int | None = None) -> EventOutcome:
    """Processes a supplier's report on an item of its accepted order: applied, repeated, parked until an earlier step, or noted.
    `item` is the item's number; None means the only one.

    A report that a card is produced waits until its certificates are issued; if they fail, it is only noted. A report that a
    letter is produced waits until its PUK is handed out. A card does not count as sent before its PUK is sealed. No report makes
    a revoked carrier valid. Raises NotFound, Invalid (form), Conflict (an order that is not accepted, was withdrawn, or has
    several items; the same kind of report with other content).
    """
    actor = client(client_ref)
    rows = lock_item(actor, Action.SUPPLY, order_id, item)
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
        applying.apply(actor, rows, event)
    else:
        facts = {"kind": event.kind, "outcome": outcome.value}
        _record_noted(actor, rows.item, facts)
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


def replay_parked(actor: Actor, rows: ItemRows) -> None:
    """Applies parked reports whose predecessor has been applied, in natural order. A report that can never apply becomes noted.
    First updates the state of the PUK, which `sent` waits for.
    """
    if rows.made is not None:
        puks.update_from_pki(rows.item, rows.made)
    parked = {row.kind: row for row in SupplierEvent.objects.filter(item=rows.item, status=EventOutcome.PARKED.value)}
    for row in [parked[kind] for kind in _SEQUENCE if kind in parked]:
        outcome = _outcome(rows, row.kind)
        if outcome is EventOutcome.PARKED:
            continue
        if outcome is EventOutcome.APPLIED:
            try:
                applying.apply(actor, rows, from_payload(row.kind, row.payload))
            except Invalid as error:
                # The parked report is no longer valid. Deleting it makes the supplier's next report count as the first.
                _record_noted(actor, rows.item, {"kind": row.kind, "outcome": "dropped", "error": error.code})
                puks.refuse(rows.item, error.code)
                row.delete()
                return
            row.applied_at = clock.now()
        row.status = outcome.value
        row.payload.pop("puk_jwe", None)
        row.save(update_fields=["status", "applied_at", "payload"])


@transaction.atomic(durable=True)
def replay_reports(*, client_ref: str, order_id: UUID, item: int | None = None) -> None:
    """Replays reports that arrived while the certificates of an item were being signed or its PUK opened. Repeatable. Raises
    NotFound, Conflict if the order has several items and `item` is None.
    """
    waiting = _waiting(OrderItem.objects.filter(order=order_id))
    if (waiting if item is None else waiting.filter(number=item)).exists():
        actor = client(client_ref)
        replay_parked(actor, lock_item(actor, Action.SUPPLY, order_id, item))


def _waiting(items: QuerySet[OrderItem]) -> QuerySet[OrderItem]:
    """Returns the items with parked reports or a PUK that waits for `pki`."""
    parked = SupplierEvent.objects.filter(item=OuterRef("pk"), status=EventOutcome.PARKED.value)
    return items.filter(Exists(parked) | Q(puk=PukState.PENDING.value))


def _replay_each(items: QuerySet[OrderItem]) -> list[int]:
    """Replays the reports of each item, in a transaction of its own. Returns the items' keys."""
    keys = list(items.order_by("pk").values_list("pk", "order__supplier_ref", "order", "number"))
    for _pk, client_ref, order_id, number in keys:
        replay_reports(client_ref=client_ref, order_id=order_id, item=number)
    return [pk for pk, *_ in keys]


def replay_parked_of(order_ids: Iterable[UUID]) -> None:
    """Replays the parked reports of the orders' items, each item in a transaction."""
    parked = SupplierEvent.objects.filter(item__order__in=list(order_ids), status=EventOutcome.PARKED.value)
    _replay_each(OrderItem.objects.filter(pk__in=parked.values("item")))


def on_secret_settled(*, secret_ids: Iterable[UUID], **_signal: Any) -> None:
    """Receives `pki.signals.secret_settled`: updates the items' PUK states and replays their parked reports."""
    _replay_each(OrderItem.objects.filter(carrier__puk_secret_id__in=list(secret_ids)))


def replay_all() -> int:
    """Replays the parked reports of every item that may have progressed, and returns how many items did. Sweeps certificates
    and PUKs that were settled after the supplier's last call, and lost signals. Runs a transaction for each item.
    """
    parked = SupplierEvent.objects.filter(
        Q(kind=Produced.kind, item__state=ItemState.IN_PRODUCTION.value)
        | Q(kind=Sent.kind, item__state=ItemState.PRODUCED.value),
        status=EventOutcome.PARKED.value,
    )
    pending = OrderItem.objects.filter(puk=PukState.PENDING.value)
    waiting = OrderItem.objects.filter(Q(pk__in=parked.values("item")) | Q(pk__in=pending.values("pk")))
    keys = _replay_each(waiting)
    return len(keys) - waiting.filter(pk__in=keys).count()


def _outcome(rows: ItemRows, kind: str) -> EventOutcome:
    """Returns the report's outcome now, by the item's state and, before a card is sent, by its certificates and its PUK."""
    outcome = outcome_of(kind, ItemState(rows.item.state))
    if rows.made is None:
        return outcome
    if outcome is EventOutcome.APPLIED and kind == Returned.kind and _is_received(rows.made):
        return EventOutcome.NOTED  # its holder or office has the card, so a supplier ends neither card nor order (ADR 0033)
    if outcome is EventOutcome.APPLIED and kind == Sent.kind and puks.blocks_sending(rows.item):
        # A card that ended before its PUK was sealed was not delivered and is not charged.
        return EventOutcome.PARKED if rows.made.state == CarrierState.ORDERED else EventOutcome.NOTED
    if rows.item.state != ItemState.IN_PRODUCTION or kind not in _SEQUENCE or not rows.made.card_key_sha256:
        return outcome  # a card without a card key was certified by another CA
    ids = CarrierCertificate.objects.filter(carrier=rows.made).values_list("certificate_id", flat=True)
    statuses = {view.status for view in pki.certificates(ids)}
    if statuses & {"revoked", "failed"}:
        return EventOutcome.NOTED
    return outcome if statuses == {"issued"} else EventOutcome.PARKED


def _is_received(carrier: Carrier) -> bool:
    """Returns whether the holder has chosen a code for the card, or an office has received it to its stock."""
    return carrier.code_set_at is not None or carrier.state in (CarrierState.IN_STOCK, CarrierState.RESERVED)


def _check_form(rows: ItemRows, event: SupplierReport) -> None:
    is_letter = rows.made is None
    faults = event.faults_of_letter() if is_letter and isinstance(event, Produced) else event.faults()
    if isinstance(event, Sent):
        if event.sent_on > clock.today():
            faults["sent_on"] = ["Datumet ligger i framtiden. Ange dagen då kortet lämnades till posten."]
        elif event.sent_on < rows.order.ordered_at.astimezone(clock.STOCKHOLM).date():
            faults["sent_on"] = ["Datumet ligger före beställningens dag. Ange dagen då kortet lämnades till posten."]
        if rows.order.article.registered_mail and not event.registered_mail_id:
            faults["registered_mail_id"] = ["Ange REK-id för det rekommenderade brevet (REK)."]
    if rows.made is not None and isinstance(event, Produced) and event.no_puk and puks.is_required(rows.made):
        faults["no_puk"] = ["Kortet behöver en PUK. Skicka den som puk_jwe."]
    if rows.made is not None and isinstance(event, Produced) and event.puk_jwe and not puks.is_required(rows.made):
        faults["puk_jwe"] = ["Kortet har inga nycklar hos portalen, så dess PUK tas inte emot. Skicka no_puk."]
    if faults:
        raise Invalid("event", "Rapporten uppfyller inte reglerna. Rätta de fält som anges.", fields=faults)


def _repeated_report(actor: Actor, rows: ItemRows, known: SupplierEvent, event: SupplierReport, content: str) -> EventOutcome:
    """Returns the outcome of a repeated kind of report. It changes nothing unless it brings a new PUK for a refused one."""
    if known.content_sha256 != content:
        raise Conflict("event-mismatch", "Händelsen är redan rapporterad för beställningen med andra uppgifter.")
    refused = rows.item.puk == PukState.REFUSED and rows.carrier.state == CarrierState.ORDERED
    if not (isinstance(event, Produced) and event.puk_jwe and refused and known.status == EventOutcome.APPLIED.value):
        return EventOutcome.REPEATED
    rows.carrier.puk_secret_id = puks.receive(rows.item, rows.carrier, event.puk_jwe, actor_ref=actor.ref)
    rows.carrier.save(update_fields=["puk_secret_id"])
    _record_noted(actor, rows.item, {"kind": event.kind, "outcome": "puk-renewed"})
    return EventOutcome.APPLIED


def _record_noted(actor: Actor, item: OrderItem, facts: dict[str, Any]) -> None:
    facts |= {"item": item.number} if item.number > 1 else {}
    reference = str(item.order_id)
    Event.record(actor_ref=actor.ref, action="order.report_noted", subject_type="order", subject_ref=reference, facts=facts)
