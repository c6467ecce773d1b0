"""The suppliers with their queues and connections, as operators and alarms see them. No personal data."""

import datetime as dt
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID

from django.db.models import CharField, Count, DateTimeField, F, Min, Q, QuerySet, Value
from django.db.models.functions import Coalesce

from authn import service as authn
from issuance.authz import Action, Actor, policy
from issuance.orders.domain.items import UNSENT
from issuance.orders.domain.order_states import UNDER_WAY, OrderState
from issuance.orders.domain.puk_states import PukState
from issuance.orders.models.orders import CardOrder, OrderItem
from issuance.orders.queries import outcomes
from issuance.suppliers.push.models import SENDABLE, PushAttempt, PushDelivery, PushState, SupplierConnection
from siths_portal.lib.lists import Rows

ACTION = Action.OPERATE_SUPPLIERS
LATE = dt.timedelta(hours=4)
"""How long an order may wait for its supplier, and a supplier with orders be silent. The alarms have the same limit."""

ENDS_SOON = dt.timedelta(days=30)
_CALLS_SHOWN = 20

_ORDERS, _DELIVERIES, _REFUSED, _FAILED = "orders", "deliveries", "refused", "failed"
_NO_COUNT, _NO_MOMENT = Value(0), Value(None, output_field=DateTimeField())


class Trouble(StrEnum):
    """What an operator should look at, the gravest first."""

    STOPPED = "stopped"
    INTERRUPTED = "interrupted"
    SILENT = "silent"
    LATE = "late"
    PAUSED = "paused"
    DIFFERENT = "different"
    PUK_REFUSED = "puk-refused"
    CERTIFICATE = "certificate"


@dataclass(frozen=True)
class SupplierLine:
    """A supplier. `queued` counts the orders that it has not accepted and may accept, `working` those that it has to finish, and
    `failed` those that it could not make and whose person got no other.

    `silent_for` is how long a supplier with orders has neither called nor answered, counted from the oldest of these orders if it
    never has. `certificate_ends` has None for an unknown end.
    """

    client_ref: str
    name: str
    active: bool
    is_pushed_to: bool
    certificate_ends: tuple[dt.datetime | None, ...]
    queued: int
    oldest_queued_at: dt.datetime | None
    working: int
    failed: int
    refused_puks: int
    waiting: int
    oldest_delivery_at: dt.datetime | None
    stopped: int
    heard_at: dt.datetime | None
    silent_for: dt.timedelta
    paused_at: dt.datetime | None
    paused_by_ref: str
    interrupted_until: dt.datetime | None
    reconciled_at: dt.datetime | None
    differences: int

    def troubles(self, now: dt.datetime) -> list[Trouble]:
        """Returns what an operator should look at, the gravest first. Nothing is expected of an inactive supplier."""
        last = self.certificate_ends[0] if self.certificate_ends else now
        found = {
            Trouble.STOPPED: self.stopped > 0,
            Trouble.INTERRUPTED: self.interrupted_until is not None,
            Trouble.SILENT: self.silent_for > LATE,
            Trouble.LATE: self.oldest_queued_at is not None and now - self.oldest_queued_at > LATE,
            Trouble.PAUSED: self.paused_at is not None,
            Trouble.DIFFERENT: self.differences > 0,
            Trouble.PUK_REFUSED: self.refused_puks > 0,
            Trouble.CERTIFICATE: last is not None and last - now < ENDS_SOON,
        }
        return [trouble for trouble, present in found.items() if present and self.active]


@dataclass(frozen=True)
class _Orders:
    queued: int = 0
    working: int = 0
    oldest_at: dt.datetime | None = None
    oldest_queued_at: dt.datetime | None = None


@dataclass(frozen=True)
class _Deliveries:
    waiting: int = 0
    stopped: int = 0
    oldest_at: dt.datetime | None = None


@dataclass(frozen=True)
class _Items:
    failed: int = 0
    refused_puks: int = 0


@dataclass(frozen=True)
class DeliveryLine:
    """A delivery: of an order or of a change, by its number. `reason` is the code of its last fault."""

    supplier_ref: str
    delivery_id: UUID
    state: PushState
    order_id: UUID | None
    change: int | None
    queued_at: dt.datetime
    settled_at: dt.datetime | None
    next_at: dt.datetime | None
    reason: str
    attempts: int


@dataclass(frozen=True)
class DeliveryView:
    """A delivery with its supplier's name and its latest calls, the newest first."""

    supplier: str
    line: DeliveryLine
    calls: tuple[PushAttempt, ...]


@dataclass(frozen=True)
class SupplierView:
    """A supplier with what differs, and its latest calls, the newest first."""

    line: SupplierLine
    differences: tuple[dict[str, str], ...]
    calls: tuple[PushAttempt, ...]


def visible(actor: Actor, now: dt.datetime) -> list[SupplierLine]:
    """Returns every registered supplier. Raises Forbidden."""
    policy.require_global(actor, ACTION)
    return suppliers(now)


def view(actor: Actor, client_ref: str, now: dt.datetime) -> SupplierView:
    """Returns one supplier. Raises Forbidden, NotFound."""
    line = next((each for each in visible(actor, now) if each.client_ref == client_ref), None)
    if line is None:
        raise policy.not_found()
    row = SupplierConnection.objects.filter(pk=client_ref).first()
    calls = PushAttempt.objects.filter(delivery__supplier_ref=client_ref).select_related("delivery").order_by("-id")
    return SupplierView(line, tuple(row.differences) if row else (), tuple(calls[:_CALLS_SHOWN]))


def stopped(actor: Actor, client_ref: str) -> Rows[PushDelivery, DeliveryLine]:
    """Returns the stopped deliveries of a supplier. Raises Forbidden."""
    policy.require_global(actor, ACTION)
    rows = PushDelivery.objects.filter(supplier_ref=client_ref, state=PushState.DEAD)
    return Rows(rows, lambda found: [_delivery(each) for each in found])


def delivery(actor: Actor, client_ref: str, delivery_id: UUID) -> DeliveryView:
    """Returns one delivery of the supplier. Raises Forbidden, NotFound."""
    policy.require_global(actor, ACTION)
    found = PushDelivery.objects.filter(pk=delivery_id, supplier_ref=client_ref).first()
    if found is None:
        raise policy.not_found()
    calls = PushAttempt.objects.filter(delivery=found).order_by("-id")[:_CALLS_SHOWN]
    name = authn.client_names([client_ref]).get(client_ref, client_ref)
    return DeliveryView(name, _delivery(found), tuple(calls))


def _delivery(row: PushDelivery) -> DeliveryLine:
    return DeliveryLine(
        supplier_ref=row.supplier_ref,
        delivery_id=row.pk,
        state=PushState(row.state),
        order_id=row.order_id,
        change=row.change_id,
        queued_at=row.queued_at,
        settled_at=row.settled_at,
        next_at=row.next_at,
        reason=row.reason,
        attempts=row.attempts,
    )


def suppliers(now: dt.datetime) -> list[SupplierLine]:
    """Returns every registered supplier, sorted by name, in a constant number of queries."""
    counts = _counts()
    connections = {row.pk: row for row in SupplierConnection.objects.all()}
    return [
        _line(
            each,
            _Orders(*counts[_ORDERS].get(each.client_ref, ())),
            _Deliveries(*counts[_DELIVERIES].get(each.client_ref, ())[:3]),
            _Items(*(next(iter(counts[part].get(each.client_ref, ())), 0) for part in (_FAILED, _REFUSED))),
            connections.get(each.client_ref, SupplierConnection(supplier_ref=each.client_ref)),
            now,
        )
        for each in authn.registered_suppliers()
    ]


def _line(
    each: authn.SupplierView,
    orders: _Orders,
    deliveries: _Deliveries,
    items: _Items,
    row: SupplierConnection,
    now: dt.datetime,
) -> SupplierLine:
    heard = max((at for at in (row.heard_at, row.answered_at) if at), default=None)
    known = heard or orders.oldest_at
    return SupplierLine(
        client_ref=each.client_ref,
        name=each.name,
        active=each.active,
        is_pushed_to=each.is_pushed_to,
        certificate_ends=each.certificate_ends,
        queued=orders.queued,
        oldest_queued_at=orders.oldest_queued_at,
        working=orders.working,
        failed=items.failed,
        refused_puks=items.refused_puks,
        waiting=deliveries.waiting,
        oldest_delivery_at=deliveries.oldest_at,
        stopped=deliveries.stopped,
        heard_at=heard,
        silent_for=abs(now - known) if orders.oldest_at and known else dt.timedelta(0),
        paused_at=row.paused_at,
        paused_by_ref=row.paused_by_ref,
        interrupted_until=None if row.breaker.admits(now) else row.open_until,
        reconciled_at=row.reconciled_at,
        differences=len(row.differences),
    )


def _counts() -> dict[str, dict[str, list[Any]]]:
    """Returns the columns of `_part` of each supplier by what is counted: orders under way, deliveries that are not taken, items
    with a refused PUK, and orders that failed. One query.

    Orders whose print is not verified wait for the issuer. An order that is queued again, or of which a piece is made again,
    counts from then.
    """
    since = Coalesce("restarted_at", "ordered_at")
    queued = Q(state=OrderState.QUEUED.value, customisation__verified_at__isnull=False)
    working = ~Q(state=OrderState.QUEUED.value)
    orders = _part(
        CardOrder.objects.filter(state__in=UNDER_WAY).values(ref=F("supplier_ref")),
        _ORDERS,
        first=Count("pk", filter=queued),
        second=Count("pk", filter=working),
        oldest=Min(since, filter=queued | working),
        oldest_queued=Min(since, filter=queued),
    )
    waiting = Q(state=PushState.WAITING.value)
    deliveries = _part(
        PushDelivery.objects.filter(state__in=[PushState.WAITING.value, PushState.DEAD.value]).values(ref=F("supplier_ref")),
        _DELIVERIES,
        first=Count("pk", filter=waiting),
        second=Count("pk", filter=~waiting),
        oldest=Min("queued_at", filter=waiting & SENDABLE),
    )
    refused = _part(
        OrderItem.objects.filter(puk=PukState.REFUSED.value, state__in=UNSENT).values(ref=F("order__supplier_ref")),
        _REFUSED,
        first=Count("pk"),
    )
    failed = _part(outcomes.failed().values(ref=F("supplier_ref")), _FAILED, first=Count("pk"))
    found: dict[str, dict[str, list[Any]]] = {_ORDERS: {}, _DELIVERIES: {}, _REFUSED: {}, _FAILED: {}}
    for part, ref, *columns in orders.union(deliveries, refused, failed, all=True):
        found[part][ref] = columns
    return found


def _part(
    rows: QuerySet[Any, Any],
    part: str,
    *,
    first: Any,
    second: Any = _NO_COUNT,
    oldest: Any = _NO_MOMENT,
    oldest_queued: Any = _NO_MOMENT,
) -> QuerySet[Any, Any]:
    """Returns two counts and two moments of each supplier, whose reference is `ref` of the rows."""
    counted: QuerySet[Any, Any] = rows.order_by().annotate(
        part=Value(part, output_field=CharField()), first=first, second=second, oldest=oldest, oldest_queued=oldest_queued
    )
    return counted.values_list("part", "ref", "first", "second", "oldest", "oldest_queued")
