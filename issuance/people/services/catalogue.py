"""Copies people and assignments from the HSA directory into the local mirror, many at a time."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models.functions import Upper

from issuance.authz import Action, Actor, policy
from issuance.organisations.models import Organisation
from issuance.people.models.person_scope import PersonScope
from issuance.people.models.persons import Person, PersonIdentifier, Post
from issuance.people.ports import DirectoryPost, RegisterPerson
from issuance.people.services.people import new_post, sort_name
from issuance.people.services.people_integrity import post_facts, registered_facts
from issuance.records.domain.ids import PersonId
from issuance.records.models.events import Event
from siths_portal.lib import clock
from siths_portal.lib.errors import Invalid

_BATCH = 1000


@dataclass(frozen=True)
class CataloguePerson:
    """A person with data from register and HSA directory."""

    person_id: PersonId
    register: RegisterPerson
    posts: tuple[DirectoryPost, ...]


@dataclass(frozen=True)
class Registered:
    """The number of new rows."""

    persons: int
    posts: int


@transaction.atomic(durable=True)
def register_people(*, actor: Actor, people: Sequence[CataloguePerson]) -> Registered:
    """Adds the people and assignments that the portal lacks, in one transaction.

    Existing rows do not change (live reads do that).

    Raises Forbidden unless the actor may create organisations, and Invalid if the portal lacks an assignment's organisation.
    """
    policy.require_global(actor, Action.CREATE_ORGANISATION)
    organisations = {row.hsa_id.upper(): row for row in Organisation.objects.all()}
    if any(post.organisation_hsa_id.upper() not in organisations for person in people for post in person.posts):
        raise Invalid("unknown-organisation", "Ett uppdrag hör till en organisation som inte finns i portalen.")
    known = _known_persons(people)
    new = [entry for entry in people if entry.person_id not in known]
    persons = {entry.person_id: _person(entry) for entry in new}
    now = clock.now()
    Person.objects.bulk_create(persons.values(), batch_size=_BATCH)
    PersonIdentifier.objects.bulk_create(
        [PersonIdentifier(person=row, kind=key.kind.value, value=key.value, valid_from=now) for key, row in persons.items()],
        batch_size=_BATCH,
    )
    owners = known | persons
    requested = [(owners[entry.person_id], post) for entry in people for post in entry.posts]
    taken = _taken_hsa_ids([post for _, post in requested])
    posts = [
        new_post(post, person=owner, organisation_id=organisations[post.organisation_hsa_id.upper()].pk)
        for owner, post in requested
        if post.hsa_id.upper() not in taken
    ]
    Post.objects.bulk_create(posts, batch_size=_BATCH)
    PersonScope.objects.refresh({post.person_id for post in posts} | {row.id for row in persons.values()})
    Event.objects.bulk_create(_events(actor, persons, posts), batch_size=_BATCH)
    return Registered(len(persons), len(posts))


def _events(actor: Actor, persons: Mapping[PersonId, Person], posts: Sequence[Post]) -> Iterator[Event]:
    """Yields an event for each new person, which includes their assignments, and for each new assignment of a known person."""
    now = clock.now()
    assignments: dict[UUID, dict[str, Any]] = {row.id: {} for row in persons.values()}
    for post in posts:
        facts = post_facts(post)
        if post.person_id in assignments:
            assignments[post.person_id][str(post.pk)] = facts
        else:
            yield Event(
                at=now, actor_ref=actor.ref, action="post.registered", subject_type="post", subject_ref=str(post.pk), facts=facts
            )
    for key, row in persons.items():
        facts = registered_facts(row.id, [(key.kind.value, key.value)], assignments[row.id])
        yield Event(
            at=now, actor_ref=actor.ref, action="person.registered", subject_type="person", subject_ref=str(row.id), facts=facts
        )


def _known_persons(people: Sequence[CataloguePerson]) -> dict[PersonId, Person]:
    values = {entry.person_id.value: entry.person_id for entry in people}
    rows = PersonIdentifier.objects.filter(value__in=values, valid_to=None).select_related("person")
    return {values[row.value]: row.person for row in rows if values[row.value].kind.value == row.kind}


def _taken_hsa_ids(posts: Sequence[DirectoryPost]) -> set[str]:
    requested = [post.hsa_id.upper() for post in posts]
    rows = Post.objects.filter(ended_at=None).alias(upper=Upper("hsa_id")).filter(upper__in=requested)
    return {hsa_id.upper() for hsa_id in rows.values_list("hsa_id", flat=True)}


def _person(entry: CataloguePerson) -> Person:
    register = entry.register
    now = clock.now()
    return Person(
        given_names=register.given_names,
        given_name_in_use=register.given_name_in_use,
        surname=register.surname,
        sort_name=sort_name(register.surname, register.given_name_in_use),
        protected_person_indicator=register.protected_person_indicator,
        protected_population_record=register.protected_population_record,
        is_protected=register.is_protected,
        deceased=register.deceased,
        synthetic=entry.person_id.is_synthetic,
        register_read_at=now,
        created_at=now,
    )
