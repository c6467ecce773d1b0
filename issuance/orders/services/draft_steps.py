"""Steps of order drafts: finding and locking a clerk's draft, and changing it with an event and a new version."""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.db.models.fields.json import KT

from issuance.authz import Action, Actor, policy
from issuance.orders.domain.drafts import DraftState, Step
from issuance.orders.domain.drafts import steps as questions
from issuance.orders.models.drafts import OrderDraft
from issuance.orders.services import draft_answers
from issuance.people.models.photos import Photo
from issuance.people.services import photos
from issuance.records.models.events import Event
from siths_portal.lib import clock
from siths_portal.lib.database.prepared import prepared
from siths_portal.lib.errors import Conflict

_STEP_OF = {
    "replacement_reason_chosen": Step.REPLACEMENT,
    "post_chosen": Step.ORGANISATION,
    "article_chosen": Step.ARTICLE,
    "photo_uploaded": Step.PHOTO,
    "photo_chosen": Step.PHOTO,
    "photo_forgotten": Step.PHOTO,
    "office_chosen": Step.OFFICE,
}
_ALL_CHANGED = {"restarted", "proposed"}


class DraftChanged(Conflict):
    """The draft has another version than the form; `steps` are the questions whose answers changed since."""

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
    """A question has no valid answer; `step` is the first such question."""

    def __init__(self, step: Step) -> None:
        super().__init__("draft-incomplete", "Beställningen är inte komplett. Fyll i det som saknas.")
        self.step = step


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


def locked(actor: Actor, draft_id: UUID) -> OrderDraft:
    """Returns the clerk's draft, locked, in any state. Raises NotFound, Forbidden."""
    _lock(actor.ref, draft_id)  # read after the lock: rows joined in the locking query would be from before the wait
    return get(actor=actor, draft_id=draft_id)


@prepared
def _lock(owner_ref: str, draft_id: UUID) -> QuerySet[OrderDraft, Any]:
    rows = OrderDraft.objects.select_for_update(no_key=True).filter(pk=draft_id, owner_ref=owner_ref)
    return rows.values_list("pk")


def open_draft(actor: Actor, draft_id: UUID) -> OrderDraft:
    """Returns the clerk's draft, locked, if it accepts answers. Raises NotFound, Forbidden, DraftClosed."""
    draft = locked(actor, draft_id)
    if draft.state != DraftState.OPEN:
        raise DraftClosed(draft)
    return draft


def require_version(draft: OrderDraft, version: int) -> None:
    """Raises DraftChanged if the draft has another version."""
    if draft.version != version:
        raise DraftChanged(changed_since(draft, version))


def changed_since(draft: OrderDraft, version: int, *, page: str = "") -> tuple[Step, ...]:
    """Returns the questions whose answers changed after `version`, not counting the choices made on `page` itself."""
    events = Event.objects.filter(subject_type="order_draft", subject_ref=str(draft.pk), subject_seq__gt=version)
    made = events.order_by("id").values_list("action", KT("facts__page"))
    actions = [action.removeprefix("order_draft.") for action, on_page in made if not page or on_page != page]
    asked = set(questions(photo=None, replaces=draft.replaced_carrier_id is not None)) - {Step.REVIEW}
    found = asked if _ALL_CHANGED & set(actions) else {_STEP_OF[name] for name in actions if name in _STEP_OF}
    return tuple(step for step in Step if step in found)


def step(draft: OrderDraft, actor_ref: str, action: str, *, facts: dict[str, Any] | None = None, **changes: Any) -> OrderDraft:
    """Changes the locked draft, increments its version, and records an event."""
    for name, value in changes.items():
        setattr(draft, name, value)
    draft.version += 1
    draft.updated_at = clock.now()
    draft.save(update_fields=[*changes, "version", "updated_at"])
    record(draft, actor_ref, action, facts or {})
    return draft


def record(draft: OrderDraft, actor_ref: str, action: str, facts: dict[str, Any]) -> None:
    """Records an event of the draft's present version."""
    Event.record(
        actor_ref=actor_ref,
        action=f"order_draft.{action}",
        subject_type="order_draft",
        subject_ref=str(draft.pk),
        subject_seq=draft.version,
        facts=facts,
    )


def discard_if_unused(photo: Photo | None, actor_ref: str) -> None:
    """Deletes a photo that no draft uses any more and nobody has approved."""
    if photo is not None and not OrderDraft.objects.filter(photo=photo).exists():
        photos.discard(photo, actor_ref=actor_ref)
