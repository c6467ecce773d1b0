"""Orders of ordinary cards (Nytt SITHS eID ordinarie kort, rules/issuance 3): checks, and the queued row that suppliers fetch."""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import QuerySet

from issuance.articles.models import Article
from issuance.authz import Action, Actor, policy
from issuance.carriers.domain import kinds
from issuance.carriers.domain.carrier_states import CarrierAction, CarrierState
from issuance.carriers.domain.eid_states import EidAction, EidState
from issuance.carriers.domain.kinds import Function
from issuance.carriers.models import Carrier, Eid
from issuance.orders.domain import items, rules
from issuance.orders.domain.order_states import OrderState
from issuance.orders.models.orders import CardOrder, OrderItem
from issuance.orders.services import order_checks, progress, queueing, repeats, replacement_checks, withdrawing
from issuance.orders.services.replacement_checks import Replacement
from issuance.organisations.services.holding import hold_organisations
from issuance.people.models.person_scope import PersonScope
from issuance.people.models.persons import Person, Post
from issuance.people.services import people
from issuance.records.services import steps
from siths_portal.lib import clock
from siths_portal.lib.canonical import canonical_json, sha256_hex
from siths_portal.lib.database.prepared import prepared


@dataclass(frozen=True)
class _Request:
    actor: Actor
    post_id: UUID
    article_code: str
    office_id: UUID
    idempotency_key: str
    photo_id: UUID | None
    placing: Callable[[], object]
    placed: Callable[[CardOrder], None]
    replacement: Replacement | None

    @property
    def content_sha256(self) -> str:
        content = {"post": str(self.post_id), "article": self.article_code, "office": str(self.office_id)}
        if self.photo_id is not None:
            content["photo"] = str(self.photo_id)
        if self.replacement is not None:
            content |= {"replaces": str(self.replacement.carrier_id), "reason": self.replacement.reason.value}
        return sha256_hex(canonical_json(content))


def submit_order(
    *,
    actor: Actor,
    post_id: UUID,
    article_code: str,
    office_id: UUID,
    idempotency_key: str,
    photo_id: UUID | None = None,
    placing: Callable[[], object] = lambda: None,
    placed: Callable[[CardOrder], None] = lambda _order: None,
    replacement: Replacement | None = None,
) -> CardOrder:
    """Orders a card for an assignment: carrier and eID become ORDERED, the order is queued. First reads assignment and person
    live.

    `photo_id` is the photo of an article that has one, approved by `placing` at the latest. Calls `placing` at the beginning of
    the order's transaction and `placed` at its end; both may refuse the order. `replacement` is what the card replaces. The same
    key and content return the same order; other content raises IdempotencyMismatch (Conflict).

    Raises NotFound, Forbidden (role, own matter), Invalid (obstacles, by field), Conflict (also if another order replaces the
    card), Unavailable (external systems).
    """
    request = _Request(actor, post_id, article_code, office_id, idempotency_key, photo_id, placing, placed, replacement)
    repeats.require_key(idempotency_key)
    if earlier := _earlier(request):
        return earlier
    post = policy.get(actor, order_right(article_code), _posts, post_id)
    live = people.read_live(post)
    people.remember(post_id=post.id, live=live)
    try:
        return _place(request, live)
    except IntegrityError as error:
        if repeats.is_repeat(error) and (earlier := _earlier(request)):
            return earlier
        raise


@transaction.atomic(durable=True)
def cancel_order(*, actor: Actor, order_id: UUID) -> CardOrder:
    """Removes an order that no supplier has accepted. A removed one stays as it is. Raises NotFound, Forbidden,
    IllegalTransition if a supplier has accepted it.
    """
    seen = policy.get(actor, Action.REMOVE_ORDER, CardOrder.objects, order_id)
    ordered = Carrier.objects.filter(item__order=seen, state=CarrierState.ORDERED.value).order_by("id")
    carriers = list(ordered.select_for_update(of=("self",), no_key=True))
    waiting = Eid.objects.filter(carrier__in=carriers, state=EidState.ORDERED.value)  # one may be revoked
    eids = list(waiting.select_for_update(no_key=True).order_by("id"))
    order = CardOrder.objects.select_for_update(no_key=True).get(pk=seen.pk)
    if order.state != OrderState.CANCELLED:
        now = clock.now()
        withdrawing.withdraw([order], actor_ref=actor.ref)
        steps.step(carriers, CarrierAction.CANCEL, actor_ref=actor.ref, ended_at=now)
        steps.step(eids, EidAction.CANCEL, actor_ref=actor.ref, ended_at=now)
    return order


def _posts(_actor: Actor) -> QuerySet[Post]:
    return Post.objects.select_related("person")


@prepared
def _with_key(actor: Actor, owner_ref: str, idempotency_key: str) -> QuerySet[CardOrder]:
    orders = CardOrder.objects.visible_to(actor).filter(ordered_by_ref=owner_ref, idempotency_key=idempotency_key)
    return orders.order_by("pk")[:1]


def _earlier(request: _Request) -> CardOrder | None:
    order = next(iter(_with_key(request.actor, request.actor.ref, request.idempotency_key)), None)
    repeats.require_same(order, request.content_sha256)
    return order


@transaction.atomic(durable=True)
def _place(request: _Request, live: people.Live) -> CardOrder:
    actor, now = request.actor, clock.now().replace(microsecond=0)
    locked = Person.objects.select_for_update(no_key=True).filter(posts=request.post_id)
    list(locked.values_list("id"))
    hold_organisations(Post.objects.filter(pk=request.post_id).values_list("organisation_id", flat=True))
    request.placing()
    posts = Post.objects.select_related("person", "organisation__area")
    post = policy.get(actor, order_right(request.article_code), posts, request.post_id)
    order_checks.require_current(post)
    order_checks.require_customisation(post.organisation)
    article = order_checks.require_article(post.organisation, request.article_code)
    customisation = order_checks.customisation_of(post.organisation, article)
    photo = order_checks.require_photo(article, post.person_id, request.photo_id)
    office = order_checks.require_office(post.organisation, request.office_id)
    order_checks.require_person(live, article)
    order_checks.require_complete(post)
    if request.replacement is not None:
        replacement_checks.require_free(request.replacement.carrier_id, but=(actor.ref, request.idempotency_key))
    carrier, eid = _rows(post, article, now)
    order = CardOrder(
        person=post.person,
        organisation=post.organisation,
        article=article,
        office=office,
        customisation=customisation,
        photo=photo,
        state=OrderState.QUEUED.value,
        ordered_by_ref=actor.ref,
        idempotency_key=request.idempotency_key,
        content_sha256=request.content_sha256,
        supplier_ref=customisation.supplier_ref,
        ordered_at=now,
        **_replaced(request.replacement),
    )
    steps.begin([carrier], "ordered", actor_ref=actor.ref, facts={"person": str(post.person_id), "order": str(order.id)})
    steps.begin([eid], "ordered", actor_ref=actor.ref, facts={"hsa_id": post.hsa_id, "carrier": str(carrier.id)})
    facts = {"article": article.code, "office": str(office.id), "organisation": str(post.organisation_id)}
    if photo is not None:
        facts["photo"] = str(photo.id)
    if request.replacement is not None:
        facts |= {"replaces": str(request.replacement.carrier_id), "replacement_reason": request.replacement.reason.value}
    steps.begin([order], "submitted", actor_ref=actor.ref, facts={**facts, "carrier": str(carrier.id)})
    item = OrderItem(order=order, number=1, kind=items.CARD.code, carrier=carrier, eid=eid, state=items.ItemState.WAITING.value)
    steps.begin([item], "ordered", actor_ref=actor.ref, facts=progress.item_facts(item))
    PersonScope.objects.refresh([post.person_id])
    queueing.queued(order)
    request.placed(order)
    return order


def _replaced(replacement: Replacement | None) -> dict[str, Any]:
    """Returns the columns of an order that name the card that it replaces."""
    if replacement is None:
        return {}
    return {"replaced_carrier_id": replacement.carrier_id, "replacement_reason": replacement.reason.value}


def order_right(article_code: str) -> Action:
    """Returns the right to order the article; for an unknown article the right to order an ordinary card."""
    rights = kinds.rights(Function.ORDER)
    if len(rights) == 1:
        return next(iter(rights))
    article_kind = Article.objects.filter(pk=article_code).values_list("kind", flat=True).first()
    found = next((kind.rule(Function.ORDER) for kind in kinds.all_kinds() if article_kind in kind.article_kinds), None)
    return found.right if found else Action.ORDER_ORDINARY_CARD


def _rows(post: Post, article: Article, now: dt.datetime) -> tuple[Carrier, Eid]:
    kind = kinds.of_article(article.kind)
    carrier = Carrier(
        kind=kind.code,
        person=post.person,
        organisation=post.organisation,
        article=article,
        assurance_level=article.assurance_level,
        state=CarrierState.ORDERED.value,
        valid_from=now,
        valid_to=rules.years_after(now, getattr(settings, kind.carrier_years)),
        created_at=now,
    )
    eid = eid_of_post(post, carrier)
    eid.assurance_level, eid.state, eid.created_at = article.assurance_level, EidState.ORDERED.value, now
    return carrier, eid


def eid_of_post(post: Post, carrier: Carrier) -> Eid:
    """Returns an unsaved eID on the carrier with a copy of the assignment's values, which later changes do not affect."""
    return Eid(
        carrier=carrier,
        post=post,
        organisation=post.organisation,
        hsa_id=post.hsa_id,
        mail=post.mail,
        upn=post.upn,
        title=post.title,
    )


def post_ends_at(post: Post) -> dt.datetime | None:
    """Returns the end of the assignment's last day in Stockholm, or None if it has no end."""
    return clock.end_of_day(post.valid_to) if post.valid_to else None
