"""Inserts a batch of people with their assignments and roles."""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from issuance.authz import Role
from issuance.authz.roles import AREA_ROLES, QUALIFIED_ROLES
from issuance.people.models.person_scope import PersonScope
from issuance.people.models.persons import Person, PersonIdentifier, Post
from issuance.people.services.people import sort_name
from issuance.people.services.people_integrity import registered_facts
from issuance.records.models.events import Event
from issuance.roles.domain import QualificationKind
from issuance.roles.models.grants import RoleGrant
from issuance.roles.models.qualifications import Qualification
from issuance.roles.services.subjects import subject_ref
from siths_portal.demo.people import FIRST_OF_THE_COUNTRY, DemoPerson, person
from siths_portal.demo.places import SETUP
from siths_portal.demo.scale.ids import place_id, row_id
from siths_portal.demo.scale.places import ScalePlace, by_hsa_id, role_of
from siths_portal.demo.scale.tree import organisation_id
from siths_portal.lib import clock
from siths_portal.lib.database import bulk

_PERSON = (
    "id", "given_names", "given_name_in_use", "surname", "sort_name", "protected_person_indicator",
    "protected_population_record", "is_protected", "deceased", "synthetic", "register_read_at", "created_at",
)  # fmt: skip
_IDENTIFIER = ("person_id", "kind", "value", "valid_from", "valid_to")
_POST = ("id", "hsa_id", "person_id", "organisation_id", "title", "mail", "upn", "valid_to", "ended_at", "synced_at")
_SCOPE = ("organisation_id", "sort_name", "person_id")
_GRANT = (
    "id", "person_id", "role", "area_id", "organisation_id", "protected_persons", "valid_from", "valid_to", "version",
)  # fmt: skip
_QUALIFICATION = ("id", "person_id", "kind", "passed_on", "due_on", "recorded_at", "recorded_by_ref", "withdrawn_at")
EVENT = ("at", "actor_ref", "action", "subject_type", "subject_ref", "subject_seq", "facts")
_YEAR = dt.timedelta(days=365)


@dataclass(frozen=True)
class Placed:
    """An HSA assignment of a person, with its row id and organisation."""

    id: str
    place: ScalePlace
    hsa_id: str
    title: str
    mail: str
    upn: str


@dataclass(frozen=True)
class Loaded:
    """An inserted person, as input of the cards. Cards are ordered for the first assignment."""

    index: int
    id: str
    posts: tuple[Placed, ...]


@dataclass
class _Rows:
    """Rows of one batch of people, by table."""

    giver: str = SETUP.ref
    persons: list[Any] = field(default_factory=list)
    identifiers: list[Any] = field(default_factory=list)
    posts: list[Any] = field(default_factory=list)
    scopes: list[Any] = field(default_factory=list)
    grants: list[Any] = field(default_factory=list)
    qualifications: list[Any] = field(default_factory=list)
    events: list[Any] = field(default_factory=list)


def write_people(indexes: Iterable[int], now: dt.datetime) -> list[Loaded]:
    """Inserts the people with these numbers, in the caller's transaction. They must be missing."""
    rows = _Rows()
    rows.giver = _administrator()
    loaded = [_add(rows, person(index), now.isoformat(), now) for index in indexes]
    for model, names, values in (
        (Person, _PERSON, rows.persons),
        (PersonIdentifier, _IDENTIFIER, rows.identifiers),
        (Post, _POST, rows.posts),
        (PersonScope, _SCOPE, rows.scopes),
        (RoleGrant, _GRANT, rows.grants),
        (Qualification, _QUALIFICATION, rows.qualifications),
        (Event, EVENT, rows.events),
    ):
        bulk.insert_values(model, names, values, like=model())
    return loaded


def _administrator() -> str:
    """Returns the actor who gives the roles: the first administrator, or the set-up actor if there is none."""
    grants = RoleGrant.objects.filter(role=Role.MASTER_DATA_ADMIN.value, valid_to=None).order_by("valid_from", "pk")
    found = grants.values_list("person_id", flat=True).first()
    return subject_ref(found) if found else SETUP.ref


def _add(rows: _Rows, one: DemoPerson, now: str, moment: dt.datetime) -> Loaded:
    register = one.register
    id_, name = row_id("person", one.index), sort_name(register.surname, register.given_name_in_use)
    rows.persons.append((
        id_, register.given_names, register.given_name_in_use, register.surname, name, register.protected_person_indicator,
        register.protected_population_record, register.is_protected, register.deceased, True, now, now,
    ))  # fmt: skip
    rows.identifiers.append((id_, one.person_id.kind.value, one.person_id.value, now, None))
    placed, facts_by_post = [], {}
    for number, post in enumerate(one.posts):
        place = by_hsa_id(post.organisation_hsa_id)
        at = Placed(row_id(f"post {number}", one.index), place, post.hsa_id, post.title, post.mail, post.upn)
        placed.append(at)
        rows.posts.append(
            (at.id, at.hsa_id, id_, organisation_id(place), at.title, at.mail, at.upn, None, None, now)
        )  # fmt: skip
        rows.scopes.append((organisation_id(place), name, id_))
        facts_by_post[at.id] = {"person": id_, "hsa_id": at.hsa_id, "organisation": organisation_id(place), "valid_to": None}
    facts = registered_facts(id_, [(one.person_id.kind.value, one.person_id.value)], facts_by_post)
    rows.events.append((now, SETUP.ref, "person.registered", "person", id_, None, facts))
    _add_role(rows, one.index, id_, placed[0].place, moment)
    return Loaded(one.index, id_, tuple(placed))


def _add_role(rows: _Rows, index: int, person_id: str, place: ScalePlace, now: dt.datetime) -> None:
    """Adds the person's role, if any, with person check and training. Some trainings are due soon or overdue."""
    held = role_of(index - FIRST_OF_THE_COUNTRY)
    if held is None:
        return
    role, protected = held
    in_area = role in AREA_ROLES
    area, organisation = (place_id("area", place.region), None) if in_area else (None, organisation_id(place))
    grant = row_id("grant", index)
    since = now - _YEAR
    rows.grants.append((grant, person_id, role.value, area, organisation, protected, since, None, 1))
    facts = {
        "grant": grant,
        "role": role.value,
        **({"area": area} if in_area else {"organisation": organisation}),
        "protected_persons": protected,
        "valid_from": since.isoformat(),
        "valid_to": None,
    }
    rows.events.append((now, rows.giver, "role.assigned", "person", person_id, None, facts))
    if role not in QUALIFIED_ROLES:
        return
    trained = clock.today() - dt.timedelta(days=index % 380)
    for kind, passed, due in (
        (QualificationKind.PERSON_CHECK, trained, None),
        (QualificationKind.TRAINING, trained, trained + _YEAR),
    ):
        record = row_id(kind.value, index)
        rows.qualifications.append((record, person_id, kind.value, passed, due, now, rows.giver, None))
        facts = {
            "qualification": record,
            "qualification_kind": kind.value,
            "passed_on": passed.isoformat(),
            "due_on": due.isoformat() if due else None,
        }
        rows.events.append((now, rows.giver, "qualification.recorded", "person", person_id, None, facts))
