"""Historik of all that lies in an area: what stands in its own history and in those of its organisations and offices (ADR 0212).

It holds what lies there now: an organisation that is moved takes its history along, as it does its page.
"""

from collections.abc import Iterable
from typing import Any, cast
from uuid import UUID

from django.db.models import Case, CharField, F, Q, QuerySet, UUIDField, Value, When
from django.db.models.functions import Cast, Coalesce

from issuance.administration.queries import history as single
from issuance.administration.queries.history import PAGE, ConfigurationHistory
from issuance.authz import Action, Actor
from issuance.offices.models import Office
from issuance.organisations.models import Organisation
from issuance.people.queries import officers
from issuance.records.models.events import NAMING_AN_ORGANISATION, ROLE_ACTIONS, Event
from issuance.roles.models.grants import RoleGrant
from issuance.roles.queries import role_reach
from siths_portal.lib.events import NEWEST_FIRST

_AREA, _ORGANISATION, _OFFICE, _GRANT = "area", "organisation", "office", "grant"
_IN_AREA, _NOBODY = F("area_id"), Cast(Value(None), UUIDField())


def history(*, actor: Actor, area_id: UUID, before: int | None = None, limit: int = PAGE) -> ConfigurationHistory:
    """What was done to an area, to its organisations, also ended ones, and offices, to card customisations for them, and the
    roles given, changed and ended in them. The caller has made sure that `actor` may see the area.

    Four queries find it, however much lies there. The roles of a protected holder whom the actor may not see are left out (S13).
    """
    lying = list(_lying_in(actor, area_id))
    # Asked whether or not anybody is protected, so that how many queries there are tells nothing: with the reader himself.
    hidden = officers.hidden(actor, {cast(UUID, actor.person_id), *(person for *_, person in lying if person)})
    found: dict[str, dict[str, UUID]] = {_ORGANISATION: {}, _OFFICE: {}, _GRANT: {}}
    for kind, pk, place, person in lying:
        if person not in hidden:
            found[kind][str(pk)] = place
    organisations, grants = list(found[_ORGANISATION]), found[_GRANT]
    older, most = Event.objects.all() if before is None else Event.objects.filter(id__lt=before), limit + 1
    things = _newest(
        older,
        most,
        Q(subject_type=_AREA, subject_ref=str(area_id)),
        Q(subject_type=_ORGANISATION, subject_ref__in=organisations),
        Q(subject_type=_OFFICE, subject_ref__in=list(found[_OFFICE])),
    )
    # Of what names a place in its facts only so much is looked at as may be newer than those: no index tells of it alone.
    newer = older.filter(id__gt=things[-1].id) if len(things) == most else older
    naming = _newest(
        newer,
        most,
        Q(subject_type__in=NAMING_AN_ORGANISATION, facts__organisation__in=organisations),
        Q(action__in=ROLE_ACTIONS, facts__grant__in=list(grants)),
    )
    rows = sorted({row.id: row for row in (*things, *naming)}.values(), key=lambda row: -row.id)[:most]
    places = {ref: (_AREA if place == area_id else _ORGANISATION, str(place)) for ref, place in grants.items()}
    return single.page(actor, rows, limit, places=places)


def _lying_in(actor: Actor, area_id: UUID) -> Iterable[tuple[str, UUID, UUID, UUID | None]]:
    """What the actor sees in the area, by kind and id, each with the place where it lies, and all roles there, each with its
    holder if he is protected. One query."""
    organisations = Organisation.objects.visible_to(actor, Action.VIEW_CONFIGURATION).filter(area=area_id)
    offices = Office.objects.visible_to(actor, Action.VIEW_CONFIGURATION).filter(area=area_id)
    grants = RoleGrant.objects.filter(role_reach.of_areas(area_id))
    place = Coalesce("organisation_id", "area_id", output_field=UUIDField())
    protected = Case(When(person__is_protected=True, then="person_id"), output_field=UUIDField())
    rows = _listed(organisations, _ORGANISATION).union(
        _listed(offices, _OFFICE), _listed(grants, _GRANT, place=place, person=protected), all=True
    )
    return cast(Iterable[tuple[str, UUID, UUID, UUID | None]], rows)


def _listed(rows: QuerySet[Any], kind: str, *, place: Any = _IN_AREA, person: Any = _NOBODY) -> QuerySet[Any, Any]:
    return rows.order_by().values_list(Value(kind, CharField()), "pk", place, person)


def _newest(events: QuerySet[Event], count: int, *conditions: Q) -> list[Event]:
    """The newest `count` of the events for which one of the conditions holds, the newest first. One query.

    Each is asked by itself, for ids alone, so that each has an index of its own.
    """
    first, *others = (events.filter(each).order_by(NEWEST_FIRST).values("id")[:count] for each in conditions)
    return list(Event.objects.filter(pk__in=first.union(*others)).order_by("-id")[:count])
