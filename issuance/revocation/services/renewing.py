"""What is revoked when a holder has fetched a renewed eID, and when an order ends that was begun and not fetched (rules/issuance
3.6, 5.10).
"""

from issuance.activation.models import CertificateRequest
from issuance.activation.services import fetching
from issuance.authz import system
from issuance.carriers.domain.eid_states import LIVE_EIDS, EidState
from issuance.carriers.models import Eid
from issuance.orders.models.eid_orders import EidOrder
from issuance.revocation.domain import RevocationReason
from issuance.revocation.services import revocation


def revoke_renewed(new: Eid, old: Eid) -> None:
    """Revokes the eID that a renewed one replaces and the carrier's earlier person-id pair, in the transaction of the fetch."""
    actor = system("renewal")
    if old.state in LIVE_EIDS:
        revocation.revoke_locked_eids([old], actor=actor, reason=RevocationReason.RENEWED)
    revocation.revoke_earlier_pairs(new, actor=actor, reason=RevocationReason.RENEWED)


def end_unfetched(orders: list[EidOrder], actor_ref: str) -> None:
    """Ends what holders began for orders that no longer wait: the open transactions of the eID app, and the eIDs that are
    certified and not confirmed. The caller has locked the carriers.
    """
    fetching.end_of_orders(orders, actor_ref=actor_ref)
    begun = CertificateRequest.objects.filter(eid_order__in=orders).values("eid")
    eids = Eid.objects.select_for_update(no_key=True).filter(pk__in=begun, state=EidState.ORDERED.value)
    if found := list(eids.order_by("id")):
        revocation.revoke_locked_eids(found, actor=system("eid-not-fetched"), reason=RevocationReason.NOT_FETCHED)
