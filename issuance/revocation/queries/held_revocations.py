"""Revocations that wait for a second officer, as the page shows them (ADR 0297)."""

import datetime as dt
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from issuance.authz import Action, Actor, policy
from issuance.records.domain import wording
from issuance.records.queries import words
from issuance.records.queries.history import names_of
from issuance.revocation.domain import SWEDISH, RevocationReason
from issuance.revocation.models import HeldRevocation, HeldRevocationState
from issuance.revocation.services import revocation_limit
from siths_portal.lib.database.prepared import prepared

MOST = 200
"""The page lists and counts at most this many requests; decisions make room for the others."""


@dataclass(frozen=True)
class HeldView:
    """A request, by its `request_id`. `refusal` is the Swedish reason why the reader cannot decide it, or empty if they can.
    Cards in stock have no holder: then `person_id` is None, and `person` says so.
    """

    id: UUID
    person_id: UUID | None
    person: str
    what: str
    serial: str
    organisation: str
    reason: str
    requested_by: str
    requested_at: dt.datetime
    received_at: dt.datetime
    refusal: str


def waiting(*, actor: Actor) -> tuple[HeldView, ...]:
    """Returns the open requests for what the actor may revoke, the oldest first, of at most MOST carriers and eIDs."""
    requests = _requests(actor)
    names = names_of(actor, {rows[0].requested_by_ref for rows in requests}) if requests else {}
    return tuple(_view(actor, rows, names[rows[0].requested_by_ref]) for rows in requests)


def _requests(actor: Actor) -> list[list[HeldRevocation]]:
    """Returns the rows of each open request."""
    requests: dict[UUID, list[HeldRevocation]] = {}
    for row in _waiting(actor):
        requests.setdefault(row.request_id, []).append(row)
    return list(requests.values())


def _view(actor: Actor, rows: Sequence[HeldRevocation], requested_by: str) -> HeldView:
    first = rows[0]
    holder = first.carrier.person
    places = dict.fromkeys((row.eid or row.carrier).organisation.name for row in rows)
    return HeldView(
        id=first.request_id,
        person_id=holder.pk if holder else None,
        person=f"{holder.surname}, {holder.given_name_in_use}" if holder else _("Reservkort i lager"),
        what=_what(rows),
        serial=wording.card_serial(first.carrier.card_serial) if len(rows) == 1 else "",
        organisation=", ".join(places),
        reason=SWEDISH[RevocationReason(first.reason)],
        requested_by=requested_by,
        requested_at=first.requested_at,
        received_at=first.received_at,
        refusal=_refusal(actor, rows),
    )


def _what(rows: Sequence[HeldRevocation]) -> str:
    """Returns what a request revokes, in words."""
    if len(rows) == 1:
        return "SITHS eID" if rows[0].eid else words.carrier_type(rows[0].carrier.kind)
    if rows[0].carrier.person_id is None:
        return in_numbers(len(rows), 0)
    return _("Allt för personen: {what}").format(
        what=in_numbers(sum(not row.eid for row in rows), sum(bool(row.eid) for row in rows))
    )


def in_numbers(carriers: int, eids: int) -> str:
    """Returns numbers of cards and eIDs in words, without those that are none."""
    parts = [
        ngettext("{n} kort", "{n} kort", carriers).format(n=carriers) if carriers else "",
        ngettext("{n} SITHS eID", "{n} SITHS eID", eids).format(n=eids) if eids else "",
    ]
    return _(" och ").join(part for part in parts if part)


def _refusal(actor: Actor, rows: Sequence[HeldRevocation]) -> str:
    """Returns why the actor cannot decide the request, or an empty text."""
    return next(filter(None, (revocation_limit.refusal(actor, row) for row in rows)), "")


@prepared
def _waiting(actor: Actor) -> QuerySet[HeldRevocation]:
    return revocation_limit.waiting(actor)[:MOST]


@dataclass(frozen=True)
class HeldNotice:
    """A waiting revocation of the carrier, or of the eID `eid_id` on it, with the requester and the time."""

    carrier_id: UUID
    eid_id: UUID | None
    requested_by: str
    requested_at: dt.datetime


def notices(*, actor: Actor, carrier_ids: Collection[UUID], eid_ids: Collection[UUID]) -> dict[UUID, list[HeldNotice]]:
    """Returns the open requests for these carriers and eIDs, which the actor sees, by carrier, the oldest first."""
    if not carrier_ids:
        return {}
    concerned = Q(eid=None) | Q(eid__in=eid_ids)
    rows = HeldRevocation.objects.filter(concerned, carrier__in=carrier_ids, state=HeldRevocationState.OPEN)
    found = list(rows.order_by("requested_at", "pk"))
    names = names_of(actor, {row.requested_by_ref for row in found}) if found else {}
    by_carrier: dict[UUID, list[HeldNotice]] = {}
    for row in found:
        notice = HeldNotice(row.carrier_id, row.eid_id, names[row.requested_by_ref], row.requested_at)
        by_carrier.setdefault(row.carrier_id, []).append(notice)
    return by_carrier


def repeated(*, actor: Actor, person_id: UUID, carrier_id: UUID, eid_id: UUID | None) -> HeldNotice | None:
    """Returns the open request for this revocation of the person's carrier or eID if the actor could only make the same request
    again, else None.
    """
    found = notices(actor=actor, carrier_ids=[carrier_id], eid_ids=[eid_id] if eid_id else [])
    same = next((each for each in found.get(carrier_id, []) if each.eid_id == eid_id), None)
    return same if same and revocation_limit.exceeds(actor, person_id) else None


def to_decide(*, actor: Actor) -> list[HeldRevocation]:
    """Returns a row of each request that the actor may decide, at most MOST, and none without the right. Runs one query."""
    if not policy.holds(actor, Action.REVOKE_CARRIER):
        return []
    return [rows[0] for rows in _requests(actor) if not _refusal(actor, rows)]
