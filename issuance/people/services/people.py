"""People as the outside has them: name, protection and posts, read live and cached with the time of reading."""

import dataclasses
import unicodedata
from uuid import UUID

from django.db import transaction

from issuance.people.models.person_scope import PersonScope
from issuance.people.models.persons import Person, PersonIdentifier, Post
from issuance.people.ports import DirectoryPost, PersonKey, PersonRegister, RegisterPerson, StaffDirectory
from issuance.records.domain.ids import PersonId, PersonIdKind, same_hsa_id
from issuance.records.models.events import Event
from siths_portal.lib import clock, ports
from siths_portal.lib.errors import Conflict, NotFound

PREFERENCE = (PersonIdKind.PERSONNUMMER, PersonIdKind.SAMORDNINGSNUMMER, PersonIdKind.PASSPORT, PersonIdKind.RESERVE)
_REGISTER_FIELDS = (
    "given_names",
    "given_name_in_use",
    "surname",
    "protected_person_indicator",
    "protected_population_record",
    "deceased",
)
_POST_FIELDS = ("title", "mail", "upn", "valid_to")


@dataclasses.dataclass(frozen=True)
class Live:
    """What catalogue and register said now. `post` is None if the catalogue no longer has the post."""

    person_id: PersonId
    post: DirectoryPost | None
    register: RegisterPerson


def person_id_of(person_id: UUID) -> PersonId:
    """The person's number in use, a personnummer before any other. Raises Conflict if he has none."""
    found = {row.kind: row.value for row in PersonIdentifier.objects.filter(person_id=person_id, valid_to=None)}
    for kind in PREFERENCE:
        if kind.value in found:
            return PersonId(kind, found[kind.value])
    raise Conflict("person-without-id", "Personen saknar giltigt person-id. Kontrollera uppgifterna i katalogen.")


def read_live(post: Post) -> Live:
    """Asks the catalogue for the post and the register for its person. No transaction may be open.

    Raises Unavailable, Refused, or Conflict if the register does not know the person.
    """
    person_id = person_id_of(post.person_id)
    key = PersonKey(person_id.kind.value, person_id.value)
    posts = ports.get(StaffDirectory).find_posts_by_hsa_id(post.hsa_id)
    return Live(person_id, next((found for found in posts if found.person == key), None), read_register(key))


def read_register(key: PersonKey) -> RegisterPerson:
    """The person as the register has him now. Raises Unavailable, Refused, or Conflict if it has no such person."""
    try:
        return ports.get(PersonRegister).read_person(key)
    except NotFound:
        message = "Personen finns inte i personregistret. Kontrollera person-id i katalogen."
        raise Conflict("person-not-in-register", message) from None


@transaction.atomic(durable=True)
def remember(*, post_id: UUID, live: Live) -> None:
    """Caches what was read, as a step of its own: a protection that was found is kept even if what follows is refused.

    A post that the catalogue has lost, or given to another person or organisation, ends.
    """
    post = Post.objects.select_related("organisation").get(pk=post_id)
    person = Person.objects.select_for_update(no_key=True).get(pk=post.person_id)
    remember_register(person, live.register)
    remember_post(post, live.post)
    PersonScope.objects.refresh([person.id])


@transaction.atomic(durable=True)
def remember_person(*, person_id: UUID, register: RegisterPerson) -> None:
    """Caches what the register said of a person, as `remember` does, where no post was asked for."""
    person = Person.objects.select_for_update(no_key=True).get(pk=person_id)
    remember_register(person, register)
    PersonScope.objects.refresh([person.id])


def is_news(person: Person, post: Post | None, live: Live) -> bool:
    """True if what was read differs from what is cached. `post.organisation` is read."""
    if any(getattr(person, name) != getattr(live.register, name) for name in _REGISTER_FIELDS):
        return True
    if post is None or post.ended_at is not None:
        return False
    found = live.post
    if found is None or not same_hsa_id(found.organisation_hsa_id, post.organisation.hsa_id):
        return True
    return any(getattr(post, name) != getattr(found, name) for name in _POST_FIELDS)


def remember_register(person: Person, register: RegisterPerson) -> None:
    """Caches the register's values on the locked `person`, with an event that names what changed, in the caller's transaction."""
    changed = [name for name in _REGISTER_FIELDS if getattr(person, name) != getattr(register, name)]
    for name in changed:
        setattr(person, name, getattr(register, name))
    person.is_protected = register.is_protected
    person.sort_name = sort_name(person.surname, person.given_name_in_use)
    person.register_read_at = clock.now()
    person.save(update_fields=[*changed, "is_protected", "sort_name", "register_read_at"])
    if changed:
        Event.record(
            actor_ref="system:register-reading",
            action="person.changed",
            subject_type="person",
            subject_ref=str(person.id),
            facts={"fields": changed},
        )


def new_post(found: DirectoryPost, *, person: Person, organisation_id: UUID) -> Post:
    """The row, not saved, of a post that the catalogue has now."""
    return Post(
        hsa_id=found.hsa_id,
        person=person,
        organisation_id=organisation_id,
        title=found.title,
        mail=found.mail,
        upn=found.upn,
        valid_to=found.valid_to,
        synced_at=clock.now(),
    )


def remember_post(post: Post, found: DirectoryPost | None) -> bool:
    """Caches what the catalogue said of a post of the locked person, in the caller's transaction; True if it ended so.

    `post.organisation` is read. One that the catalogue has lost, or given to another organisation, ends.
    """
    now = clock.now()
    if found is None or not same_hsa_id(found.organisation_hsa_id, post.organisation.hsa_id):
        if post.ended_at is not None:
            return False
        Post.objects.filter(pk=post.pk).update(ended_at=now, synced_at=now)
        Event.record(actor_ref="system:register-reading", action="post.ended", subject_type="post", subject_ref=str(post.id))
        return True
    changed = [name for name in _POST_FIELDS if getattr(post, name) != getattr(found, name)]
    Post.objects.filter(pk=post.pk).update(synced_at=now, **{name: getattr(found, name) for name in changed})
    if changed:
        Event.record(
            actor_ref="system:register-reading",
            action="post.changed",
            subject_type="post",
            subject_ref=str(post.id),
            facts={"fields": changed, "valid_to": found.valid_to.isoformat() if found.valid_to else None},
        )
    return False


def sort_name(surname: str, given_name: str) -> str:
    """The text that orders people in lists and that they are searched by: surname first, composed (NFC)."""
    return unicodedata.normalize("NFC", f"{surname}, {given_name}")
