"""Compares each night what a supplier and the portal believe about its orders, and repeats what did not arrive."""

import datetime as dt
from collections.abc import Iterable, Mapping
from uuid import UUID

import structlog
from django.db import transaction
from django.db.models import Min

from authn import service as authn
from issuance.orders.domain.order_states import OrderState
from issuance.orders.models.orders import CardOrder
from issuance.suppliers.push import domain
from issuance.suppliers.push.domain import Difference
from issuance.suppliers.push.models import PushAnswer, PushDelivery
from issuance.suppliers.push.ports import BadAnswer, ChangedOrder, Channel
from issuance.suppliers.push.services import connections, outbox
from issuance.suppliers.push.services.sending import send_again
from siths_portal.lib import clock, faults
from siths_portal.lib import ports as connected
from siths_portal.lib.errors import Refused, Unavailable

DIFFERENCES_KEPT = 100
SETTLED = dt.timedelta(hours=1)
"""What either side changed later than this may still be on its way to the other, and is not compared."""

_EVERY, _NIGHT = dt.timedelta(hours=20), range(1, 5)
_AT_LEAST = dt.timedelta(days=1)
_PAGES, _BATCH = 1000, 500
_UNDER_WAY = [OrderState.ACCEPTED.value, OrderState.IN_PRODUCTION.value, OrderState.PRODUCED.value]

log = structlog.get_logger(__name__)


def wake_due() -> None:
    """Wakes the comparison of each supplier that is pushed to, once a night."""
    if clock.now().astimezone(clock.STOCKHOLM).hour in _NIGHT:
        for client_ref in authn.push_endpoints():
            outbox.wake_reconciliation(client_ref)


def is_due(client_ref: str) -> bool:
    """Returns whether the supplier has not been compared this night and is not paused. A comparison in the future was made by a
    clock ahead of time.
    """
    with transaction.atomic(durable=True):
        connection, now = connections.locked(client_ref), clock.now()
    last = connection.reconciled_at
    return connection.paused_at is None and (last is None or not now - _EVERY < last <= now)


def reconcile(client_ref: str) -> int | None:
    """Compares the supplier's orders with the portal's, repeats deliveries that did not arrive, and returns how many orders
    differ. Returns None if the supplier gives no answer that can be believed; the next run tries again. Can be repeated.
    """
    endpoint = authn.push_endpoints().get(client_ref)
    if endpoint is None:
        return None
    began = clock.now()
    try:
        there = _believed(endpoint, since=_since(client_ref, began))
    except (Unavailable, Refused) as error:
        log.warning("suppliers.reconciliation_failed", supplier=client_ref, reason=error.code)
        return None
    faults.point("suppliers.reconcile")
    found = list(_compared(client_ref, there, before=began - SETTLED))
    with transaction.atomic(durable=True):
        for order_id, kind, _here, _there in found:
            if kind in domain.REPAIRED:
                _repeat(client_ref, order_id, kind)
        connection = connections.locked(client_ref)
        connection.reconciled_at = began
        connection.differences = [
            {"order": str(order_id), "kind": kind.value, "here": here, "there": there_now}
            for order_id, kind, here, there_now in found[:DIFFERENCES_KEPT]
        ]
        connection.save(update_fields=["reconciled_at", "differences"])
        outbox.wake(client_ref)
    return len(found)


def _since(client_ref: str, now: dt.datetime) -> dt.datetime:
    """Returns when the oldest order that the supplier has still to send was accepted, at the latest a day ago."""
    working = CardOrder.objects.filter(supplier_ref=client_ref, state__in=_UNDER_WAY)
    oldest = working.aggregate(oldest=Min("accepted_at"))["oldest"]
    return min(oldest or now, now - _AT_LEAST)


def _believed(endpoint: authn.PushEndpoint, *, since: dt.datetime) -> dict[UUID, ChangedOrder]:
    """Returns what the supplier believes, by order. Raises Unavailable, also for an answer that it gave before or without end."""
    channel: Channel = connected.get(Channel)
    found: dict[UUID, ChangedOrder] = {}
    after = ""
    for _ in range(_PAGES):
        page = channel.changed(endpoint, since=since, after=after)
        answer = {"supplier_ref": endpoint.client_ref, "answer_id": page.answer_id}
        if not PushAnswer.objects.get_or_create(**answer, defaults={"at": clock.now()})[1]:
            raise BadAnswer("answer-reused", "Kortleverantörens svar är redan använt.")
        found |= {each.order_id: each for each in page.orders}
        if not page.next:
            return found
        after = page.next
    raise BadAnswer("answer-without-end", "Kortleverantörens svar tar inte slut.")


def _compared(
    client_ref: str, there: Mapping[UUID, ChangedOrder], *, before: dt.datetime
) -> Iterable[tuple[UUID, Difference, str, str]]:
    """Yields each order about which the two differ, and both states, in the order of their ids."""
    for order_id, here in sorted(_here(client_ref, there, before=before).items()):
        told = there.get(order_id)
        if told is not None and told.changed_at > before:
            continue
        kind = domain.difference(here, OrderState(told.status) if told else None)
        if kind is not None:
            yield order_id, kind, here.value if here else "", told.status if told else ""


def _here(client_ref: str, there: Mapping[UUID, ChangedOrder], *, before: dt.datetime) -> dict[UUID, OrderState | None]:
    """Returns the portal's state of every order that either side counts on; None for one that is not the supplier's."""
    own = CardOrder.objects.filter(supplier_ref=client_ref)
    found: dict[UUID, OrderState | None] = dict.fromkeys(there)
    ids = sorted(there)
    for start in range(0, len(ids), _BATCH):
        rows = own.filter(pk__in=ids[start : start + _BATCH]).values_list("pk", "state")
        found |= {pk: OrderState(state) for pk, state in rows}
    working = own.filter(state__in=_UNDER_WAY, accepted_at__lte=before).values_list("pk", "state")
    return found | {pk: OrderState(state) for pk, state in working}


def _repeat(client_ref: str, order_id: UUID, kind: Difference) -> None:
    """Sends the order again, in its latest delivery, or that it has ended."""
    rows = PushDelivery.objects.filter(supplier_ref=client_ref)
    if kind is Difference.ENDED_HERE:
        send_again(rows.filter(change__order=order_id))
        return
    latest = rows.filter(order=order_id).order_by("-id").values("pk")[:1]
    send_again(rows.filter(pk__in=latest))
