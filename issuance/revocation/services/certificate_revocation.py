"""Propagation of revocations that begin in `pki`, by an operator or a sweeper, to the carriers and eIDs that they end.

Runs a transaction for each carrier after `pki` has committed, because locks are taken from the carrier to the certificates.
Carriers that issuance itself revoked have already ended and are skipped, so there is no loop.
"""

import datetime as dt
from collections.abc import Iterable
from itertools import batched
from typing import Any, Final
from uuid import UUID

from django.db import connection, transaction

from issuance.authz import Action, policy, system
from issuance.carriers.domain import carrier_states
from issuance.carriers.domain.carrier_states import CarrierState
from issuance.carriers.domain.eid_states import LIVE_EIDS
from issuance.carriers.models import Carrier, CarrierCertificate, Eid
from issuance.orders.domain.items import ItemAction, ItemState
from issuance.orders.models.orders import OrderItem
from issuance.orders.services import progress
from issuance.revocation.domain import RevocationReason
from issuance.revocation.services.revocation import revoke_locked, revoke_locked_eids
from pki import service as pki
from siths_portal.lib import clock

LOOKBACK = dt.timedelta(days=31)
"""The longest outage of the sweeper after which it misses no revocation."""

_BATCH = 2000
_REASON = RevocationReason.CERTIFICATE_REVOKED
_LIVE_CARRIER = [state.value for state in CarrierState if state not in carrier_states.INVALID]


def on_certificate_revoked(*, certificate_ids: Iterable[UUID], **_signal: Any) -> None:
    """Receives `pki.signals.certificate_revoked`."""
    revoke_unusable(certificate_ids)


def sweep() -> int:
    """Processes the revocations of the last `LOOKBACK`, because signals may be lost. Returns how many carriers changed."""
    return sum(revoke_unusable(ids) for ids in batched(pki.revoked_since(clock.now() - LOOKBACK), _BATCH, strict=False))


def revoke_unusable(certificate_ids: Iterable[UUID]) -> int:
    """Revokes carriers and eIDs that the revoked certificates leave unusable, and returns for how many carriers.

    Repeatable. A carrier is revoked if its person-id certificates are, or if any certificate is while the card is in production
    and can no longer be completed; its item then fails. An eID is revoked if its certificates are.
    """
    with connection.cursor() as cursor:
        cursor.execute(_CONCERNED, [[str(id_) for id_ in certificate_ids], _LIVE_CARRIER, [state.value for state in LIVE_EIDS]])
        concerned = [carrier_id for (carrier_id,) in cursor.fetchall()]
    return sum(_revoke_one(carrier_id) for carrier_id in concerned)


# Runs on every revocation, and most concern no carrier. Through the ORM it costs ten times the database's own time.
_CONCERNED: Final = """
SELECT DISTINCT carrier.id FROM issuance_carriercertificate AS owned
JOIN issuance_carrier AS carrier ON carrier.id = owned.carrier_id LEFT JOIN issuance_eid AS eid ON eid.id = owned.eid_id
WHERE owned.certificate_id = ANY(%s::uuid[]) AND carrier.state = ANY(%s) AND (eid.id IS NULL OR eid.state = ANY(%s))
ORDER BY carrier.id
"""


@transaction.atomic(durable=True)
def _revoke_one(carrier_id: UUID) -> bool:
    actor = system("certificate-revoked")
    carrier = policy.get(actor, Action.REVOKE_CARRIER, Carrier.objects.select_for_update(of=("self",), no_key=True), carrier_id)
    if carrier.state in carrier_states.INVALID:
        return False
    eids = list(Eid.objects.select_for_update(no_key=True).filter(carrier=carrier).order_by("id"))
    items = OrderItem.objects.select_for_update(of=("self", "order"), no_key=True).select_related("order")
    item = items.filter(carrier=carrier).first()
    by_owner = _revoked_by_owner(carrier)
    everything = [revoked for owned in by_owner.values() for revoked in owned]
    if any(everything) if carrier.state == CarrierState.ORDERED else all(by_owner.get(None, everything)):
        revoke_locked([carrier], actor=actor, reason=_REASON)
        if item is not None and item.state in (ItemState.IN_PRODUCTION, ItemState.PRODUCED):
            reason = _REASON.value.replace("_", "-")
            progress.step_items(item.order, [item], ItemAction.FAIL, actor_ref=actor.ref, facts={"reason": reason}, reason=reason)
        return True
    ended = [eid for eid in eids if eid.state in LIVE_EIDS and eid.id in by_owner and all(by_owner[eid.id])]
    if ended:
        revoke_locked_eids(ended, actor=actor, reason=_REASON)
    return bool(ended)


def _revoked_by_owner(carrier: Carrier) -> dict[UUID | None, list[bool]]:
    """Returns for each eID whether each of its certificates is revoked. The key None holds the carrier's own pair."""
    owners = dict(CarrierCertificate.objects.filter(carrier=carrier).values_list("certificate_id", "eid_id"))
    found: dict[UUID | None, list[bool]] = {}
    for view in pki.certificates(owners):
        found.setdefault(owners[view.id], []).append(view.status == "revoked")
    return found
