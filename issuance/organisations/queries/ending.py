"""Organisations that were ended: in an area, and how one was (ADR 0222)."""

import datetime as dt
from dataclasses import dataclass
from uuid import UUID

from issuance.authz import Action, Actor
from issuance.organisations.models import Organisation
from issuance.organisations.services.ending import require_place
from issuance.records.models.events import Event
from issuance.records.queries import words
from issuance.records.queries.history import names_of
from siths_portal.lib.errors import Conflict, Forbidden

MOST = 50
"""Ended organisations that an area's page lists, the last ones first."""


@dataclass(frozen=True)
class EndedLine:
    """An ended organisation in a list."""

    id: UUID
    name: str
    hsa_id: str
    closed_on: dt.date


@dataclass(frozen=True)
class Ended:
    """How an organisation was ended. `may_reopen` tells whether the actor may take it up; `above` that the one above is ended."""

    closed_on: dt.date
    who: str
    reason: str
    may_reopen: bool
    above: bool


def ended_in(*, actor: Actor, area_id: UUID) -> tuple[EndedLine, ...]:
    """The organisations of an area that were ended, as far as the actor sees them, the last ones first."""
    rows = Organisation.objects.visible_to(actor, Action.VIEW_CONFIGURATION).filter(area=area_id, closed_at__isnull=False)
    asked = rows.order_by("-closed_at", "pk").values_list("pk", "name", "hsa_id", "closed_at")[:MOST]
    return tuple(EndedLine(pk, name, hsa_id, day) for pk, name, hsa_id, at in asked if (day := words.day(at)))


def ended(*, actor: Actor, organisation_id: UUID) -> Ended | None:
    """How an organisation was ended, None where it lives. The caller has made sure that the actor may see it."""
    row = Organisation.objects.select_related("area", "parent").filter(pk=organisation_id).get()
    day = words.day(row.closed_at) if row.closed_at else None
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
