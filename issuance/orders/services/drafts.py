"""Drafts of card orders: each answer of the order wizard is one durable step with its event (rules/issuance 3.1, ADR 0085).

A form carries the draft's version. If the draft has changed since then, the answer is refused and `DraftChanged` holds the
changed steps. Repeating an answer changes nothing.
"""

import datetime as dt
from collections.abc import Callable, Collection
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Min, QuerySet

from issuance.authz import Action, Actor, policy
from issuance.carriers.models import Carrier
from issuance.orders.domain.drafts import DraftState, Step
from issuance.orders.models.drafts import OrderDraft
from issuance.orders.models.orders import CardOrder
from issuance.orders.services import draft_answers, order_checks, ordering, other_cards
from issuance.people.models.persons import Person, Post
from issuance.people.models.photos import Photo
from issuance.people.services import photos
from issuance.records.models.events import Event
from issuance.records.services import uploads
from siths_portal.lib import clock
from siths_portal.lib.database.prepared import prepared
from siths_portal.lib.errors import Conflict, Invalid, NotFound
from siths_portal.lib.files.images import portrait

_BATCH = 200
_STEP_OF = {
    "post_chosen": Step.ORGANISATION,
    "article_chosen": Step.ARTICLE,
    "photo_uploaded": Step.PHOTO,
    "photo_chosen": Step.PHOTO,
    "photo_forgotten": Step.PHOTO,
    "office_chosen": Step.OFFICE,
}
_ALL_CHANGED = {"restarted", "proposed"}
_NO_ANSWERS: dict[str, Any] = {"post": None, "article": None, "photo": None, "photo_approved": False, "office": None}


class DraftChanged(Conflict):
    """The draft has another version than the form; `steps` are those whose answers changed since."""

    def __init__(self, steps: tuple[Step, ...]) -> None:
        super().__init__("draft-changed", "Beställningen har ändrats i en annan flik sedan sidan visades.")
        self.steps = steps


class DraftClosed(Conflict):
    """The draft no longer accepts answers: its order was sent, or it was abandoned; see `draft`."""

    def __init__(self, draft: OrderDraft) -> None:
        submitted = draft.state == DraftState.SUBMITTED
        code, what = ("draft-submitted", "skickad") if submitted else ("draft-abandoned", "avbruten")
        super().__init__(code, f"Beställningen är redan {what}.")
        self.draft = draft


class StepMissing(Conflict):
    """An earlier step has no valid answer; `step` is the first such step."""

    def __init__(self, step: Step) -> None:
        super().__init__("draft-incomplete", "Ett tidigare steg är inte klart. Fyll i det först.")
        self.step = step


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


def propose(*, actor: Actor, person_id: UUID, answers: dict[str, Any], carrier_id: UUID) -> OrderDraft:
    """Replaces the answers of the clerk's draft for the person by `answers`, in the caller's transaction. `carrier_id` is the
    card that the new one replaces. Raises NotFound, Forbidden (role, own matter).
    """
    draft = _open(actor, _started(actor, person_id).pk)
    before = draft.photo
    all_answers = _NO_ANSWERS | answers
    draft = _step(draft, actor.ref, "proposed", facts={"replaces": str(carrier_id)}, **all_answers)
    if before != draft.photo:
        _discard_if_unused(before, actor.ref)
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
        return _step(abandoned, actor.ref, "resumed", state=DraftState.OPEN.value)
    new = OrderDraft(person=person, owner_ref=actor.ref, created_at=now, updated_at=now)
    OrderDraft.objects.bulk_create([new], ignore_conflicts=True)
    draft = mine.get(state=DraftState.OPEN)
    if draft.pk == new.pk:
        _record(draft, actor.ref, "started", {"person": str(person.pk)})
    return draft


def get(*, actor: Actor, draft_id: UUID) -> OrderDraft:
    """Returns the clerk's own draft with its answers, in any state. Raises NotFound, Forbidden. Another clerk's draft raises
    NotFound, as does one for a person whom the clerk may no longer see.
    """
    draft = next(iter(_own(actor.ref, draft_id)), None)
    if draft is None:
        raise policy.not_found()
    policy.require(actor, Action.ORDER_ORDINARY_CARD, draft.person)
    draft_answers.fetch_post(draft)
    return draft


@prepared
def _own(owner_ref: str, draft_id: UUID) -> QuerySet[OrderDraft]:
    return draft_answers.with_answers().filter(pk=draft_id, owner_ref=owner_ref)


@transaction.atomic(durable=True)
def choose_post(*, actor: Actor, draft_id: UUID, version: int, post_id: UUID) -> OrderDraft:
    """Val av organisation. Raises Invalid at `post` if cards cannot be ordered for it. Raises as `_open`."""
    draft = _open(actor, draft_id)
    posts = Post.objects.filter(person=draft.person_id).select_related("organisation__area")
    try:
        post = policy.get(actor, Action.ORDER_ORDINARY_CARD, posts, post_id)
    except NotFound:
        message = "Välj ett av uppdragen i listan."
        raise Invalid("post-unknown", message, fields={"post": [message]}) from None
    _at_field("post", lambda: order_checks.require_current(post))
    _at_field("post", lambda: order_checks.require_customisation(post.organisation))
    return _answer(draft, actor, version, "post_chosen", post=post)


@transaction.atomic(durable=True)
def choose_article(*, actor: Actor, draft_id: UUID, version: int, article_code: str) -> OrderDraft:
    """Välj artikel. Raises Invalid at `article`, StepMissing. Raises as `_open`."""
    draft = _open(actor, draft_id)
    post = _chosen_post(draft)
    article = order_checks.require_article(post.organisation, article_code)
    return _answer(draft, actor, version, "article_chosen", article=article)


def put_photo(*, actor: Actor, draft_id: UUID, content: bytes, size: int | None = None) -> OrderDraft:
    """Hämta fotografi: makes the uploaded file the draft's photo, not yet approved. A refused file changes nothing.

    `size` is the file's size if `content` is only its beginning. The photo replaces an earlier one, even from another browser
    tab: only an approved photo is printed. Raises Invalid at `photo` (see `lib.files.images.portrait`), TooManyRequests. Raises
    as `_open`.
    """
    get(actor=actor, draft_id=draft_id)
    uploads.spend(actor)
    made = portrait(content, field="photo", size=size)
    with transaction.atomic(durable=True):
        draft = _open(actor, draft_id)
        before = draft.photo
        if before is not None and before.approved_at is None and before.content == made.jpeg:
            return draft
        photo = photos.keep_pending(actor=actor, person=draft.person, made=made)
        draft = _step(draft, actor.ref, "photo_uploaded", photo=photo, photo_approved=False)
        _discard_if_unused(before, actor.ref)
    return draft


@transaction.atomic(durable=True)
def approve_photo(*, actor: Actor, draft_id: UUID, version: int, photo_id: UUID | None) -> OrderDraft:
    """Granska foto: approves the shown photo, the draft's or the person's stored one, for the card. Raises Invalid at `photo`
    if there is none or another has replaced it. Raises as `_open`.
    """
    draft = _open(actor, draft_id)
    stored = Photo.objects.latest_of(draft.person_id)
    photo = next((one for one in (draft.photo, stored) if one is not None and one.pk == photo_id), None)
    if photo is None:
        message = "Hämta ett fotografi, eller gå tillbaka och välj en artikel utan foto."
        if photo_id is not None:
            message = "Fotot har bytts sedan sidan visades. Granska det som visas nu."
        raise Invalid("photo-missing", message, fields={"photo": [message]})
    before = draft.photo
    draft = _answer(draft, actor, version, "photo_chosen", photo=photo, photo_approved=True)
    photos.approve(photo, actor=actor)
    if before is not None and before.pk != photo.pk:
        _discard_if_unused(before, actor.ref)
    return draft


@transaction.atomic(durable=True)
def choose_office(*, actor: Actor, draft_id: UUID, version: int, office_id: UUID) -> OrderDraft:
    """Välj kontor. Raises Invalid at `office`, StepMissing. Raises as `_open`."""
    draft = _open(actor, draft_id)
    office = order_checks.require_office(_chosen_post(draft).organisation, office_id)
    return _answer(draft, actor, version, "office_chosen", office=office)


def submit(*, actor: Actor, draft_id: UUID, version: int, confirmed_cards: Collection[UUID] = ()) -> CardOrder:
    """Beställ: turns the draft into an order, once; a repeated call returns the same order. Draft and order change in one
    transaction.

    `confirmed_cards` holds the person's other cards that the clerk saw and confirmed; the event records them. Raises
    AnotherCard if the person has others that the clerk may see (ADR 0085), StepMissing (an answer is missing or no longer
    valid), DraftChanged, DraftClosed. Raises as `ordering.submit_order`; the draft is then unchanged.
    """
    draft = get(actor=actor, draft_id=draft_id)
    if draft.order is not None:
        return draft.order
    if draft.state != DraftState.OPEN:
        raise DraftClosed(draft)
    _require_version(draft, version)
    missing = draft_answers.answers(actor=actor, draft=draft).first_unanswered
    if missing is not Step.REVIEW or draft.post_id is None or draft.article is None or draft.office_id is None:
        raise StepMissing(missing)

    try:
        _require_confirmed(actor, draft.person_id, confirmed_cards)
    except AnotherCard:
        # Another click may have submitted it in the meantime; then the other card is this draft's own.
        sent = get(actor=actor, draft_id=draft_id).order
        if sent is None:
            raise
        return sent

    def complete(order: CardOrder) -> None:
        row = OrderDraft.objects.select_for_update(no_key=True).get(pk=draft.pk)
        if row.state != DraftState.OPEN or row.version != version:
            raise DraftChanged(_changed_since(row, version))
        others = _require_confirmed(actor, draft.person_id, [*confirmed_cards, order.carrier_id]) - {order.carrier_id}
        facts: dict[str, Any] = {"order": str(order.pk)}
        if others:
            facts["beside"] = sorted(map(str, others))
        _step(row, actor.ref, "submitted", facts=facts, state=DraftState.SUBMITTED.value, order=order)

    return ordering.submit_order(
        actor=actor,
        post_id=draft.post_id,
        article_code=draft.article.code,
        office_id=draft.office_id,
        photo_id=draft.photo_id if draft.article.photo else None,
        idempotency_key=str(draft.pk),
        placed=complete,
    )


@transaction.atomic(durable=True)
def abandon(*, actor: Actor, draft_id: UUID) -> OrderDraft:
    """Avbryt: sets the draft aside with its answers, so that `start` can reopen it. Repeatable. Raises NotFound, Forbidden,
    DraftClosed if its order is sent.
    """
    draft = _locked(actor, draft_id)
    if draft.state == DraftState.ABANDONED:
        return draft
    if draft.state != DraftState.OPEN:
        raise DraftClosed(draft)
    return _step(draft, actor.ref, "abandoned", state=DraftState.ABANDONED.value)


@transaction.atomic(durable=True)
def restart(*, actor: Actor, draft_id: UUID) -> OrderDraft:
    """Börja om: deletes every answer. Raises NotFound, Forbidden, DraftClosed."""
    draft = _open(actor, draft_id)
    before = draft.photo
    draft = _step(draft, actor.ref, "restarted", **_NO_ANSWERS)
    _discard_if_unused(before, actor.ref)
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
        _step(draft, actor_ref, "abandoned", state=DraftState.ABANDONED.value)
    return len(rows)


def forget_photos(*, batch: int = _BATCH) -> int:
    """Removes the photo from drafts that were not changed for ORDER_DRAFT_DAYS days. Returns the number of drafts."""
    total = 0
    while count := _forget_some(batch):
        total += count
    return total


def stale_count() -> int:
    """Returns the number of drafts from which `forget_photos` would remove the photo."""
    return draft_answers.stale().count()


@transaction.atomic(durable=True)
def _forget_some(batch: int) -> int:
    ids = list(draft_answers.stale().select_for_update(skip_locked=True, no_key=True).values_list("pk", flat=True)[:batch])
    for draft in draft_answers.with_answers().filter(pk__in=ids).order_by("pk"):
        before = draft.photo
        _step(draft, "system:stale-draft", "photo_forgotten", photo=None, photo_approved=False)
        _discard_if_unused(before, "system:stale-draft")
    return len(ids)


def _require_confirmed(actor: Actor, person_id: UUID, confirmed_cards: Collection[UUID]) -> set[UUID]:
    """Returns the person's other cards if all are confirmed. Raises AnotherCard if not."""
    others = set(_other_cards(actor, person_id))
    if not others <= set(confirmed_cards):
        raise AnotherCard
    return others


@prepared
def _other_cards(actor: Actor, person_id: UUID) -> QuerySet[Carrier, UUID]:
    return other_cards.other_cards(actor=actor, person_id=person_id).values_list("pk", flat=True)


def _locked(actor: Actor, draft_id: UUID) -> OrderDraft:
    _lock(actor.ref, draft_id)  # read after the lock: rows joined in the locking query would be from before the wait
    return get(actor=actor, draft_id=draft_id)


@prepared
def _lock(owner_ref: str, draft_id: UUID) -> QuerySet[OrderDraft, Any]:
    rows = OrderDraft.objects.select_for_update(no_key=True).filter(pk=draft_id, owner_ref=owner_ref)
    return rows.values_list("pk")


def _open(actor: Actor, draft_id: UUID) -> OrderDraft:
    """Returns the clerk's draft, locked, if it accepts answers. Raises NotFound, Forbidden, DraftClosed."""
    draft = _locked(actor, draft_id)
    if draft.state != DraftState.OPEN:
        raise DraftClosed(draft)
    return draft


def _chosen_post(draft: OrderDraft) -> Post:
    if draft.post is None:
        raise StepMissing(Step.ORGANISATION)
    return draft.post


def _answer(draft: OrderDraft, actor: Actor, version: int, action: str, **answers: Any) -> OrderDraft:
    """Sets the answers unless they are unchanged. Raises DraftChanged if the form has another version."""
    if all(getattr(draft, name) == value for name, value in answers.items()):
        return draft
    _require_version(draft, version)
    return _step(draft, actor.ref, action, **answers)


def _require_version(draft: OrderDraft, version: int) -> None:
    if draft.version != version:
        raise DraftChanged(_changed_since(draft, version))


def _changed_since(draft: OrderDraft, version: int) -> tuple[Step, ...]:
    events = Event.objects.filter(subject_type="order_draft", subject_ref=str(draft.pk), subject_seq__gt=version)
    actions = [action.removeprefix("order_draft.") for action in events.order_by("id").values_list("action", flat=True)]
    found = set(Step) - {Step.REVIEW} if _ALL_CHANGED & set(actions) else {_STEP_OF[name] for name in actions if name in _STEP_OF}
    return tuple(step for step in Step if step in found)


def _step(draft: OrderDraft, actor_ref: str, action: str, *, facts: dict[str, Any] | None = None, **changes: Any) -> OrderDraft:
    """Changes the locked draft, increments its version, and records an event."""
    for name, value in changes.items():
        setattr(draft, name, value)
    draft.version += 1
    draft.updated_at = clock.now()
    draft.save(update_fields=[*changes, "version", "updated_at"])
    _record(draft, actor_ref, action, facts or {})
    return draft


def _record(draft: OrderDraft, actor_ref: str, action: str, facts: dict[str, Any]) -> None:
    Event.record(
        actor_ref=actor_ref,
        action=f"order_draft.{action}",
        subject_type="order_draft",
        subject_ref=str(draft.pk),
        subject_seq=draft.version,
        facts=facts,
    )


def _discard_if_unused(photo: Photo | None, actor_ref: str) -> None:
    """Deletes a photo that no draft uses any more and nobody has approved."""
    if photo is not None and not OrderDraft.objects.filter(photo=photo).exists():
        photos.discard(photo, actor_ref=actor_ref)


def _at_field(field: str, check: Callable[[], object]) -> None:
    """Runs a check and turns its Conflict into Invalid at the field, because another answer can resolve it."""
    try:
        check()
    except Conflict as error:
        raise Invalid(error.code, error.message, fields={field: [error.message]}) from None
