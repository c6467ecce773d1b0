"""Sends the outbox to suppliers.

The worker leases a delivery in a short transaction, calls the supplier outside any transaction, and records the outcome in a
second one, with the step that follows from it. If it dies in between, the lease ends and the call is repeated with the same key.
"""

import datetime as dt
from dataclasses import dataclass
from uuid import UUID

import structlog
from django.db import transaction
from django.db.models import QuerySet

from authn import service as authn
from issuance.orders.domain.order_states import UNDER_WAY
from issuance.records.models.events import Event
from issuance.suppliers import queries
from issuance.suppliers.models import SupplierChange
from issuance.suppliers.push import domain
from issuance.suppliers.push.domain import Outcome
from issuance.suppliers.push.models import SENDABLE, PushAnswer, PushAttempt, PushDelivery, PushState
from issuance.suppliers.push.ports import BadAnswer, Channel, OutgoingOrder, Receipt
from issuance.suppliers.push.services import connections, outbox
from issuance.suppliers.services import supplier_intake
from siths_portal.lib import clock, faults
from siths_portal.lib import ports as connected
from siths_portal.lib.database import leases, locks
from siths_portal.lib.errors import Conflict, NotFound, Refused, Unavailable

ACTOR = "system:supplier-push"
LEASE = dt.timedelta(minutes=2)
"""Longer than one call can take."""

BATCH = 500

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class _Leased:
    """A delivery for this worker, and what it sends; with neither, nothing needs to be sent any more."""

    endpoint: authn.PushEndpoint
    delivery_id: UUID
    order_id: UUID | None = None
    change: SupplierChange | None = None


@dataclass(frozen=True)
class _Result:
    """What came of a call. `code` is that of the refusal or fault."""

    outcome: Outcome
    code: str = ""
    receipt: Receipt | None = None


def wake_due() -> None:
    """Adds missing outbox rows and wakes the worker for each supplier with a delivery that is due. Sweeps lost wake-ups."""
    endpoints = authn.push_endpoints()
    outbox.add_missing(list(endpoints))
    rows = PushDelivery.objects.filter(supplier_ref__in=endpoints)
    due = leases.due(rows, furthest=leases.LONGEST_WAIT).order_by("supplier_ref")
    for client_ref in due.values_list("supplier_ref", flat=True).distinct():
        outbox.wake(client_ref)


def push_to(client_ref: str, *, limit: int = BATCH) -> int:
    """Makes the call that is due for each delivery to the supplier, the longest due first, and returns how many calls were made.

    One worker at a time sends to a supplier. Can be repeated and killed.
    """
    endpoint = authn.push_endpoints().get(client_ref)
    if endpoint is None:
        return 0
    calls = 0
    with locks.held_if_free(locks.number(f"suppliers.push {client_ref}")) as is_mine:
        while is_mine and calls < limit and (leased := _lease(endpoint)) is not None:
            _record(leased, _call(leased))
            calls += 1
    return calls


def _lease(endpoint: authn.PushEndpoint) -> _Leased | None:
    """Leases the next delivery, unless the connection is paused or interrupted. Orders wait until their print is verified."""
    rows = PushDelivery.objects.filter(SENDABLE, supplier_ref=endpoint.client_ref)
    with transaction.atomic(durable=True):
        connection, now = connections.locked(endpoint.client_ref), clock.now()
        if connection.paused_at is not None or not connection.breaker.admits(now):
            return None
        found = rows.select_related("order", "change__customisation")
        delivery = leases.lease(found, lasts=LEASE, furthest=leases.LONGEST_WAIT)
        if delivery is None:
            return None
        connection.set_breaker(connection.breaker.trying(now))
        connection.save(update_fields=["failures", "open_until"])
        needed = delivery.order is None or delivery.order.state in UNDER_WAY
        return _Leased(endpoint, delivery.pk, delivery.order_id if needed else None, delivery.change)


def _call(leased: _Leased) -> _Result:
    if leased.order_id is None and leased.change is None:
        return _Result(Outcome.HELD, "ended")
    try:
        receipt = _send(leased)
    except BadAnswer as error:
        result = _Result(Outcome.BAD_ANSWER, error.code)
    except Unavailable as error:
        result = _Result(Outcome.NO_ANSWER, error.code)
    except Refused as error:
        result = _Result(Outcome.REFUSED, error.code)
    except _Held as error:
        result = _Result(Outcome.HELD, str(error))
    else:
        result = _Result(Outcome.TAKEN, receipt=receipt)
    faults.point("suppliers.after-call")
    return result


class _Held(Exception):
    """The call could not be made; the argument is the code of the reason."""


def _send(leased: _Leased) -> Receipt:
    channel: Channel = connected.get(Channel)
    if leased.change is not None:
        faults.point("suppliers.before-call")
        return channel.send_change(leased.endpoint, leased.delivery_id, leased.change)
    order = _read(leased)
    faults.point("suppliers.before-call")
    return channel.send_order(leased.endpoint, leased.delivery_id, order)


def _read(leased: _Leased) -> OutgoingOrder:
    """Reads the order as the supplier's, and the address live. Without an address the supplier learns why from the API."""
    assert leased.order_id is not None  # noqa: S101  (narrows the type)
    client_ref = leased.endpoint.client_ref
    try:
        order = supplier_intake.order(client_ref=client_ref, order_id=leased.order_id)
    except NotFound:
        raise _Held("not-the-suppliers") from None
    if not supplier_intake.is_to_be_made(order):
        raise _Held("ended")
    officer = queries.id_administrator(client_ref=client_ref, order=order)
    try:
        return OutgoingOrder(order, supplier_intake.delivery_of(client_ref=client_ref, order=order), officer)
    except Conflict:
        return OutgoingOrder(order, None, officer)
    except Unavailable:
        raise _Held("person-register") from None


def _record(leased: _Leased, result: _Result) -> None:
    """Records the call and takes the step that follows from it, in one transaction."""
    with transaction.atomic(durable=True):
        result = _proved(leased, result)
        if result.outcome is Outcome.TAKEN and leased.order_id is not None:
            result = _accepted(leased, leased.order_id, result)
        delivery = PushDelivery.objects.select_for_update(no_key=True).get(pk=leased.delivery_id)
        PushAttempt.objects.create(delivery=delivery, at=clock.now(), outcome=result.outcome.value, code=result.code)
        _note(leased.endpoint.client_ref, result.outcome)
        if delivery.state == PushState.WAITING:  # else an operator has gone on meanwhile; the call is kept above
            _advance(delivery, result)
        faults.point("suppliers.before-commit")


def _proved(leased: _Leased, result: _Result) -> _Result:
    """Takes the answer's id, which is good for one delivery. A repeated call may get its answer again."""
    if result.receipt is None:
        return result
    answer, _new = PushAnswer.objects.get_or_create(
        supplier_ref=leased.endpoint.client_ref,
        answer_id=result.receipt.answer_id,
        defaults={"delivery_id": leased.delivery_id, "at": clock.now()},
    )
    return result if answer.delivery_id == leased.delivery_id else _Result(Outcome.BAD_ANSWER, "answer-reused")


def _accepted(leased: _Leased, order_id: UUID, result: _Result) -> _Result:
    """Accepts the order for the supplier. If the customer has withdrawn it meanwhile, the supplier is told so once more."""
    try:
        supplier_intake.take(client_ref=leased.endpoint.client_ref, order_id=order_id)
    except Conflict as error:
        if error.code != "order-withdrawn":
            return _Result(Outcome.HELD, error.code)
        told = PushDelivery.objects.filter(change__order=order_id, supplier_ref=leased.endpoint.client_ref)
        send_again(told)
    return result


def send_again(deliveries: QuerySet[PushDelivery]) -> int:
    """Makes settled deliveries due now, with their keys, in the caller's transaction. Returns how many."""
    return deliveries.exclude(state=PushState.WAITING).update(
        state=PushState.WAITING, attempts=0, next_at=clock.now(), settled_at=None, reason=""
    )


def _note(client_ref: str, outcome: Outcome) -> None:
    connection, now = connections.locked(client_ref), clock.now()
    before = connection.breaker
    connection.set_breaker(before.after(outcome, now))
    if outcome in (Outcome.TAKEN, Outcome.REFUSED):
        connection.answered_at = now
    connection.save(update_fields=["failures", "open_until", "answered_at"])
    if (before.open_until is None) is not (connection.open_until is None):
        log.info("suppliers.push_interrupted" if connection.open_until else "suppliers.push_resumed", supplier=client_ref)


def _advance(delivery: PushDelivery, result: _Result) -> None:
    """Sets the state and the time of the next call after a call with this result."""
    now = clock.now()
    delivery.reason = result.code
    delivery.attempts += result.outcome is not Outcome.HELD
    if result.outcome is Outcome.TAKEN:
        delivery.state = PushState.DELIVERED
    elif result.code in _ENDED:
        delivery.state = PushState.NEEDLESS
    elif domain.is_given_up(result.outcome, delivery.attempts):
        delivery.state = PushState.DEAD
        _tell(delivery)
    else:
        delivery.next_at = now + leases.wait_after(delivery.attempts)
    if delivery.state != PushState.WAITING:
        delivery.next_at, delivery.settled_at = None, now
    delivery.save()


_ENDED = frozenset({"ended", "not-the-suppliers"})


def _tell(delivery: PushDelivery) -> None:
    log.warning("suppliers.delivery_stopped", supplier=delivery.supplier_ref, reason=delivery.reason)
    Event.record(
        actor_ref=ACTOR,
        action="supplier.delivery_stopped",
        subject_type="supplier",
        subject_ref=delivery.supplier_ref,
        facts={"delivery": str(delivery.pk), "reason": delivery.reason},
    )
