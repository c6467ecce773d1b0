"""Photos of order drafts: uploaded, approved, and removed when nobody continues with the draft (rules/issuance 3.3)."""

from uuid import UUID

from django.db import transaction

from issuance.authz import Actor
from issuance.orders.domain.drafts import DraftState
from issuance.orders.models.drafts import OrderDraft
from issuance.orders.services import draft_answers, draft_steps
from issuance.orders.services.draft_steps import DraftClosed
from issuance.people.models.photos import Photo
from issuance.people.services import photos
from issuance.records.services import uploads
from siths_portal.lib.errors import Invalid
from siths_portal.lib.files import framing
from siths_portal.lib.files.framing import Framing

_BATCH = 200


def put_photo(*, actor: Actor, draft_id: UUID, content: bytes, size: int | None = None) -> OrderDraft:
    """Hämta fotografi: makes the uploaded file the draft's photo, not yet approved. A file of another shape is cropped
    to 3:4 in the middle. A refused file changes nothing.

    `size` is the file's size if `content` is only its beginning. The photo replaces an earlier one, even from another browser
    tab: only an approved photo is printed. Raises Invalid at `photo` (see `lib.files.framing.picture`), TooManyRequests. Raises
    as `draft_steps.open_draft`.
    """
    draft_steps.get(actor=actor, draft_id=draft_id)
    uploads.spend(actor)
    source, whole = framing.picture(content, field="photo", size=size), Framing()
    made = framing.framed(source, whole, field="photo")
    with transaction.atomic(durable=True):
        draft = draft_steps.open_draft(actor, draft_id)
        before = draft.photo
        if before is not None and before.approved_at is None and before.content == made.jpeg:
            return draft
        photo = photos.keep_pending(actor=actor, person=draft.person, made=made, source=source, framing=whole)
        draft = draft_steps.step(draft, actor.ref, "photo_uploaded", photo=photo, photo_approved=False)
        draft_steps.discard_if_unused(before, actor.ref)
    return draft


def adjust_photo(*, actor: Actor, draft_id: UUID, photo_id: UUID | None, act: str) -> OrderDraft:
    """Turns the draft's uploaded photo or moves its crop, one of `framing.ACTS`: a new photo of the same picture takes its place.

    The picture is made before the transaction, so that nothing waits for it. Raises Invalid at `photo` if the photo is another
    one or approved, or if it would be too small. Raises as `draft_steps.open_draft`.
    """
    draft = draft_steps.get(actor=actor, draft_id=draft_id)
    if draft.state != DraftState.OPEN:
        raise DraftClosed(draft)
    before = draft.photo
    if before is None or before.pk != photo_id or before.source is None:
        raise _replaced()
    source, part = framing.adjusted(bytes(before.source), Framing.of(before.framing), act)
    made = framing.framed(source, part, field="photo")
    if made.jpeg == before.content:
        return draft
    with transaction.atomic(durable=True):
        draft = draft_steps.open_draft(actor, draft_id)
        if draft.photo is None or draft.photo.pk != photo_id or draft.photo.approved_at is not None:
            raise _replaced()
        photo = photos.keep_pending(actor=actor, person=draft.person, made=made, source=source, framing=part)
        draft = draft_steps.step(draft, actor.ref, "photo_uploaded", photo=photo, photo_approved=False)
        draft_steps.discard_if_unused(before, actor.ref)
    return draft


@transaction.atomic
def approve_photo(*, actor: Actor, draft_id: UUID, version: int, photo_id: UUID | None) -> OrderDraft:
    """Granska foto: approves the shown photo, the draft's or the person's stored one, for the card. The order's transaction calls
    it. Raises Invalid at `photo` if there is none or another has replaced it, DraftChanged. Raises as `draft_steps.open_draft`.
    """
    draft = draft_steps.open_draft(actor, draft_id)
    stored = Photo.objects.latest_of(draft.person_id)
    photo = next((one for one in (draft.photo, stored) if one is not None and one.pk == photo_id), None)
    if photo is None:
        if photo_id is not None:
            raise _replaced()
        message = "Hämta ett fotografi, eller välj ett kort utan foto."
        raise Invalid("photo-missing", message, fields={"photo": [message]})
    before = draft.photo
    draft_steps.require_version(draft, version)
    if before != photo or not draft.photo_approved:
        draft = draft_steps.step(draft, actor.ref, "photo_chosen", photo=photo, photo_approved=True)
    photos.approve(photo, actor=actor)
    if before is not None and before.pk != photo.pk:
        draft_steps.discard_if_unused(before, actor.ref)
    return draft


def _replaced() -> Invalid:
    message = "Fotot har bytts sedan sidan visades. Granska det som visas nu."
    return Invalid("photo-missing", message, fields={"photo": [message]})


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
        draft_steps.step(draft, "system:stale-draft", "photo_forgotten", photo=None, photo_approved=False)
        draft_steps.discard_if_unused(before, "system:stale-draft")
    return len(ids)
