"""Drafts of card orders: each answer of the order's page is one durable step with its event (rules/issuance 3.1, ADR 0085).

A form carries the draft's version. If the draft has changed since then, the answer is refused and `DraftChanged` holds the
changed answers. Repeating an answer changes nothing.
"""

import datetime as dt
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Min, QuerySet

from issuance.authz import Action, Actor, policy
from issuance.carriers.models import Carrier
from issuance.orders.domain.drafts import DraftState, Step, first_unanswered
from issuance.orders.models.drafts import OrderDraft
from issuance.orders.models.orders import CardOrder
from issuance.orders.services import (
    draft_answers,
    draft_photos,
    draft_steps,
    order_checks,
    ordering,
    other_cards,
    replacement_checks,
)
from issuance.orders.services.draft_steps import DraftChanged, DraftClosed, StepMissing
from issuance.people.models.persons import Person, Post
from siths_portal.lib import clock
from siths_portal.lib.database.prepared import prepared
from siths_portal.lib.errors import Conflict, Invalid, NotFound

_NO_ANSWERS: dict[str, Any] = {
    "post": None,
    "article": None,
    "photo": None,
    "photo_approved": False,
    "office": None,
    "replaced_carrier": None,
    "replacement_reason": "",
}


class AnotherCard(Invalid):
    """The person has another card, or one is ordered, and the clerk has not confirmed that one more is right."""

    def __init__(self) -> None:
        message = "Kryssa i rutan om personen ska ha ett kort till. Spärra annars det andra kortet först, eller avbryt."
        super().__init__("another-card", message, fields={"another_card": [message]})


@transaction.atomic(durable=True)
def start(*, actor: Actor, person_id: UUID) -> OrderDraft:
    """Returns the clerk's open draft for the person. If there is none, reopens one that the clerk abandoned recently, else
    creates one. Raises NotFound, Forbidden (role, own matter).
    """
    return _started(actor, person_id)


def begun(*, actor: Actor, person_id: UUID) -> OrderDraft | None:
    """Returns the clerk's open draft for the person, or None."""
    return OrderDraft.objects.filter(owner_ref=actor.ref, person=person_id, state=DraftState.OPEN).first()


def propose(*, actor: Actor, person_id: UUID, answers: dict[str, Any]) -> OrderDraft:
    """Replaces the answers of the clerk's draft for the person by `answers`, among which is the card that the new one replaces,
    in the caller's transaction. Raises NotFound, Forbidden (role, own matter).
    """
    draft = draft_steps.open_draft(actor, _started(actor, person_id).pk)
    before = draft.photo
    all_answers = _NO_ANSWERS | answers
    facts = {"replaces": str(answers["replaced_carrier"].pk)}
    draft = draft_steps.step(draft, actor.ref, "proposed", facts=facts, **all_answers)
    if before != draft.photo:
        draft_steps.discard_if_unused(before, actor.ref)
    return draft


def _started(actor: Actor, person_id: UUID) -> OrderDraft:
    person = policy.get(actor, Action.ORDER_ORDINARY_CARD, Person.objects, person_id)
    mine = OrderDraft.objects.filter(owner_ref=actor.ref, person=person)
    now = clock.now()
    if (found := mine.filter(state=DraftState.OPEN).first()) is not None:
        return found
    kept = mine.filter(state=DraftState.ABANDONED, updated_at__gte=now - dt.timedelta(days=settings.ORDER_DRAFT_DAYS))
    abandoned = kept.select_for_update(no_key=True).order_by("-updated_at").first()
    if abandoned is not None:
        return draft_steps.step(abandoned, actor.ref, "resumed", state=DraftState.OPEN.value)
    new = OrderDraft(person=person, owner_ref=actor.ref, created_at=now, updated_at=now)
    OrderDraft.objects.bulk_create([new], ignore_conflicts=True)
    draft = mine.get(state=DraftState.OPEN)
    if draft.pk == new.pk:
        draft_steps.record(draft, actor.ref, "started", {"person": str(person.pk)})
    return draft


@dataclass(frozen=True)
class Choices:
    """Answers of the order's page. None for one that the page did not have. `page` is the id of the page in one browser tab."""

    post_id: UUID | None = None
    article_code: str | None = None
    office_id: UUID | None = None
    replacement_reason: str | None = None
    page: str = ""


@transaction.atomic(durable=True)
def choose(*, actor: Actor, draft_id: UUID, version: int, choices: Choices, lenient: bool = False) -> OrderDraft:
    """Stores the answers that differ from the draft's, each as a step of its own. `lenient` leaves invalid answers out.

    An answer is refused only if another tab has changed the same answer since `version`, so that a page which stores each
    choice never stands in its own way: the next choice may leave before the answer to the one before has come. Raises Invalid
    with the errors of all fields, DraftChanged, DraftClosed, StepMissing, NotFound, Forbidden.
    """
    draft = draft_steps.open_draft(actor, draft_id)
    found, errors = _checked(actor, draft, choices)
    if errors and not lenient:
        raise _joined(errors)
    differing = {step: value for step, value in found.items() if getattr(draft, step.value) != value}
    if differing and draft.version != version:
        changed = [step for step in draft_steps.changed_since(draft, version, page=choices.page) if step in differing]
        if changed:
            raise DraftChanged(tuple(changed))
    facts = {"page": choices.page} if choices.page else {}
    for step, value in differing.items():
        draft = draft_steps.step(draft, actor.ref, _ACTIONS[step], facts=facts, **{step.value: value})
    return draft


_ACTIONS = {
    Step.REPLACEMENT: "replacement_reason_chosen",
    Step.ORGANISATION: "post_chosen",
    Step.ARTICLE: "article_chosen",
    Step.OFFICE: "office_chosen",
}


def _checked(actor: Actor, draft: OrderDraft, choices: Choices) -> tuple[dict[Step, Any], list[Invalid]]:
    """Returns the valid answers, and the errors of the others. Without a valid assignment no other answer is valid."""
    found: dict[Step, Any] = {}
    errors: list[Invalid] = []

    def check(step: Step, find: Callable[[], object]) -> None:
        try:
            found[step] = find()
        except Invalid as error:
            errors.append(error)

    post_id, article_code, office_id = choices.post_id, choices.article_code, choices.office_id
    reason = choices.replacement_reason
    if reason is not None and draft.replaced_carrier_id is not None:
        check(Step.REPLACEMENT, lambda: replacement_checks.require_reason(reason))
    if post_id is not None:
        check(Step.ORGANISATION, lambda: _orderable_post(actor, draft, post_id))
        if Step.ORGANISATION not in found:
            return found, errors
    if article_code is None and office_id is None:
        return found, errors
    organisation = (found[Step.ORGANISATION] if Step.ORGANISATION in found else _chosen_post(draft)).organisation
    if article_code is not None:
        check(Step.ARTICLE, lambda: order_checks.require_article(organisation, article_code))
    if office_id is not None:
        check(Step.OFFICE, lambda: order_checks.require_office(organisation, office_id))
    return found, errors


def _joined(errors: list[Invalid]) -> Invalid:
    """Returns one error with the fields of all."""
    fields = {field: messages for error in errors for field, messages in error.fields.items()}
    return Invalid(errors[0].code, errors[0].message, fields=fields)


def _orderable_post(actor: Actor, draft: OrderDraft, post_id: UUID) -> Post:
    """Returns the person's assignment. Raises Invalid at `post` if cards cannot be ordered for it."""
    posts = Post.objects.filter(person=draft.person_id).select_related("organisation__area")
    try:
        post = policy.get(actor, Action.ORDER_ORDINARY_CARD, posts, post_id)
    except NotFound:
        message = "Välj ett av uppdragen i listan."
        raise Invalid("post-unknown", message, fields={"post": [message]}) from None
    _at_field("post", lambda: order_checks.require_current(post))
    _at_field("post", lambda: order_checks.require_customisation(post.organisation))
    return post


def submit(
    *,
    actor: Actor,
    draft_id: UUID,
    version: int,
    confirmed_cards: Collection[UUID] = (),
    photo_id: UUID | None = None,
    revocation_waits: bool = False,
) -> CardOrder:
    """Beställ: turns the draft into an order, once; a repeated call returns the same order. Draft, photo and order change in one
    transaction.

    `photo_id` is the photo that the page showed for an article that has one; the order approves it. `confirmed_cards` holds the
    person's other cards that the clerk saw and confirmed; the event records them. A card that the new one replaces needs no
    confirmation. Where it is to be revoked first, it has been, or `revocation_waits` for a second officer.

    Raises AnotherCard if the person has others that the clerk may see (ADR 0085), StepMissing (an answer is missing or no longer
    valid), DraftChanged, DraftClosed, Conflict (the replaced card). Raises as `draft_photos.approve_photo` and
    `ordering.submit_order`; draft and photo are then unchanged.
    """
    draft = draft_steps.get(actor=actor, draft_id=draft_id)
    if draft.order is not None:
        return draft.order
    if draft.state != DraftState.OPEN:
        raise DraftClosed(draft)
    draft_steps.require_version(draft, version)
    found, article = draft_answers.answers(actor=actor, draft=draft), draft.article
    answered = found.answered | {Step.PHOTO} if photo_id else found.answered
    missing = first_unanswered(answered, photo=found.photo, replaces=found.replaces)
    if missing is not Step.REVIEW or draft.post_id is None or article is None or draft.office_id is None:
        raise StepMissing(missing)

    replacement = replacement_checks.of_draft(draft, revocation_waits=revocation_waits)
    replaced = {draft.replaced_carrier_id} if draft.replaced_carrier_id else set[UUID]()
    try:
        require_confirmed(actor, draft.person_id, {*confirmed_cards, *replaced})
    except AnotherCard:
        # Another click may have submitted it in the meantime; then the other card is this draft's own.
        sent = draft_steps.get(actor=actor, draft_id=draft_id).order
        if sent is None:
            replacement_checks.of_draft(draft, revocation_waits=revocation_waits)  # a colleague may just have replaced the card
            raise
        return sent

    def approve() -> None:
        nonlocal version
        if photo_id is not None:
            version = draft_photos.approve_photo(actor=actor, draft_id=draft_id, version=version, photo_id=photo_id).version

    def complete(order: CardOrder) -> None:
        row = OrderDraft.objects.select_for_update(no_key=True).get(pk=draft.pk)
        if row.state != DraftState.OPEN or row.version != version:
            raise DraftChanged(draft_steps.changed_since(row, version))
        own = {order.carrier_id, *replaced}
        others = require_confirmed(actor, draft.person_id, {*confirmed_cards, *own}) - own
        facts: dict[str, Any] = {"order": str(order.pk)}
        if others:
            facts["beside"] = sorted(map(str, others))
        unused = draft.photo if not article.photo and draft.photo is not None and draft.photo.approved_at is None else None
        no_photo: dict[str, Any] = {"photo": None, "photo_approved": False} if unused is not None else {}
        draft_steps.step(row, actor.ref, "submitted", facts=facts, state=DraftState.SUBMITTED.value, order=order, **no_photo)
        draft_steps.discard_if_unused(unused, actor.ref)

    try:
        return ordering.submit_order(
            actor=actor,
            post_id=draft.post_id,
            article_code=article.code,
            office_id=draft.office_id,
            photo_id=(photo_id or draft.photo_id) if article.photo else None,
            idempotency_key=str(draft.pk),
            replacement=replacement,
            placing=approve,
            placed=complete,
        )
    except DraftClosed as error:  # by another click, before the photo was approved
        if error.draft.order is None:
            raise
        return error.draft.order


@transaction.atomic(durable=True)
def abandon(*, actor: Actor, draft_id: UUID) -> OrderDraft:
    """Avbryt: sets the draft aside with its answers, so that `start` can reopen it. Repeatable. Raises NotFound, Forbidden,
    DraftClosed if its order is sent.
    """
    draft = draft_steps.locked(actor, draft_id)
    if draft.state == DraftState.ABANDONED:
        return draft
    if draft.state != DraftState.OPEN:
        raise DraftClosed(draft)
    return draft_steps.step(draft, actor.ref, "abandoned", state=DraftState.ABANDONED.value)


@transaction.atomic(durable=True)
def restart(*, actor: Actor, draft_id: UUID) -> OrderDraft:
    """Börja om: deletes every answer. Raises NotFound, Forbidden, DraftClosed."""
    draft = draft_steps.open_draft(actor, draft_id)
    before = draft.photo
    draft = draft_steps.step(draft, actor.ref, "restarted", **_NO_ANSWERS)
    draft_steps.discard_if_unused(before, actor.ref)
    return draft


def oldest_open() -> list[tuple[str, dt.datetime]]:
    """Returns references of clerks with open drafts, and the start of each clerk's oldest one."""
    opened = OrderDraft.objects.filter(state=DraftState.OPEN)
    return list(opened.values_list("owner_ref").annotate(begun=Min("created_at")).order_by("owner_ref"))


def abandon_of_officer(officer: Actor, *, actor_ref: str) -> int:
    """Sets aside the open drafts of a clerk whose roles in `officer` no longer allow ordering for their persons, in the
    caller's transaction. Returns how many; `start` reopens them if the role returns in time.
    """
    opened = OrderDraft.objects.filter(owner_ref=officer.ref, state=DraftState.OPEN)
    persons = opened.values("person")
    reached = Person.objects.visible_to(officer, Action.ORDER_ORDINARY_CARD).filter(pk__in=persons)
    lost = opened.exclude(person__in=list(reached.values_list("pk", flat=True)))
    rows = list(lost.select_for_update(no_key=True).order_by("pk"))
    for draft in rows:
        draft_steps.step(draft, actor_ref, "abandoned", state=DraftState.ABANDONED.value)
    return len(rows)


def require_confirmed(actor: Actor, person_id: UUID, confirmed_cards: Collection[UUID]) -> set[UUID]:
    """Returns the person's other cards if all are confirmed. Raises AnotherCard if not."""
    others = set(_other_cards(actor, person_id))
    if not others <= set(confirmed_cards):
        raise AnotherCard
    return others


@prepared
def _other_cards(actor: Actor, person_id: UUID) -> QuerySet[Carrier, UUID]:
    return other_cards.other_cards(actor=actor, person_id=person_id).values_list("pk", flat=True)


def _chosen_post(draft: OrderDraft) -> Post:
    if draft.post is None:
        raise StepMissing(Step.ORGANISATION)
    return draft.post


def _at_field(field: str, check: Callable[[], object]) -> None:
    """Runs a check and turns its Conflict into Invalid at the field, because another answer can resolve it."""
    try:
        check()
    except Conflict as error:
        raise Invalid(error.code, error.message, fields={field: [error.message]}) from None
