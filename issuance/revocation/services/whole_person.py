"""Revocation of everything of a person in one act: one request, one decision, one event for each card and eID (rules/issuance
6.1)."""

import datetime as dt
from collections.abc import Collection
from dataclasses import dataclass
from typing import Unpack
from uuid import UUID

from django.db import transaction
from django.db.models import Q, QuerySet

from issuance.authz import Action, Actor, policy
from issuance.carriers.domain import carrier_states
from issuance.carriers.domain.eid_states import LIVE_EIDS
from issuance.carriers.models import Carrier, Eid
from issuance.people.models.persons import Person
from issuance.revocation.models import HeldRevocation
from issuance.revocation.services import revocation, revocation_limit
from issuance.revocation.services.revocation import RequestFields, RevocationRequest
from siths_portal.lib import clock
from siths_portal.lib.errors import Conflict

CHANGED = "changed-meanwhile"


@dataclass(frozen=True)
class LivePossessions:
    """The valid carriers of a person that an officer may revoke, and the valid eIDs that they may revoke on other carriers."""

    carriers: tuple[Carrier, ...]
    eids: tuple[Eid, ...]

    @property
    def ids(self) -> frozenset[UUID]:
        """The ids of the carriers and eIDs."""
        return frozenset(row.pk for row in (*self.carriers, *self.eids))

    @property
    def known_since(self) -> dt.datetime | None:
        """The earliest time of a request for all of it: when the newest of the carriers was ordered."""
        carriers = [*self.carriers, *(eid.carrier for eid in self.eids)]
        return max((revocation.known_since(carrier) for carrier in carriers), default=None)


def live_possessions(actor: Actor, person_id: UUID, *, among: Collection[UUID] | None = None) -> LivePossessions:
    """Returns what of the person is valid and the actor may revoke, the oldest first; only on the carriers `among`, if given."""
    at_carriers = Q() if among is None else Q(pk__in=among)
    at_eids = Q() if among is None else Q(carrier__in=among)
    carriers = tuple(revocable_carriers(actor, person_id).filter(at_carriers).exclude(state__in=carrier_states.INVALID))
    eids = revocable_eids(actor, person_id).filter(at_eids, state__in=LIVE_EIDS).exclude(carrier__in=carriers)
    return LivePossessions(carriers, tuple(eids))


def revocable_carriers(actor: Actor, person_id: UUID) -> QuerySet[Carrier]:
    """Returns the person's carriers, valid or not, for which the actor has the right to revoke."""
    rows = Carrier.objects.visible_to(actor, Action.REVOKE_CARRIER).filter(person=person_id)
    return rows.select_related("organisation", "article").defer("card_key_spki").order_by("created_at", "id")


def revocable_eids(actor: Actor, person_id: UUID) -> QuerySet[Eid]:
    """Returns the person's eIDs, valid or not, for which the actor has the right to revoke."""
    rows = Eid.objects.visible_to(actor, Action.REVOKE_EID).filter(carrier__person=person_id)
    return rows.select_related("organisation", "carrier__article", "carrier__organisation").order_by("created_at", "id")


@transaction.atomic(durable=True)
def revoke_person(
    *, actor: Actor, person_id: UUID, shown: Collection[UUID], **fields: Unpack[RequestFields]
) -> LivePossessions | list[HeldRevocation]:
    """Revokes the person's valid carriers, with all on them, and eIDs on other carriers, as far as the actor may; all or none.

    `shown` are the carriers and eIDs that the officer saw and confirmed. Returns what was revoked; nothing if nothing is valid
    any more. If the officer's hourly limit is reached, revokes nothing and returns the held request, one row for each (ADR
    0297). Raises NotFound, Forbidden, Invalid (by field), Conflict `changed-meanwhile` if something has been added since, and
    Conflict if all of it waits already.
    """
    request = RevocationRequest(**fields)
    revocation.check(actor=actor, request=request)
    policy.get(actor, Action.REVOKE_CARRIER, Person.objects, person_id)
    found = _locked(actor, person_id)
    if not found.ids:
        return found
    if not found.ids <= frozenset(shown):
        raise Conflict(CHANGED, "Personen har fått något nytt sedan sidan visades. Kontrollera vad som spärras och spärra igen.")
    revocation.check(actor=actor, request=request, since=found.known_since)
    if revocation_limit.is_above(actor, person_id):
        subjects = [*((carrier, None) for carrier in found.carriers), *((eid.carrier, eid) for eid in found.eids)]
        return revocation_limit.hold_together(actor, request.as_requested(), subjects)
    revocation.revoke_together(found.carriers, found.eids, actor=actor, request=request, at=clock.now())
    return found


def _locked(actor: Actor, person_id: UUID) -> LivePossessions:
    """Locks the carriers concerned in the order of their ids, as every transaction does that locks several, and returns what is
    valid under the locks.
    """
    seen = live_possessions(actor, person_id)
    ids = {carrier.pk for carrier in seen.carriers} | {eid.carrier_id for eid in seen.eids}
    list(Carrier.objects.select_for_update(no_key=True).filter(pk__in=ids).order_by("pk").values_list("pk"))
    found = live_possessions(actor, person_id, among=ids)
    eid_ids = [eid.pk for eid in found.eids]
    list(Eid.objects.select_for_update(no_key=True).filter(pk__in=eid_ids).order_by("pk").values_list("pk"))
    return found
