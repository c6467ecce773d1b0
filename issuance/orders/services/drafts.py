"""Drafts of card orders: each answer of the order wizard is one durable step with its event (rules/issuance 3.1, ADR 0085).

A form says which version of the draft it was drawn from. If the draft has changed since, the answer is not taken and
`DraftChanged` tells what did; giving the same answer again is no change.
"""

import datetime as dt
from collections.abc import Callable, Collection
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Min

from issuance.authz import Action, Actor, policy
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
from siths_portal.lib.database.rows import the_only
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
    """The draft is another than the one that the form was drawn from; `steps` are those whose answers changed since."""

    def __init__(self, steps: tuple[Step, ...]) -> None:
        super().__init__("draft-changed", "Beställningen har ändrats i en annan flik sedan sidan visades.")
        self.steps = steps


class DraftClosed(Conflict):
    """The draft takes no answers any more: its order is sent, or it was given up. `draft` tells which."""

    def __init__(self, draft: OrderDraft) -> None:
        submitted = draft.state == DraftState.SUBMITTED
        code, what = ("draft-submitted", "skickad") if submitted else ("draft-abandoned", "avbruten")
        super().__init__(code, f"Beställningen är redan {what}.")
        self.draft = draft


class StepMissing(Conflict):
    """An earlier step has no answer that holds; `step` is the first such one."""

    def __init__(self, step: Step) -> None:
        super().__init__("draft-incomplete", "Ett tidigare steg är inte klart. Fyll i det först.")
        self.step = step


class AnotherCard(Invalid):
    """The person has a card already, or one is on its way, and the clerk has not answered that one more is right."""

    def __init__(self) -> None:
        message = "Kryssa i rutan om personen ska ha ett kort till. Spärra annars det andra kortet först, eller avbryt."
        super().__init__("another-card", message, fields={"another_card": [message]})


@transaction.atomic(durable=True)
def start(*, actor: Actor, person_id: UUID) -> OrderDraft:
    """The clerk's open draft for the person; else one that he gave up in the last days, opened again; else a new one.

    Raises NotFound, Forbidden (role, own matter).
    """
    return _started(actor, person_id)


def begun(*, actor: Actor, person_id: UUID) -> OrderDraft | None:
    """The clerk's open draft for the person, if there is one."""
    return OrderDraft.objects.filter(owner_ref=actor.ref, person=person_id, state=DraftState.OPEN).first()


def propose(*, actor: Actor, person_id: UUID, answers: dict[str, Any], carrier_id: UUID) -> OrderDraft:
    """The clerk's draft for the person with `answers` in place of its own, in the caller's transaction.

    `carrier_id` is the card that the new one replaces. Raises NotFound, Forbidden (role, own matter).
    """
    draft = _open(actor, _started(actor, person_id).pk)
    before = draft.photo
    taken = _NO_ANSWERS | answers
    draft = _step(draft, actor.ref, "proposed", facts={"replaces": str(carrier_id)}, **taken)
    if before != draft.photo:
        _let_go(before, actor.ref)
    return draft


def _started(actor: Actor, person_id: UUID) -> OrderDraft:
    person = policy.get(actor, Action.ORDER_ORDINARY_CARD, Person.objects.all(), person_id)
    mine = OrderDraft.objects.filter(owner_ref=actor.ref, person=person)
    now = clock.now()
    if (found := mine.filter(state=DraftState.OPEN).first()) is not None:
        return found
    kept = mine.filter(state=DraftState.ABANDONED, updated_at__gte=now - dt.timedelta(days=settings.ORDER_DRAFT_DAYS))
    given_up = kept.select_for_update(no_key=True).order_by("-updated_at").first()
    if given_up is not None:
        return _step(given_up, actor.ref, "resumed", state=DraftState.OPEN.value)
    new = OrderDraft(person=person, owner_ref=actor.ref, created_at=now, updated_at=now)
    OrderDraft.objects.bulk_create([new], ignore_conflicts=True)
    draft = mine.get(state=DraftState.OPEN)
    if draft.pk == new.pk:
        _record(draft, actor.ref, "started", {"person": str(person.pk)})
    return draft


def get(*, actor: Actor, draft_id: UUID) -> OrderDraft:
    """The clerk's own draft with its answers, whatever its state. Raises NotFound, Forbidden.

    Another's draft is NotFound, and so is one for a person whom the clerk may no longer see.
    """
    draft = the_only(draft_answers.with_answers().filter(pk=draft_id, owner_ref=actor.ref))
    if draft is None:
        raise policy.not_found()
    policy.require(actor, Action.ORDER_ORDINARY_CARD, draft.person)
    draft_answers.fetch_post(draft)
    return draft


@transaction.atomic(durable=True)
def choose_post(*, actor: Actor, draft_id: UUID, version: int, post_id: UUID) -> OrderDraft:
    """Val av organisation. Raises Invalid at `post` if cards cannot be ordered for it, and what `_open` raises."""
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
    """Välj artikel. Raises Invalid at `article`, StepMissing, and what `_open` raises."""
    draft = _open(actor, draft_id)
    post = _chosen_post(draft)
    article = order_checks.require_article(post.organisation, article_code)
    return _answer(draft, actor, version, "article_chosen", article=article)


def put_photo(*, actor: Actor, draft_id: UUID, content: bytes, size: int | None = None) -> OrderDraft:
    """Hämta fotografi: the uploaded file becomes the draft's photo, not yet approved. A file that is refused changes nothing.

    `size` is the file's, where `content` is only its beginning. The photo takes the place of any before, from whatever tab: what
    goes onto the card is the one that is approved. Raises Invalid at `photo` (see `lib.files.images.portrait`), TooManyRequests,
    and what `_open` raises.
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
        _let_go(before, actor.ref)
    return draft


@transaction.atomic(durable=True)
def approve_photo(*, actor: Actor, draft_id: UUID, version: int, photo_id: UUID | None) -> OrderDraft:
    """Granska foto: the photo that was shown, the draft's or the person's stored one, is the one for the card.

    Raises Invalid at `photo` if there is none or another has come in its place, and what `_open` raises.
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
        _let_go(before, actor.ref)
    return draft


@transaction.atomic(durable=True)
def choose_office(*, actor: Actor, draft_id: UUID, version: int, office_id: UUID) -> OrderDraft:
    """Välj kontor. Raises Invalid at `office`, StepMissing, and what `_open` raises."""
    draft = _open(actor, draft_id)
    office = order_checks.require_office(_chosen_post(draft).organisation, office_id)
    return _answer(draft, actor, version, "office_chosen", office=office)


def submit(*, actor: Actor, draft_id: UUID, version: int, beside: Collection[UUID] = ()) -> CardOrder:
    """Beställ: the draft becomes an order, once; again it gives the same order. Draft and order change in one transaction.

    `beside` are the cards that the clerk saw and wants one more beside; the event keeps them. Raises AnotherCard if the person
    has others that the clerk may see (ADR 0085), StepMissing (an answer is missing or no longer holds), DraftChanged,
    DraftClosed, and what `ordering.submit_order` raises; the draft is then as it was.
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
        _require_answer(actor, draft.person_id, beside)
    except AnotherCard:
        sent = get(actor=actor, draft_id=draft_id).order  # by another click since: then the card is this draft's own
        if sent is None:
            raise
        return sent

    def complete(order: CardOrder) -> None:
        row = OrderDraft.objects.select_for_update(no_key=True).get(pk=draft.pk)
        if row.state != DraftState.OPEN or row.version != version:
            raise DraftChanged(_changed_since(row, version))
        others = _require_answer(actor, draft.person_id, [*beside, order.carrier_id]) - {order.carrier_id}
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
    """Avbryt: the draft is put aside with its answers, so that `start` can take it up again. Repeatable.

    Raises NotFound, Forbidden, DraftClosed if its order is sent.
    """
    draft = _locked(actor, draft_id)
    if draft.state == DraftState.ABANDONED:
        return draft
    if draft.state != DraftState.OPEN:
        raise DraftClosed(draft)
    return _step(draft, actor.ref, "abandoned", state=DraftState.ABANDONED.value)


@transaction.atomic(durable=True)
def restart(*, actor: Actor, draft_id: UUID) -> OrderDraft:
    """Börja om: takes away every answer. Raises NotFound, Forbidden, DraftClosed."""
    draft = _open(actor, draft_id)
    before = draft.photo
    draft = _step(draft, actor.ref, "restarted", **_NO_ANSWERS)
    _let_go(before, actor.ref)
    return draft


def oldest_open() -> list[tuple[str, dt.datetime]]:
    """Returns references of clerks with open drafts, and when the oldest of each began."""
    opened = OrderDraft.objects.filter(state=DraftState.OPEN)
    return list(opened.values_list("owner_ref").annotate(begun=Min("created_at")).order_by("owner_ref"))


def abandon_of_officer(officer: Actor, *, actor_ref: str) -> int:
    """Puts aside the open drafts of a clerk whose roles, as they are in `officer`, no longer let him order for their persons.

    In the caller's transaction. Returns how many there were; `start` takes them up again if the role comes back in time.
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
    """Takes the photo out of drafts that nobody has touched for the set number of days. Returns how many there were."""
    total = 0
    while taken := _forget_some(batch):
        total += taken
    return total


def stale_count() -> int:
    """How many drafts `forget_photos` would take the photo out of."""
    return draft_answers.stale().count()


@transaction.atomic(durable=True)
def _forget_some(batch: int) -> int:
    ids = list(draft_answers.stale().select_for_update(skip_locked=True, no_key=True).values_list("pk", flat=True)[:batch])
    for draft in draft_answers.with_answers().filter(pk__in=ids).order_by("pk"):
        before = draft.photo
        _step(draft, "system:stale-draft", "photo_forgotten", photo=None, photo_approved=False)
        _let_go(before, "system:stale-draft")
    return len(ids)


def _require_answer(actor: Actor, person_id: UUID, beside: Collection[UUID]) -> set[UUID]:
    """The person's other cards, if all are among `beside`. Raises AnotherCard."""
    others = set(other_cards.other_cards(actor=actor, person_id=person_id).values_list("pk", flat=True))
    if not others <= set(beside):
        raise AnotherCard
    return others


def _locked(actor: Actor, draft_id: UUID) -> OrderDraft:
    rows = OrderDraft.objects.select_for_update(no_key=True).filter(pk=draft_id, owner_ref=actor.ref)
    list(rows.values_list("pk"))  # read after the wait: rows joined in the locking query itself would be of before
    return get(actor=actor, draft_id=draft_id)


def _open(actor: Actor, draft_id: UUID) -> OrderDraft:
    """The clerk's draft, locked, while it takes answers. Raises NotFound, Forbidden, DraftClosed."""
    draft = _locked(actor, draft_id)
    if draft.state != DraftState.OPEN:
        raise DraftClosed(draft)
    return draft


def _chosen_post(draft: OrderDraft) -> Post:
    if draft.post is None:
        raise StepMissing(Step.ORGANISATION)
    return draft.post


def _answer(draft: OrderDraft, actor: Actor, version: int, action: str, **answers: Any) -> OrderDraft:
    """Sets the answers unless they are those already. Raises DraftChanged if the form was drawn from another version."""
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
    """Changes the locked draft, counts its version on, and records it."""
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


def _let_go(photo: Photo | None, actor_ref: str) -> None:
    """Deletes a photo that no draft holds any more and nobody has approved."""
    if photo is not None and not OrderDraft.objects.filter(photo=photo).exists():
        photos.discard(photo, actor_ref=actor_ref)


def _at_field(field: str, check: Callable[[], object]) -> None:
    """Runs a check whose refusal the user can do something about by answering otherwise."""
    try:
        check()
    except Conflict as error:
        raise Invalid(error.code, error.message, fields={field: [error.message]}) from None
