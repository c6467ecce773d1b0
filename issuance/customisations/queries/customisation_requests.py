"""Requests for card customisations: of one organisation, and all open ones for the administration (ADR 0189)."""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from django.db.models import QuerySet

from issuance.authz import Action, Actor
from issuance.customisations.models import CardCustomisation, CustomisationRequest
from issuance.customisations.services.effective import prints
from issuance.organisations.models import Organisation
from issuance.records.domain import wording
from issuance.records.queries.history import names_of

MOST = 50
"""The maximum number of open requests listed, the oldest first."""


@dataclass(frozen=True)
class OpenRequest:
    """An organisation's open request, with its day and author."""

    organisation_id: UUID
    organisation: str
    back_text: str
    logotype_note: str
    day: dt.date | None
    who: str


def request_of(*, actor: Actor, organisation_id: UUID) -> OpenRequest | None:
    """Returns an organisation's open request, or None. The caller has checked that the actor sees the organisation."""
    rows = CustomisationRequest.objects.filter(organisation=organisation_id, answered_at=None)
    return next(iter(_views(actor, rows.select_related("organisation"))), None)


def open_requests(*, actor: Actor) -> tuple[OpenRequest, ...]:
    """Returns the open requests of organisations that the actor sees, the oldest first, at most `MOST`."""
    return tuple(_views(actor, _open(actor).select_related("organisation").order_by("created_at", "pk")[:MOST]))


def waiting(*, actor: Actor) -> int:
    """Returns the number of open requests, up to `MOST`."""
    return _open(actor)[:MOST].count()


def generic_is_ready() -> bool:
    """True if the generic card customisation exists and cards can be made with it."""
    generic = CardCustomisation.objects.filter(generic=True).first()
    return generic is not None and prints(generic)


def _open(actor: Actor) -> QuerySet[CustomisationRequest]:
    seen = Organisation.objects.visible_to(actor, Action.VIEW_CONFIGURATION)
    return CustomisationRequest.objects.filter(answered_at=None, organisation__in=seen.values("pk"))


def _views(actor: Actor, rows: Iterable[CustomisationRequest]) -> Iterable[OpenRequest]:
    rows = list(rows)
    names = names_of(actor, {row.created_by_ref for row in rows}) if rows else {}
    return [
        OpenRequest(
            row.organisation_id, row.organisation.name, row.back_text, row.logotype_note, wording.day(row.created_at),
            names[row.created_by_ref],
        )
        for row in rows
    ]  # fmt: skip
