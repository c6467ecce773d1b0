"""The photo of a person, for those who may see it (S12)."""

from dataclasses import dataclass, field
from uuid import UUID

from issuance.authz import Action, Actor, policy
from issuance.people.models.persons import Person
from issuance.people.models.photos import Photo
from siths_portal.lib.errors import NotFound


@dataclass(frozen=True)
class PhotoView:
    """A JPEG, and whether it is of a protected person."""

    is_protected: bool
    content: bytes = field(repr=False)


def person_photo(*, actor: Actor, person_id: UUID | str) -> PhotoView:
    """The newest approved photo of the person. Raises NotFound, also where there is none, and Forbidden."""
    person = policy.get(actor, Action.VIEW_PHOTO, Person.objects.all(), person_id)
    photo = Photo.objects.latest_of(person.id)
    if photo is None or photo.document is None:
        raise NotFound("photo-none", "Personen har inget foto.")
    return PhotoView(person.is_protected, photo.document.read())
