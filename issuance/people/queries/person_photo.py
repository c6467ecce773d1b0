"""The photo of a person, for actors who may see it (S12)."""

from dataclasses import dataclass, field
from uuid import UUID

from issuance.authz import Action, Actor, policy
from issuance.people.models.persons import Person
from issuance.people.models.photos import Photo
from siths_portal.lib.errors import NotFound


@dataclass(frozen=True)
class PhotoView:
    """A JPEG; `is_protected` is True if it shows a protected person."""

    is_protected: bool
    content: bytes = field(repr=False)


def person_photo(*, actor: Actor, person_id: UUID | str) -> PhotoView:
    """Returns the person's newest approved photo. Raises NotFound, also if there is no photo, and Forbidden."""
    person = policy.get(actor, Action.VIEW_PHOTO, Person.objects, person_id)
    photo = Photo.objects.latest_of(person.id)
    if photo is None or photo.document is None:
        raise NotFound("photo-none", "Personen har inget foto.")
    return PhotoView(person.is_protected, photo.document.read())
