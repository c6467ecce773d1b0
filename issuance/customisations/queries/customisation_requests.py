"""What issuers wish of card customisations: of one organisation, and all that wait for the administration (ADR 0189)."""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from django.db.models import QuerySet

from issuance.authz import Action, Actor
from issuance.customisations.models import CardCustomisation, CustomisationRequest
from issuance.customisations.services.effective import prints
from issuance.organisations.models import Organisation
from issuance.records.queries import words
from issuance.records.queries.history import names_of

MOST = 50
"""Wishes that the list tells, the oldest first; when some are done the others follow."""


@dataclass(frozen=True)
class Wish:
    """What an organisation wishes, since when and by whom."""

    organisation_id: UUID
    organisation: str
    back_text: str
    logotype_note: str
    day: dt.date | None
    who: str


def wish_of(*, actor: Actor, organisation_id: UUID) -> Wish | None:
    """What an organisation that the actor sees wishes; None for nothing. The caller has made sure that he sees it."""
    rows = CustomisationRequest.objects.filter(organisation=organisation_id, answered_at=None)
    return next(iter(_wishes(actor, rows.select_related("organisation"))), None)


def wishes(*, actor: Actor) -> tuple[Wish, ...]:
    """What waits for the administration of what the actor sees, the oldest first, at most `MOST`."""
    return tuple(_wishes(actor, _open(actor).select_related("organisation").order_by("created_at", "pk")[:MOST]))


def waiting(*, actor: Actor) -> int:
    """How many wait, counted to `MOST`."""
    return _open(actor)[:MOST].count()


def generic_is_ready() -> bool:
    """Whether there is a card customisation that is nobody's own, and cards can be made by it."""
    generic = CardCustomisation.objects.filter(generic=True).first()
    return generic is not None and prints(generic)


def _open(actor: Actor) -> QuerySet[CustomisationRequest]:
    seen = Organisation.objects.visible_to(actor, Action.VIEW_CONFIGURATION)
    return CustomisationRequest.objects.filter(answered_at=None, organisation__in=seen.values("pk"))


def _wishes(actor: Actor, rows: Iterable[CustomisationRequest]) -> Iterable[Wish]:
    rows = list(rows)
    names = names_of(actor, {row.created_by_ref for row in rows}) if rows else {}
    return [
        Wish(
            row.organisation_id, row.organisation.name, row.back_text, row.logotype_note, words.day(row.created_at),
            names[row.created_by_ref],
        )
        for row in rows
    ]  # fmt: skip
