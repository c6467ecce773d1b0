"""Closed organisations: those of an area, and the details of one closing (ADR 0222)."""

import datetime as dt
from dataclasses import dataclass
from uuid import UUID

from issuance.authz import Action, Actor
from issuance.organisations.models import Organisation
from issuance.organisations.services.ending import require_place
from issuance.records.domain import wording
from issuance.records.models.events import Event
from issuance.records.queries.history import names_of
from siths_portal.lib.errors import Conflict, Forbidden

MOST = 50
"""The maximum number of closed organisations on an area's page, the latest first."""


@dataclass(frozen=True)
class EndedLine:
    """A closed organisation in a list."""

    id: UUID
    name: str
    hsa_id: str
    closed_on: dt.date


@dataclass(frozen=True)
class Ended:
    """The closing of an organisation.

    `may_reopen` is True if the actor may reopen it. `above` is True if the organisation above is closed, which must be reopened
    first.
    """

    closed_on: dt.date
    who: str
    reason: str
    may_reopen: bool
    above: bool


def ended_in(*, actor: Actor, area_id: UUID) -> tuple[EndedLine, ...]:
    """Returns the closed organisations of an area that the actor sees, the latest first."""
    rows = Organisation.objects.visible_to(actor, Action.VIEW_CONFIGURATION).filter(area=area_id, closed_at__isnull=False)
    closed_rows = rows.order_by("-closed_at", "pk").values_list("pk", "name", "hsa_id", "closed_at")[:MOST]
    return tuple(EndedLine(pk, name, hsa_id, day) for pk, name, hsa_id, at in closed_rows if (day := wording.day(at)))


def ended(*, actor: Actor, organisation_id: UUID) -> Ended | None:
    """Returns the closing of an organisation, or None if it is open. The caller has checked that the actor may see it."""
    row = Organisation.objects.select_related("area", "parent").filter(pk=organisation_id).get()
    day = wording.day(row.closed_at) if row.closed_at else None
    if day is None:
        return None
    events = Event.objects.filter(subject_type="organisation", subject_ref=str(row.pk), action="organisation.closed")
    event = events.order_by("-id").first()
    may, above = True, False
    try:
        require_place(actor, row)
    except Conflict:
        may, above = False, True
    except Forbidden:
        may = False
    who = names_of(actor, {event.actor_ref})[event.actor_ref] if event else ""
    return Ended(day, who, event.facts.get("reason", "") if event else "", may, above)
