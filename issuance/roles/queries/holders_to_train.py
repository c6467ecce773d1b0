"""Role holders who need training or a person check that the actor may record, in the actor's scope or in one area."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from django.conf import settings
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.urls import reverse

from issuance.authz import Action, Actor
from issuance.authz.roles import QUALIFIED_ROLES
from issuance.people.models.persons import Person
from issuance.roles.models.grants import RoleGrant
from issuance.roles.queries import qualifications, role_reach
from issuance.roles.queries.qualifications import KindLine, StandingView
from issuance.roles.queries.role_holders import MOST, RoleSummary, role_summaries
from issuance.roles.services import actors
from issuance.roles.services.actors import current
from siths_portal.lib import clock
from siths_portal.lib.lists import Rows

_QUALIFIED = [role.value for role in QUALIFIED_ROLES]


@dataclass(frozen=True)
class HolderToTrain:
    """A holder of an issuing role, with their qualifications and status."""

    person_id: UUID
    name: str
    roles: tuple[RoleSummary, ...]
    lines: tuple[KindLine, ...]
    standing: StandingView | None


def training_url(area_id: UUID) -> str:
    """Returns the URL of the page that records training of the area's role holders."""
    return f"{reverse('holders_training')}?omrade={area_id}"


def to_train(*, actor: Actor, area_id: UUID | None = None) -> Rows[Person, HolderToTrain]:
    """Returns holders whose training or person check is missing, has expired or expires soon. Raises Forbidden.

    They can be ordered by `first_due`, the day on which the first of them expires.
    """
    soon = clock.today() + dt.timedelta(days=settings.QUALIFICATION_SOON_DAYS)
    people = _people(actor, area_id, Q(first_due__lte=soon))
    people = people.annotate(first_due=F("first_due"), held=actors.newest_qualifications("pk"))
    return Rows(people, lambda found: _rows(actor, found))


def count_lacking(*, actor: Actor, area_id: UUID) -> int:
    """Counts an area's role holders without a valid training or person check that the actor may record, up to MOST.

    Raises Forbidden.
    """
    return _people(actor, area_id, Q(first_due__lt=clock.today())).values("pk")[:MOST].count()


def _people(actor: Actor, area_id: UUID | None, due: Q) -> QuerySet[Person]:
    """Selects current and coming holders of issuing roles whom the actor outranks, with the condition `due` on `first_due`."""
    mine = RoleGrant.objects.filter(role_reach.in_reach(actor), person=OuterRef("pk"), role__in=_QUALIFIED)
    if area_id is not None:
        mine = mine.filter(role_reach.of_areas(area_id))
    beyond = current(RoleGrant.objects.filter(role_reach.not_below(actor), person=OuterRef("pk")))
    people = Person.objects.visible_to(actor, Action.ASSIGN_ROLE).exclude(pk=actor.own_id)
    people = people.filter(Exists(actors.with_post(current(mine)))).exclude(Exists(beyond))
    return people.alias(first_due=qualifications.first_due()).filter(due)


def _rows(actor: Actor, people: Sequence[Person]) -> tuple[HolderToTrain, ...]:
    ids = [person.pk for person in people]
    summaries = role_summaries(role_reach.in_reach(actor), ids)
    awake = actors.awake_by_person(ids)
    rows = []
    for person in people:
        held = actors.held_of(person.held)  # type: ignore[attr-defined]
        rows.append(
            HolderToTrain(
                person_id=person.pk,
                name=f"{person.surname}, {person.given_name_in_use}",
                roles=tuple(summaries.get(person.pk, ())),
                lines=qualifications.lines(held),
                standing=qualifications.standing(held, awake.get(person.pk, [])),
            )
        )
    return tuple(rows)
