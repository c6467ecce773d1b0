"""Suspected false documents, as responsible issuers see them (rules/issuance 5.9)."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from issuance.activation.domain.identity_documents import FALSE, GENUINE, IDENTITY_DOCUMENT
from issuance.activation.models import DocumentSuspicion
from issuance.activation.services import suspicions
from issuance.authz import Action, Actor
from issuance.people.queries import officers
from issuance.records.domain import wording
from siths_portal.lib.lists import Rows

OPEN = "open"
"""The state of a suspicion that is not judged; the others are the codes of judgements."""


@dataclass(frozen=True)
class SuspicionView:
    """A suspicion with its judgement in words. `judged_by`, `judged_at` and `reason` are empty while `state` is OPEN."""

    id: UUID
    person_id: UUID
    carrier_id: UUID
    person: str
    last: str
    organisation: str
    document: str
    observed: str
    officer: str
    at: dt.datetime
    state: str
    judged_by: str
    judged_at: dt.datetime | None
    reason: str


def judged_by(actor: Actor) -> QuerySet[DocumentSuspicion]:
    """Returns the suspicions that the actor may judge or has judged, none about the actor's own card."""
    rows = DocumentSuspicion.objects.visible_to(actor, Action.JUDGE_DOCUMENT)
    return rows.exclude(carrier__person=actor.own_id)


def waiting(actor: Actor) -> QuerySet[DocumentSuspicion]:
    """Returns the suspicions that wait for the actor's judgement. Dagen counts them together with cards, by one query."""
    return judged_by(actor).filter(judgement=None)


def listed(*, actor: Actor) -> Rows[DocumentSuspicion, SuspicionView]:
    """Returns the suspicions that the actor may judge, for a list."""
    rows = judged_by(actor).select_related("carrier__person", "carrier__organisation", "judgement")
    return Rows(rows.defer("carrier__card_key_spki"), partial(views, actor))


def view(*, actor: Actor, suspicion_id: UUID) -> SuspicionView:
    """Returns a suspicion. Raises NotFound, Forbidden."""
    return views(actor, [suspicions.to_judge(actor=actor, suspicion_id=suspicion_id)])[0]


def stop_of(found: DocumentSuspicion | None) -> dict[str, Any]:
    """Returns what stops a visit, for its page: `suspicion`, None if nothing does, and whether it `is_false`."""
    return {"suspicion": found, "is_false": found is not None and suspicions.is_judged(found)}


def views(actor: Actor, rows: Sequence[DocumentSuspicion]) -> list[SuspicionView]:
    """Returns suspicions in words, that were read with card, person, organisation and judgement. One query."""
    refs = {row.officer_ref for row in rows} | {row.judgement.officer_ref for row in rows if suspicions.is_judged(row)}
    names = officers.names(actor, refs)
    return [_view(row, names) for row in rows]


def _view(row: DocumentSuspicion, names: dict[str, str]) -> SuspicionView:
    person = row.carrier.holder
    judgement = row.judgement if suspicions.is_judged(row) else None
    return SuspicionView(
        id=row.pk,
        person_id=person.pk,
        carrier_id=row.carrier_id,
        person=_("Skyddad person") if person.is_protected else f"{person.given_name_in_use} {person.surname}",
        last=row.carrier.card_serial[-4:],
        organisation=row.carrier.organisation.name,
        document=wording.label(IDENTITY_DOCUMENT, row.identity_document),
        observed=row.observed,
        officer=names.get(row.officer_ref, officers.unknown()),
        at=row.at,
        state=(FALSE if judgement.is_false else GENUINE) if judgement else OPEN,
        judged_by=names.get(judgement.officer_ref, officers.unknown()) if judgement else "",
        judged_at=judgement.at if judgement else None,
        reason=judgement.reason if judgement else "",
    )
