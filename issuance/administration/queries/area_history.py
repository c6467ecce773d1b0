"""Change history of an area with everything that belongs to it now: its organisations and offices (ADR 0212). An organisation
that moves to another area takes its history with it.
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
_IN_AREA, _NO_PERSON = F("area_id"), Cast(Value(None), UUIDField())


def history(*, actor: Actor, area_id: UUID, before: int | None = None, limit: int = PAGE) -> ConfigurationHistory:
    """Returns the changes of an area, its organisations (closed ones too), offices and card customisations, and of the roles in
    them. Always runs four queries. Leaves out the roles of a protected holder whom the actor may not see (S13). The caller has
    checked that `actor` may see the area.
    """
    members = list(_members_of(actor, area_id))
    # Always queried, and always with at least the reader: otherwise the number of queries would show whether a holder is
    # protected.
    hidden = officers.hidden(actor, {cast(UUID, actor.person_id), *(person for *_, person in members if person)})
    found: dict[str, dict[str, UUID]] = {_ORGANISATION: {}, _OFFICE: {}, _GRANT: {}}
    for kind, pk, place, person in members:
        if person not in hidden:
            found[kind][str(pk)] = place
    organisations, grants = list(found[_ORGANISATION]), found[_GRANT]
    older, most = Event.objects.all() if before is None else Event.objects.filter(id__lt=before), limit + 1
    direct = _newest(
        older,
        most,
        Q(subject_type=_AREA, subject_ref=str(area_id)),
        Q(subject_type=_ORGANISATION, subject_ref__in=organisations),
        Q(subject_type=_OFFICE, subject_ref__in=list(found[_OFFICE])),
    )
    # No index covers only events that refer to an organisation or a role in their facts. If the other events fill the page,
    # only newer ones can still belong on it, so the query reads no older ones.
    newer = older.filter(id__gt=direct[-1].id) if len(direct) == most else older
    referring = _newest(
        newer,
        most,
        Q(subject_type__in=NAMING_AN_ORGANISATION, facts__organisation__in=organisations),
        Q(action__in=ROLE_ACTIONS, facts__grant__in=list(grants)),
    )
    rows = sorted({row.id: row for row in (*direct, *referring)}.values(), key=lambda row: -row.id)[:most]
    places = {ref: (_AREA if place == area_id else _ORGANISATION, str(place)) for ref, place in grants.items()}
    return single.page(actor, rows, limit, places=places)


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


def _newest(events: QuerySet[Event], count: int, *conditions: Q) -> list[Event]:
    """Returns the newest `count` events that meet one of the conditions, the newest first. Runs one query: a union with a part
    for each condition, so that each part can use its own index.
    """
    first, *others = (events.filter(each).order_by(NEWEST_FIRST).values("id")[:count] for each in conditions)
    return list(Event.objects.filter(pk__in=first.union(*others)).order_by("-id")[:count])
