"""Pieces that are made again: an item with a carrier of its own takes the place of one that was spoilt or came back."""

import datetime as dt
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet

from issuance.authz import Action, Actor, policy
from issuance.carriers.domain import kinds
from issuance.carriers.domain.carrier_states import CarrierState
from issuance.carriers.domain.eid_states import EidState
from issuance.carriers.models import Carrier, Eid
from issuance.orders.domain import rules
from issuance.orders.domain.items import Fault, ItemAction, ItemState
from issuance.orders.domain.order_states import OrderAction
from issuance.orders.models.orders import CardOrder, OrderItem
from issuance.orders.services import order_checks, progress, queueing, replacement_checks
from issuance.orders.services.ordering import eid_of_post, order_right
from issuance.people.models.person_scope import PersonScope
from issuance.people.models.persons import Person, Post
from issuance.people.services import people
from issuance.records.services import steps
from siths_portal.lib import clock
from siths_portal.lib.errors import Conflict, NotFound

RETURNED = "returned"
"""The reason of a piece that is made again because it came back."""


def give_up(item: OrderItem, *, actor_ref: str, reason: str, fault: Fault) -> None:
    """Ends a locked item that another one will replace, and takes its locked order back to where that one can be made, in the
    caller's transaction. Raises IllegalTransition if the item is neither in production nor produced.
    """
    facts = {"item": item.number, "reason": reason, "fault": fault.value}
    steps.step([item], ItemAction.REMAKE, actor_ref=actor_ref, facts=progress.item_facts(item) | facts)
    steps.step([item.order], OrderAction.REMAKE, actor_ref=actor_ref, facts=facts, restarted_at=clock.now())


def add_successor(
    old: OrderItem, *, number: int, actor_ref: str, reason: str, fault: Fault, post: Post | None = None
) -> OrderItem:
    """Adds the item that replaces `old`, in the caller's transaction, which has locked the order. Its carrier and eID are as
    those of `old`; with `post` the eID has the values that the assignment has now.
    """
    now = clock.now().replace(microsecond=0)
    carrier = _carrier_like(old.carrier, now) if old.carrier else None
    eid = _eid_like(old.eid, carrier, post, now) if old.eid and carrier else None
    facts = {"order": str(old.order_id), "replaces": old.number}
    if carrier:
        steps.begin([carrier], "ordered", actor_ref=actor_ref, facts=facts | {"person": str(carrier.person_id or "")})
    if eid and carrier:
        steps.begin([eid], "ordered", actor_ref=actor_ref, facts={"hsa_id": eid.hsa_id, "carrier": str(carrier.id)})
    item = OrderItem(
        order=old.order,
        number=number,
        kind=old.kind,
        carrier=carrier,
        eid=eid,
        puk_of=old.puk_of,
        state=ItemState.WAITING.value,
        replaces=old,
        fault=fault.value,
        remake_reason=reason,
    )
    steps.begin([item], "ordered", actor_ref=actor_ref, facts=progress.item_facts(item) | facts | {"fault": fault.value})
    if carrier and carrier.person_id:
        PersonScope.objects.refresh([carrier.person_id])
    return item


def remake_returned(*, actor: Actor, order_id: UUID, number: int, fault: Fault) -> OrderItem:
    """Has the card of an order made again after it came back, and queues the order for its supplier. First reads assignment and
    person live. Repeating the call returns the same item.

    `fault` decides the price: it is free only if the supplier caused the return. Raises NotFound, Forbidden (role, own matter),
    Invalid (obstacles, by field), Conflict (not returned; assignment, organisation or card customisation; another order replaces
    the card that this one replaces), Unavailable.
    """
    seen = policy.get(actor, Action.REMOVE_ORDER, _orders, order_id)
    item = _returned_item(seen, number)
    post = policy.get(actor, order_right(seen.article_id), _posts, item.ordered_eid.post_id)
    live = people.read_live(post)
    people.remember(post_id=post.id, live=live)
    order_checks.require_person(live, seen.article)
    return _queue_again(actor, seen, number, post.id, fault)


@transaction.atomic(durable=True)
def _queue_again(actor: Actor, seen: CardOrder, number: int, post_id: UUID, fault: Fault) -> OrderItem:
    list(Person.objects.select_for_update(no_key=True).filter(posts=post_id).values_list("id"))
    post = policy.get(actor, order_right(seen.article_id), _posts, post_id)
    order_checks.require_current(post)
    order_checks.ready_customisation(post.organisation, seen.customisation)
    order_checks.require_complete(post)
    order = CardOrder.objects.select_for_update(of=("self",), no_key=True).get(pk=seen.pk)
    old = _returned_item(order, number)
    if known := OrderItem.objects.filter(replaces=old).first():
        return known
    if order.replaced_carrier_id is not None:
        replacement_checks.require_free(order.replaced_carrier_id, but=(order.ordered_by_ref, order.idempotency_key))
    facts = {"item": number, "reason": RETURNED, "fault": fault.value}
    steps.step([order], OrderAction.REMAKE, actor_ref=actor.ref, facts=facts, restarted_at=clock.now())
    queueing.queued(order)
    old.order = order
    new = next_number(order)
    return add_successor(old, number=new, actor_ref=actor.ref, reason=RETURNED, fault=fault, post=post)


def next_number(order: CardOrder) -> int:
    """Returns the number of the next item of a locked order, after those that are about to be added."""
    numbers = OrderItem.objects.filter(order=order).order_by("-number").values_list("number", flat=True)
    return numbers[0] + OrderItem.objects.current().filter(order=order, state=ItemState.REMADE.value).count() + 1


def _returned_item(order: CardOrder, number: int) -> OrderItem:
    item = OrderItem.objects.filter(order=order, number=number).select_related("carrier", "eid").first()
    if item is None:
        raise NotFound("item-unknown", "Beställningen har ingen del med det numret.")
    if item.state != ItemState.RETURNED:
        raise Conflict("item-not-returned", "Kortet har inte kommit i retur. Beställ ett nytt kort i stället.")
    return item


def _orders(_actor: Actor) -> QuerySet[CardOrder]:
    return CardOrder.objects.select_related("article", "customisation")


def _posts(_actor: Actor) -> QuerySet[Post]:
    return Post.objects.select_related("person", "organisation__area")


def _carrier_like(old: Carrier, now: dt.datetime) -> Carrier:
    return Carrier(
        kind=old.kind,
        person_id=old.person_id,
        organisation_id=old.organisation_id,
        article_id=old.article_id,
        assurance_level=old.assurance_level,
        state=CarrierState.ORDERED.value,
        valid_from=now,
        valid_to=rules.years_after(now, getattr(settings, kinds.kind_of(old.kind).carrier_years)),
        created_at=now,
    )


def _eid_like(old: Eid, carrier: Carrier, post: Post | None, now: dt.datetime) -> Eid:
    if post is not None:
        eid = eid_of_post(post, carrier)
    else:
        copied = ("post_id", "organisation_id", "hsa_id", "mail", "upn", "title")
        eid = Eid(carrier=carrier, **{name: getattr(old, name) for name in copied})
    eid.assurance_level, eid.state, eid.created_at = old.assurance_level, EidState.ORDERED.value, now
    return eid
