"""People in external systems: name, protection and assignments, read live and cached with the time of reading."""

import dataclasses
import unicodedata
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from issuance.people.models.person_scope import PersonScope
from issuance.people.models.persons import CatalogueName, Person, PersonIdentifier, Post
from issuance.people.ports import DirectoryPost, PersonKey, PersonRegister, RegisterPerson, StaffDirectory
from issuance.records.domain.ids import PersonId, PersonIdKind, same_hsa_id
from issuance.records.models.events import Event
from siths_portal.lib import clock, ports
from siths_portal.lib.database.prepared import prepared
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
    """The current data from HSA directory and register. `post` is None if the directory no longer has the assignment."""

    person_id: PersonId
    post: DirectoryPost | None
    register: RegisterPerson


def person_id_of(person_id: UUID) -> PersonId:
    """Returns the person's current number, preferring a personnummer. Raises Conflict if the person has none."""
    found = {row.kind: row.value for row in _numbers(person_id)}
    for kind in PREFERENCE:
        if kind.value in found:
            return PersonId(kind, found[kind.value])
    raise Conflict("person-without-id", "Personen saknar giltigt person-id. Kontrollera uppgifterna i HSA-katalogen.")


@prepared
def _numbers(person_id: UUID) -> QuerySet[PersonIdentifier]:
    return PersonIdentifier.objects.filter(person_id=person_id, valid_to=None)


def read_live(post: Post) -> Live:
    """Reads the assignment from the HSA directory and its person from the register. No transaction may be open.

    Raises Unavailable, Refused, or Conflict if the register does not know the person.
    """
    person_id = person_id_of(post.person_id)
    key = PersonKey(person_id.kind.value, person_id.value)
    posts = ports.get(StaffDirectory).find_posts_by_hsa_id(post.hsa_id)
    return Live(person_id, next((found for found in posts if found.person == key), None), read_register(key))


def read_register(key: PersonKey) -> RegisterPerson:
    """Returns the person's current data in the register. Raises Unavailable, Refused, or Conflict if it has no such person."""
    try:
        return ports.get(PersonRegister).read_person(key)
    except NotFound:
        message = "Personen finns inte i personregistret. Kontrollera person-id i HSA-katalogen."
        raise Conflict("person-not-in-register", message) from None


@transaction.atomic(durable=True)
def remember(*, post_id: UUID, live: Live) -> None:
    """Caches the data read, in its own transaction, so a new protection flag is kept even if the next step fails.

    The assignment ends if the HSA directory has lost it or given it to another person or organisation.
    """
    post = Post.objects.select_related("organisation").get(pk=post_id)
    person = Person.objects.select_for_update(no_key=True).get(pk=post.person_id)
    remember_register(person, live.register)
    remember_post(post, live.post)
    if live.post is not None:
        remember_name(person, live.post)
    PersonScope.objects.refresh([person.id])


@transaction.atomic(durable=True)
def remember_person(*, person_id: UUID, register: RegisterPerson) -> None:
    """Caches the register's data of a person, like `remember` but without an assignment."""
    person = Person.objects.select_for_update(no_key=True).get(pk=person_id)
    remember_register(person, register)
    PersonScope.objects.refresh([person.id])


def is_news(person: Person, post: Post | None, live: Live) -> bool:
    """True if the data read differ from those cached. `post.organisation` is loaded."""
    if any(getattr(person, name) != getattr(live.register, name) for name in _REGISTER_FIELDS):
        return True
    if post is None or post.ended_at is not None:
        return False
    found = live.post
    if found is None or not same_hsa_id(found.organisation_hsa_id, post.organisation.hsa_id):
        return True
    return any(getattr(post, name) != getattr(found, name) for name in _POST_FIELDS)


def remember_register(person: Person, register: RegisterPerson) -> None:
    """Caches the register's values on the locked `person`, in the caller's transaction. An event lists the changed fields."""
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


def remember_name(person: Person, found: DirectoryPost) -> None:
    """Keeps the name that the HSA directory has of the locked `person` if it differs from the register's, and forgets an earlier
    one if they agree, in the caller's transaction. Directories write all given names or the one in use.
    """
    given_names = (person.given_name_in_use.lower(), person.given_names.lower())
    agrees = found.given_name.lower() in given_names and found.surname.lower() == person.surname.lower()
    known = CatalogueName.objects.filter(person=person).values_list("given_name", "surname").first()
    if agrees or person.register_read_at is None:
        if known:
            CatalogueName.objects.filter(person=person).delete()
    elif known != (found.given_name, found.surname):
        names = {"given_name": found.given_name, "surname": found.surname}
        CatalogueName.objects.update_or_create(person=person, defaults=names)


def new_post(found: DirectoryPost, *, person: Person, organisation_id: UUID) -> Post:
    """Returns an unsaved row for an assignment of the HSA directory."""
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
    """Caches the HSA directory's data of an assignment of the locked person, in the caller's transaction.

    Returns True if the assignment thereby ended: the directory has lost it or given it to another organisation.
    `post.organisation` is loaded.
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
    """Returns the composed (NFC) text that sorts people in lists and by which they are searched: surname first."""
    return unicodedata.normalize("NFC", f"{surname}, {given_name}")
