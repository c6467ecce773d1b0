"""What the pages show that order an eID for the holder to fetch (rules/issuance 3.6). They read nothing live."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db.models import Exists, OuterRef

from issuance.authz import Action, Actor, policy
from issuance.carriers.domain import kinds
from issuance.carriers.domain.eid_states import LIVE_EIDS
from issuance.carriers.domain.kinds import EidOrderKind
from issuance.carriers.models import Carrier, Eid
from issuance.orders.domain.eid_order_states import EidOrderState
from issuance.orders.models.eid_orders import EidOrder
from issuance.orders.services import eid_orders
from issuance.people.models.persons import Post
from siths_portal.lib.errors import Forbidden


@dataclass(frozen=True)
class Addition:
    """An extra eID that may be ordered on a carrier: the holder's assignments for it, or the `reason` why there is none now."""

    carrier: Carrier
    posts: Sequence[Post]
    reason: str


def addition(*, actor: Actor, carrier_id: UUID) -> Addition:
    """Returns what `actor` may order on a carrier in use that they see. Raises NotFound (also for a kind without such orders),
    Forbidden (role, own matter, a holder without an assignment where the actor has the right).
    """
    carrier = policy.get(actor, Action.VIEW, Carrier.objects.defer("card_key_spki"), carrier_id)
    rule = kinds.kind_of(carrier.kind).eid_order(EidOrderKind.ADDITIONAL)
    if rule is None:
        raise policy.not_found()
    policy.reach(actor, rule.right)
    policy.refuse_own_matter(actor, rule.right, carrier)
    taken = Eid.objects.filter(carrier=carrier, post=OuterRef("pk"), state__in=LIVE_EIDS)
    ordered = EidOrder.objects.filter(carrier=carrier, post=OuterRef("pk"), state=EidOrderState.ORDERED.value)
    reached = Post.objects.visible_to(actor, rule.right).filter(person=carrier.holder_id)
    if not reached.exists():
        raise Forbidden("forbidden", eid_orders.NO_FURTHER_POST)
    rows = reached.filter(ended_at=None).filter(~Exists(taken), ~Exists(ordered)).select_related("organisation")
    posts = list(rows.order_by("organisation__scope_path", "hsa_id"))
    return Addition(carrier, posts, eid_orders.hindrance(carrier) or ("" if posts else eid_orders.NO_FURTHER_POST))


def renewal(*, actor: Actor, eid_id: UUID) -> tuple[Eid, str]:
    """Returns an eID that `actor` may renew, and why it cannot be renewed now, or "". Raises NotFound, Forbidden (role, own
    matter).
    """
    rows = Eid.objects.select_related("carrier", "organisation", "post").defer("carrier__card_key_spki")
    eid = policy.get(actor, Action.ORDER_EID, rows, eid_id)
    if kinds.kind_of(eid.carrier.kind).eid_order(EidOrderKind.RENEWAL) is None:
        raise policy.not_found()
    return eid, eid_orders.renewal_hindrance(eid)
