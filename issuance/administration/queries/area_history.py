"""Change history of an area with everything that belongs to it now: its organisations and offices (ADR 0212). An organisation
that moves to another area takes its history with it.
"""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, reduce
from operator import attrgetter, or_
from typing import Any, cast
from uuid import UUID

from django.db.models import Case, CharField, F, Q, QuerySet, UUIDField, Value, When
from django.db.models.functions import Cast, Coalesce

from issuance.administration.queries import history as single
from issuance.administration.queries.history import ConfigurationEntry
from issuance.authz import Action, Actor
from issuance.offices.models import Office
from issuance.organisations.models import Organisation
from issuance.people.queries import officers
from issuance.records.models.events import NAMING_AN_ORGANISATION, ROLE_ACTIONS, Event
from issuance.records.queries.history import BY_TIME, beyond_event
from issuance.roles.models.grants import RoleGrant
from issuance.roles.queries import role_reach
from siths_portal.lib.lists import ByKey, keyset

_AREA, _ORGANISATION, _OFFICE, _GRANT = "area", "organisation", "office", "grant"
_IN_AREA, _NO_PERSON = F("area_id"), Cast(Value(None), UUIDField())


@dataclass(frozen=True)
class AreaHistory(ByKey[Event, ConfigurationEntry]):
    """The source of the list: the changes of an area, its organisations (closed ones too), offices and card customisations, and
    of the roles in them. A page always runs four queries, and one more if it is not the first.

    Leaves out the roles of a protected holder whom the actor may not see (S13). `only` narrows the events. The caller has
    checked that `actor` may see the area.
    """

    model = Event

    actor: Actor
    area_id: UUID
    only: Q = field(default_factory=Q)

    def lines(self, rows: Sequence[Event]) -> Sequence[ConfigurationEntry]:
        """See `ByKey`."""
        return single.entries(self.actor, rows, places=self._members.places)

    def count(self, most: int) -> int:
        """See `Source`."""
        conditions = (*self._members.direct, *self._members.referring)
        return _first(Event.objects.filter(self.only), most, conditions, descending=True).count()

    def read(self, last: int | None, most: int, *, descending: bool) -> Sequence[Event]:
        """See `ByKey`."""
        events = Event.objects.filter(self.only)
        if last is not None and (start := self._event(last)):
            events = events.filter(beyond_event(*start, descending=descending))
        direct = list(_first(events, most, self._members.direct, descending=descending))
        # No index covers only events that refer to an organisation or a role in their facts. If the other events fill the page,
        # only those before their last can still belong on it, so the query reads no others.
        end = direct[-1] if len(direct) == most else None
        nearer = events.filter(beyond_event(end.at, end.id, descending=not descending)) if end else events
        referring = _first(nearer, most, self._members.referring, descending=descending)
        found = {row.id: row for row in (*direct, *referring)}
        return sorted(found.values(), key=attrgetter("at", "id"), reverse=descending)[:most]

    def _event(self, number: int) -> tuple[dt.datetime, int] | None:
        """Returns the time and number of an event of this history, or None for another number."""
        concerned = reduce(or_, (*self._members.direct, *self._members.referring))
        return Event.objects.filter(concerned, pk=number).values_list("at", "id").first()

    @cached_property
    def _members(self) -> "_Members":
        members = list(_members_of(self.actor, self.area_id))
        # Always queried, and always with at least the reader: otherwise the number of queries would show whether a holder is
        # protected.
        reader = cast(UUID, self.actor.person_id)
        hidden = officers.hidden(self.actor, {reader, *(person for *_, person in members if person)})
        found: dict[str, dict[str, UUID]] = {_ORGANISATION: {}, _OFFICE: {}, _GRANT: {}}
        for kind, pk, place, person in members:
            if person not in hidden:
                found[kind][str(pk)] = place
        return _Members(self.area_id, list(found[_ORGANISATION]), list(found[_OFFICE]), found[_GRANT])


@dataclass(frozen=True)
class _Members:
    """What belongs to an area: ids of organisations and offices, and the place of each role grant."""

    area_id: UUID
    organisations: list[str]
    offices: list[str]
    grants: Mapping[str, UUID]

    @property
    def direct(self) -> tuple[Q, ...]:
        """The conditions for events of the area and of its members."""
        return (
            Q(subject_type=_AREA, subject_ref=str(self.area_id)),
            Q(subject_type=_ORGANISATION, subject_ref__in=self.organisations),
            Q(subject_type=_OFFICE, subject_ref__in=self.offices),
        )

    @property
    def referring(self) -> tuple[Q, ...]:
        """The conditions for events of other subjects that refer to a member."""
        return (
            Q(subject_type__in=NAMING_AN_ORGANISATION, facts__organisation__in=self.organisations),
            Q(action__in=ROLE_ACTIONS, facts__grant__in=list(self.grants)),
        )

    @property
    def places(self) -> single.Places:
        """The kind and id of the place of each role grant."""
        kinds = {True: _AREA, False: _ORGANISATION}
        return {ref: (kinds[place == self.area_id], str(place)) for ref, place in self.grants.items()}


def _members_of(actor: Actor, area_id: UUID) -> Iterable[tuple[str, UUID, UUID, UUID | None]]:
    """Returns the organisations and offices of the area that the actor sees, and all roles in it. Each row is kind, id, the id
    of the area or organisation it belongs to, and for roles the holder's id if the holder is protected. Runs one query.
    """
    organisations = Organisation.objects.visible_to(actor, Action.VIEW_CONFIGURATION).filter(area=area_id)
    offices = Office.objects.visible_to(actor, Action.VIEW_CONFIGURATION).filter(area=area_id)
    grants = RoleGrant.objects.filter(role_reach.of_areas(area_id))
    place = Coalesce("organisation_id", "area_id", output_field=UUIDField())
    protected = Case(When(person__is_protected=True, then="person_id"), output_field=UUIDField())
    rows = _listed(organisations, _ORGANISATION).union(
        _listed(offices, _OFFICE), _listed(grants, _GRANT, place=place, person=protected), all=True
    )
    return cast(Iterable[tuple[str, UUID, UUID, UUID | None]], rows)


def _listed(rows: QuerySet[Any], kind: str, *, place: Any = _IN_AREA, person: Any = _NO_PERSON) -> QuerySet[Any, Any]:
    return rows.order_by().values_list(Value(kind, CharField()), "pk", place, person)


def _first(events: QuerySet[Event], count: int, conditions: Sequence[Q], *, descending: bool) -> QuerySet[Event]:
    """Returns the first `count` events that meet one of the conditions, by time, from the newest or the oldest on. One query:
    a union with a part for each condition, so that each part can use its own index.
    """
    parts = (
        part.order_by(*keyset.ordering(part, (BY_TIME,), descending=descending)).values("id")[:count]
        for part in (events.filter(each) for each in conditions)
    )
    first, *others = parts
    found = Event.objects.filter(pk__in=first.union(*others))
    return found.order_by(*keyset.ordering(found, (BY_TIME,), descending=descending))[:count]
