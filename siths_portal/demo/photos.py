"""Stores drawn portraits of some demo people through the service, so that orders can reuse them."""

import datetime as dt

from django.conf import settings

from issuance.authz import Action, Role, policy
from issuance.people.models.persons import Person, PersonIdentifier
from issuance.people.models.photos import Photo
from issuance.people.services import photos
from issuance.roles.models.grants import RoleGrant
from issuance.roles.services.actors import actor_of_person
from siths_portal.demo.people import person
from siths_portal.demo.portraits import portrait_of
from siths_portal.lib import clock
from siths_portal.lib.files.atomic import write_atomically

EVERY = 7
OLD_EVERY = 4
OLD = dt.timedelta(days=6 * 365)
"""More than the five years after which the order pages show that a photo is old."""
SAMPLE = 1847


def store_portraits(first: int, last: int) -> int:
    """Stores a portrait of every seventh person from `first` to `last`, every fourth of them an old one. Returns how many.

    An ID administrator with the person in their access scope stores it. Skips people who have a portrait, are protected or are in
    no such scope.
    """
    grants = RoleGrant.objects.filter(role=Role.ID_ADMINISTRATOR.value, protected_persons=False, valid_to=None).order_by("id")
    officers = [actor_of_person(grant.person_id) for grant in grants]
    stored = 0
    for count, index in enumerate(range(first, last, EVERY)):
        number = person(index).person_id
        found = PersonIdentifier.objects.filter(kind=number.kind.value, value=number.value, valid_to=None).first()
        if found is None or Photo.objects.latest_of(found.person_id) is not None:
            continue
        row = Person.objects.get(pk=found.person_id)
        officer = next((one for one in officers if policy.may(one, Action.ORDER_ORDINARY_CARD, row)), None)
        if officer is None:
            continue
        with clock.moved_to(clock.now() - (OLD if count % OLD_EVERY == OLD_EVERY - 1 else dt.timedelta(0))):
            photos.store(actor=officer, person_id=row.pk, content=portrait_of(index))
        stored += 1
    return stored


def write_sample() -> None:
    """Writes a portrait to a file, to upload in the photo step of the guide."""
    write_atomically(settings.VAR_DIR / "demo" / "portratt.jpg", portrait_of(SAMPLE))
