"""Ended roles of a person, in places where the reader may give and end roles (ADR 0188)."""

import datetime as dt
from dataclasses import dataclass
from uuid import UUID

from django.db.models import QuerySet

from issuance.authz import Action, Actor, Role, policy
from issuance.authz.roles import RETIRED_ROLES
from issuance.people.models.persons import Person
from issuance.records.models.events import Event
from issuance.records.queries.history import names_of
from issuance.roles.models.grants import RoleGrant
from issuance.roles.queries import role_reach, role_words
from issuance.roles.queries.role_places import place_of
from issuance.roles.services.actors import scope_path_of
from issuance.roles.services.role_periods import last_day_of
from siths_portal.lib import clock
from siths_portal.lib.database.rows import the_only
from siths_portal.lib.errors import NotFound
from siths_portal.lib.lists import Rows


@dataclass(frozen=True)
class EndedLine:
    """An ended role. `last` is its last day; `began` is False if it was ended before its first day."""

    role: str
    protected_persons: bool
    place: str
    place_number: str
    first: dt.date
    last: dt.date | None
    began: bool


def of_person(*, actor: Actor, person_id: UUID) -> Rows[RoleGrant, EndedLine]:
    """Returns the ended roles of a person. The caller has checked that `actor` may read the person's roles. Raises Forbidden."""
    return Rows(_ended(actor).filter(person=person_id), lambda found: [_line(row) for row in found])


@dataclass(frozen=True)
class Ending:
    """How one role ended: `at` what moment, and the name of the person who ended it.

    `by` is empty if the role ended on its last day. `left` is True if the holder has left the actor's scope.
    """

    person_id: UUID
    line: EndedLine
    at: dt.datetime
    by: str
    left: bool


def ending(*, actor: Actor, grant_id: UUID) -> Ending:
    """Returns how a role ended, for an actor who opened its page to change or end it.

    Raises NotFound if there is no such ended role, and Forbidden like the pages of current roles.
    """
    row = the_only(_ended(actor).filter(pk=grant_id))
    if row is None or row.valid_to is None:
        raise policy.not_found()
    left = False
    try:
        policy.get(actor, Action.ASSIGN_ROLE, Person.objects, row.person_id)
    except NotFound:
        if not _could_end(actor, row):
            raise
        left = True
    event = Event.objects.filter(
        action="role.ended", subject_type="person", subject_ref=str(row.person_id), facts__grant=str(row.pk)
    ).first()
    by = names_of(actor, {event.actor_ref})[event.actor_ref] if event else ""
    return Ending(row.person_id, _line(row), row.valid_to, by, left)


def _could_end(actor: Actor, row: RoleGrant) -> bool:
    """True if the actor could have ended this role of a person who has left the actor's scope (ADR 0036)."""
    if row.role in RETIRED_ROLES:
        return False
    role, path = Role(row.role), scope_path_of(row)
    takes = policy.may_end_of_leaver(actor, role, path, protected=row.person.is_protected)
    return takes and row.person_id != actor.person_id


def _ended(actor: Actor) -> QuerySet[RoleGrant]:
    """Selects the ended roles in the actor's scope whose holders the actor may see by name."""
    rows = RoleGrant.objects.filter(role_reach.in_reach(actor), role_reach.endable_holders(actor), valid_to__lte=clock.now())
    return rows.select_related("person", "area", "organisation")


def _line(row: RoleGrant) -> EndedLine:
    return EndedLine(
        role=role_words.name(row.role),
        protected_persons=row.protected_persons,
        place=place_of(row),
        place_number=row.organisation.hsa_id if row.organisation else "",
        first=row.valid_from.astimezone(clock.STOCKHOLM).date(),
        last=last_day_of(row),
        began=row.valid_to is None or row.valid_from < row.valid_to,
    )
