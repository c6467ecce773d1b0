"""Photographs of holders: re-encoded on upload, stored as documents once a clerk has approved them (rules/issuance 3.3, S34)."""

from uuid import UUID

from django.db import transaction

from issuance.authz import Action, Actor, policy
from issuance.people.models.persons import Person
from issuance.people.models.photos import Photo
from issuance.records.models.events import Document, Event
from siths_portal.lib import clock
from siths_portal.lib.files.framing import Framing
from siths_portal.lib.files.images import Portrait, portrait

MEDIA_TYPE = "image/jpeg"


def store(*, actor: Actor, person_id: UUID, content: bytes) -> Photo:
    """Stores an approved photo of the person, for example from a card office's archive.

    Raises NotFound, Forbidden (role, own matter), Invalid (see `lib.files.images.portrait`).
    """
    policy.get(actor, Action.ORDER_ORDINARY_CARD, Person.objects, person_id)
    made = portrait(content, field="photo")
    with transaction.atomic(durable=True):
        person = policy.get(actor, Action.ORDER_ORDINARY_CARD, Person.objects, person_id)
        photo = keep_pending(actor=actor, person=person, made=made)
        approve(photo, actor=actor)
    return photo


def keep_pending(
    *, actor: Actor, person: Person, made: Portrait, source: bytes | None = None, framing: Framing | None = None
) -> Photo:
    """Creates a photo that nobody has approved yet, with its event, in the caller's transaction. `source` is the picture that it
    was cut from, and `framing` the part.
    """
    photo = Photo.objects.create(
        person=person,
        pending=made.jpeg,
        source=source,
        framing=framing.stored() if framing is not None else None,
        width=made.width,
        height=made.height,
        uploaded_at=clock.now(),
        uploaded_by_ref=actor.ref,
    )
    _record("photo.uploaded", photo, actor.ref)
    return photo


def approve(photo: Photo, *, actor: Actor) -> None:
    """Approves a pending photo of the person, in the caller's transaction. Does nothing if it is approved."""
    if photo.approved_at is not None:
        return
    photo.document = Document.store(photo.content, MEDIA_TYPE)
    photo.pending = photo.source = photo.framing = None
    photo.approved_at = clock.now()
    photo.save(update_fields=["document", "pending", "source", "framing", "approved_at"])
    _record("photo.approved", photo, actor.ref, sha256=photo.document.sha256)


def discard(photo: Photo, *, actor_ref: str) -> None:
    """Deletes an unapproved photo and its bytes, in the caller's transaction. Does nothing if it is approved."""
    if photo.approved_at is None:
        _record("photo.discarded", photo, actor_ref)
        photo.delete()


def _record(action: str, photo: Photo, actor_ref: str, **facts: str) -> None:
    Event.record(
        actor_ref=actor_ref,
        action=action,
        subject_type="photo",
        subject_ref=str(photo.pk),
        facts={"person": str(photo.person_id), **facts},
    )
