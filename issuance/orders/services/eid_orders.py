"""Orders of eIDs that holders fetch onto a carrier in use (rules/issuance 3.6): order, withdraw, fetch, cancel, expire."""

import datetime as dt
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet

from issuance.authz import Action, Actor, policy, system
from issuance.carriers.domain import kinds
from issuance.carriers.domain.eid_states import EidState
from issuance.carriers.domain.kinds import EidOrderKind, EidOrderRule
from issuance.carriers.models import Carrier, Eid
from issuance.orders.domain import rules
from issuance.orders.domain.eid_order_states import EidOrderAction, EidOrderState
from issuance.orders.models.eid_orders import EidOrder
from issuance.orders.services import order_checks
from issuance.orders.services.ordering import post_ends_at
from issuance.organisations.services.holding import hold_organisations
from issuance.people.models.persons import Person, Post
from issuance.people.services import people
from issuance.records.services import steps
from siths_portal.lib import clock
from siths_portal.lib.errors import Conflict, Invalid
from siths_portal.lib.registry import Registry

FULL = "Kortet rymmer inte fler SITHS eID. Spärra ett av dem eller ta bort en beställning."
NO_FURTHER_POST = "Personen har inget uppdrag inom din behörighet som saknar SITHS eID på kortet."
NO_CARD_KEY = "Kortet är från den tidigare portalen. SITHS eID kan inte hämtas till det."
ON_END = Registry[Callable[[list[EidOrder], str], None]]()
"""What the packages above do when orders end that nobody has fetched: the orders, whose carriers are locked, and who ended
them.
"""

_LIVE = [EidState.ORDERED.value, EidState.ACTIVE.value]
_OBSTACLES = {
    rules.Obstacle.DECEASED: "Personen är avliden enligt personregistret. SITHS eID kan inte beställas.",
    rules.Obstacle.NOT_PERSONNUMMER: "Personen saknar personnummer. SITHS eID på tillitsnivå 3 kräver personnummer.",
    rules.Obstacle.TOO_YOUNG: "SITHS eID kan inte beställas. Personen måste ha fyllt {age} år för tillitsnivå {level}.",
}


@dataclass(frozen=True)
class _Request:
    actor: Actor
    kind: EidOrderKind
    carrier_id: UUID
    post_id: UUID
    replaces_id: UUID | None = None


def order_additional_eid(*, actor: Actor, carrier_id: UUID, post_id: UUID) -> EidOrder:
    """Orders an eID of another assignment of the holder on a carrier that the actor sees.

    First reads assignment and person live. The actor needs the right in the assignment's organisation. Raises NotFound,
    Forbidden (role, own matter), Invalid (obstacles, by field), Conflict (the carrier accepts no eID now, it has one for the
    assignment or an order for one, or it is full), Unavailable (external systems).
    """
    return _submit(_Request(actor, EidOrderKind.ADDITIONAL, carrier_id, post_id))


def order_renewed_eid(*, actor: Actor, eid_id: UUID) -> EidOrder:
    """Orders an eID to replace an active one of the same assignment on the same carrier. The old one stays valid until
    activation, which calls `mark_fetched`, revokes it. Raises as `order_additional_eid`.
    """
    eid = policy.get(actor, Action.VIEW, Eid.objects.all(), eid_id)
    return _submit(_Request(actor, EidOrderKind.RENEWAL, eid.carrier_id, eid.post_id, eid.pk))


def order_extension(*, actor: Actor, eid_id: UUID) -> EidOrder:
    """Orders, for its holder, an eID that takes the place of the one on a reserve card on level 3, once. Returns the order that
    waits already if there is one. Raises as `order_additional_eid`, Conflict also if the eID cannot be extended.
    """
    eid = policy.get(actor, Action.FETCH_EID, Eid.objects.select_related("carrier"), eid_id)
    waiting = EidOrder.objects.filter(replaces=eid, kind=EidOrderKind.EXTENSION.value, state=EidOrderState.ORDERED.value)
    if (known := waiting.filter(expires_at__gt=clock.now()).first()) is not None:
        return known
    if not is_extendable(eid):
        raise Conflict("not-extendable", "Reservkortet kan inte förlängas. Be en ID-administratör om ett nytt.")
    return _submit(_Request(actor, EidOrderKind.EXTENSION, eid.carrier_id, eid.post_id, eid.pk))


def is_extendable(eid: Eid) -> bool:
    """Returns whether the holder may extend the eID, with its carrier: it is that of a hand-out on level 3, in force, and no
    extension itself.
    """
    if kinds.kind_of(eid.carrier.kind).eid_order(EidOrderKind.EXTENSION) is None or eid.assurance_level < rules.LOA3:
        return False
    in_force = eid.state == EidState.ACTIVE and eid.valid_to is not None and eid.valid_to > clock.now()
    return in_force and not EidOrder.objects.filter(eid=eid).exists()


@transaction.atomic(durable=True)
def withdraw_eid_order(*, actor: Actor, order_id: UUID) -> EidOrder:
    """Withdraws an order that waits for its holder. A cancelled one stays as it is. Raises NotFound, Forbidden,
    IllegalTransition if it was fetched or has expired.
    """
    seen = policy.get(actor, Action.WITHDRAW_EID_ORDER, EidOrder.objects.all(), order_id)
    Carrier.objects.select_for_update(no_key=True).only("id").get(pk=seen.carrier_id)
    order = _locked().get(pk=seen.pk)
    if order.state != EidOrderState.CANCELLED:
        _end([order], EidOrderAction.WITHDRAW, actor_ref=actor.ref)
    return order


@transaction.atomic
def mark_fetched(*, actor: Actor, order_id: UUID, eid: Eid) -> EidOrder:
    """Links the eID that the holder has fetched to its order, in the caller's transaction, which has locked carrier and eID.

    `actor` is the holder. The caller revokes the eID that a renewal `replaces`. Raises NotFound, Forbidden, IllegalTransition
    if the order no longer waits, Conflict after its last day or if the assignment has ended, ValueError if `eid` is not live,
    or belongs to another carrier or assignment than ordered.
    """
    order = policy.get(actor, Action.FETCH_EID, _locked().select_related("post"), order_id)
    if (eid.carrier_id, eid.post_id) != (order.carrier_id, order.post_id) or eid.state not in _LIVE:
        raise ValueError(f"eID {eid.pk} is not what the order {order.pk} is for")
    order_checks.require_current(order.post)
    if order.expires_at <= clock.now():
        raise Conflict("eid-order-expired", "Tiden för att hämta SITHS eID:t har gått ut. Be om en ny beställning.")
    facts = {"eid": str(eid.pk), "hsa_id": eid.hsa_id}
    steps.step([order], EidOrderAction.FETCH, actor_ref=actor.ref, facts=facts, eid=eid, ended_at=clock.now())
    return order


def cancel_of_carriers(carrier_ids: Collection[UUID], *, actor_ref: str, reason: str) -> None:
    """Cancels the waiting orders of locked carriers that are revoked, in the caller's transaction."""
    _cancel(Q(carrier__in=carrier_ids), actor_ref=actor_ref, reason=reason)


def cancel_renewals(eid_ids: Collection[UUID], *, actor_ref: str, reason: str) -> None:
    """Cancels the waiting renewals of locked eIDs that are revoked, in the caller's transaction."""
    _cancel(Q(replaces__in=eid_ids), actor_ref=actor_ref, reason=reason)


def hindrance(carrier: Carrier) -> str:
    """Returns why a carrier accepts no further eID now, or "". The caller has found that its kind may have one."""
    try:
        _require_usable(carrier, _rule(carrier, EidOrderKind.ADDITIONAL), clock.now())
    except Conflict as found:
        return found.message
    on_it = Eid.objects.filter(carrier=carrier, state__in=_LIVE).count()
    return "" if has_room(on_it + _waiting(carrier).filter(replaces=None).count()) else FULL


def renewal_hindrance(eid: Eid) -> str:
    """Returns why an eID, with its carrier and assignment, cannot be renewed now, or "". The caller has found that its carrier's
    kind takes renewals.
    """
    try:
        _require_usable(eid.carrier, _rule(eid.carrier, EidOrderKind.RENEWAL), clock.now())
        order_checks.require_current(eid.post)
        if eid.state != EidState.ACTIVE:
            raise _not_active()
        if _waiting(eid.carrier).filter(post=eid.post_id).exists():
            raise _ordered_already()
    except Conflict as found:
        return found.message
    return ""


def require_usable(carrier: Carrier, order: EidOrder) -> None:
    """Raises Conflict unless the state of the order's carrier lets the holder fetch the eID."""
    _require_usable(carrier, _rule(carrier, EidOrderKind(order.kind)), clock.now())


def has_room(on_it: int) -> bool:
    """Returns whether a carrier accepts one more eID if so many are on it, those that wait for the holder included."""
    return on_it <= int(settings.ADDITIONAL_EIDS_PER_CARRIER)


def cancel_orders(order_ids: Collection[UUID], *, actor_ref: str, reason: str) -> None:
    """Cancels those of the orders that wait, whose eIDs are revoked before they were fetched, in the caller's transaction, which
    has locked their carriers.
    """
    _cancel(Q(pk__in=order_ids), actor_ref=actor_ref, reason=reason)


def overdue_count() -> int:
    """Returns how many orders `expire_overdue` would expire."""
    return EidOrder.objects.filter(_overdue()).count()


@transaction.atomic(durable=True)
def expire_overdue(*, batch: int) -> int:
    """Expires at most `batch` orders that nobody fetched in time or whose assignment has ended. Returns how many. Skips orders
    that another transaction has locked; the next run takes them.
    """
    actor = system("expiry")
    rows = EidOrder.objects.visible_to(actor, Action.EXPIRE).filter(_overdue())
    found = list(rows.order_by("id").values_list("pk", "carrier_id")[:batch])
    carriers = Carrier.objects.select_for_update(skip_locked=True, no_key=True).filter(pk__in=[carrier for _, carrier in found])
    free = list(carriers.order_by("id").values_list("pk", flat=True))
    overdue = _locked().filter(_overdue(), pk__in=[pk for pk, _ in found], carrier__in=free)
    orders = list(overdue.order_by("id"))
    _end(orders, EidOrderAction.EXPIRE, actor_ref=actor.ref)
    return len(orders)


def _locked() -> QuerySet[EidOrder]:
    return EidOrder.objects.select_for_update(of=("self",), no_key=True)


def _overdue() -> Q:
    ended = Q(expires_at__lte=clock.now()) | Q(post__ended_at__isnull=False)
    return Q(state=EidOrderState.ORDERED.value) & ended


def _cancel(which: Q, *, actor_ref: str, reason: str) -> None:
    orders = list(_locked().filter(which, state=EidOrderState.ORDERED.value).order_by("id"))
    _end(orders, EidOrderAction.CANCEL, actor_ref=actor_ref, facts={"reason": reason})


def _end(orders: list[EidOrder], action: EidOrderAction, *, actor_ref: str, facts: dict[str, Any] | None = None) -> None:
    """Ends locked orders that nobody has fetched, and what the packages above began for them."""
    steps.step(orders, action, actor_ref=actor_ref, facts=facts, ended_at=clock.now())
    for follow in ON_END if orders else ():
        follow(orders, actor_ref)


def _submit(request: _Request) -> EidOrder:
    carrier = policy.get(request.actor, Action.VIEW, Carrier.objects.defer("card_key_spki"), request.carrier_id)
    right = _rule(carrier, request.kind).right
    post = policy.get(request.actor, right, Post.objects.select_related("person", "organisation"), request.post_id)
    live = people.read_live(post)
    people.remember(post_id=post.id, live=live)
    return _place(request, live)


@transaction.atomic(durable=True)
def _place(request: _Request, live: people.Live) -> EidOrder:
    actor, now = request.actor, clock.now().replace(microsecond=0)
    list(Person.objects.select_for_update(no_key=True).filter(posts=request.post_id).values_list("id"))
    hold_organisations(Post.objects.filter(pk=request.post_id).values_list("organisation_id", flat=True))
    carriers = Carrier.objects.select_for_update(of=("self",), no_key=True).defer("card_key_spki")
    carrier = policy.get(actor, Action.VIEW, carriers, request.carrier_id)
    rule = _rule(carrier, request.kind)
    post = policy.get(actor, rule.right, Post.objects.select_related("person", "organisation"), request.post_id)
    _require_usable(carrier, rule, now)
    order_checks.require_current(post)
    _require_holder(live, carrier, post)
    order_checks.require_complete(post)
    _require_room(request, carrier, post)
    order = EidOrder(
        kind=request.kind.value,
        carrier=carrier,
        post=post,
        organisation=post.organisation,
        article=carrier.card_article,
        assurance_level=carrier.assurance_level,
        hsa_id=post.hsa_id,
        mail=post.mail,
        upn=post.upn,
        title=post.title,
        replaces_id=request.replaces_id,
        state=EidOrderState.ORDERED.value,
        ordered_by_ref=actor.ref,
        ordered_at=now,
        expires_at=_expires_at(carrier, post, request),
    )
    facts = {"kind": order.kind, "carrier": str(carrier.pk), "hsa_id": post.hsa_id}
    if request.replaces_id is not None:
        facts["replaces"] = str(request.replaces_id)
    steps.begin([order], "ordered", actor_ref=actor.ref, facts=facts)
    return order


def _rule(carrier: Carrier, kind: EidOrderKind) -> EidOrderRule:
    """Returns the rule of the carrier's kind for such an order. Raises Conflict if it has none."""
    rule = kinds.kind_of(carrier.kind).eid_order(kind)
    if rule is None:
        raise Conflict("eid-not-for-carrier", "SITHS eID kan inte beställas till den här sortens kort.")
    return rule


def _require_usable(carrier: Carrier, rule: EidOrderRule, now: dt.datetime) -> None:
    if carrier.state not in rule.states or carrier.valid_to <= now:
        raise Conflict("carrier-not-active", "SITHS eID kan bara beställas till ett aktivt kort. Ladda om sidan.")
    if not carrier.card_key_sha256:  # the holder could not prove the card
        raise Conflict("card-without-key", NO_CARD_KEY)


def _require_holder(live: people.Live, carrier: Carrier, post: Post) -> None:
    """Raises unless assignment and carrier belong to one person who may have an eID of the carrier's level. The person needs no
    address.
    """
    if post.person_id != carrier.person_id:
        message = "Uppdraget gäller en annan person än kortets innehavare. Välj ett av innehavarens uppdrag."
        raise Invalid("post-of-another-person", message, fields={"post": [message]})
    if post.organisation.closed_at is not None:
        message = "Organisationen är avslutad i portalen. SITHS eID kan inte beställas för uppdraget."
        raise Conflict("organisation-ended", message)
    limits = order_checks.age_limits()
    found = rules.obstacles(
        live.person_id,
        assurance_level=carrier.assurance_level,
        deceased=live.register.deceased,
        is_protected=live.register.is_protected,
        has_address=True,
        is_sent=False,
        today=clock.today(),
        limits=limits,
    )
    if found:
        age = limits.for_level(carrier.assurance_level)
        texts = [_OBSTACLES[each].format(age=age, level=carrier.assurance_level) for each in found]
        raise Invalid(found[0].value, texts[0], fields={"person": texts})


def _require_room(request: _Request, carrier: Carrier, post: Post) -> None:
    """Raises Conflict unless the locked carrier accepts the eID."""
    waiting = _waiting(carrier)
    live = Eid.objects.filter(carrier=carrier, state__in=_LIVE)
    if waiting.filter(post=post).exists():
        raise _ordered_already()
    if request.replaces_id is not None:
        if not live.filter(pk=request.replaces_id, post=post, state=EidState.ACTIVE.value).exists():
            raise _not_active()
        return
    if live.filter(post=post).exists():
        raise Conflict("eid-on-carrier", "Kortet har redan ett SITHS eID för uppdraget. Beställ en uppdatering i stället.")
    if not has_room(live.count() + waiting.filter(replaces=None).count()):
        raise Conflict("carrier-full", FULL)


def _waiting(carrier: Carrier) -> QuerySet[EidOrder]:
    return EidOrder.objects.filter(carrier=carrier, state=EidOrderState.ORDERED.value)


def _ordered_already() -> Conflict:
    message = "SITHS eID för uppdraget är redan beställt till kortet. Innehavaren kan hämta det."
    return Conflict("eid-ordered-already", message)


def _not_active() -> Conflict:
    return Conflict("eid-not-active", "Bara ett aktivt SITHS eID kan uppdateras. Ladda om sidan.")


def _expires_at(carrier: Carrier, post: Post, request: _Request) -> dt.datetime:
    """Returns the end of the time to fetch the eID, not after the carrier, the assignment or the extended eID ends."""
    ends = [clock.end_of_day(clock.today() + dt.timedelta(days=settings.EID_ORDER_DAYS)), carrier.valid_to, post_ends_at(post)]
    if request.kind is EidOrderKind.EXTENSION and request.replaces_id is not None:
        ends += Eid.objects.filter(pk=request.replaces_id).values_list("valid_to", flat=True)
    return min(end for end in ends if end is not None)
