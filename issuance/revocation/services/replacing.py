"""Spärra och beställ nytt: revokes a card that cannot be activated and proposes its order again as a draft (ADR 0289)."""

from typing import Any, Unpack
from uuid import UUID

from django.db import transaction

from issuance.authz import Action, Actor, policy
from issuance.carriers.models import Carrier
from issuance.orders.models.drafts import OrderDraft
from issuance.orders.models.orders import CardOrder
from issuance.orders.services import drafts
from issuance.people.models.persons import Person, Post
from issuance.people.models.photos import Photo
from issuance.revocation.models import HeldRevocation
from issuance.revocation.services import revocation
from issuance.revocation.services.revocation import RequestFields, RevocationRequest


@transaction.atomic(durable=True)
def revoke_and_draft(
    *,
    actor: Actor,
    carrier_id: UUID,
    **fields: Unpack[RequestFields],
) -> OrderDraft | HeldRevocation:
    """Revokes a carrier and fills the clerk's draft for its person with the answers of the card's order; both or neither.

    The draft's answers are checked like all others, at each step and at the order. An assignment that the clerk may not order
    for is left out with the answers that depend on it. If the revocation waits for a second officer, returns it and fills no
    draft. Raises as `revocation.revoke_carrier` and `drafts.start`.
    """
    seen = policy.get(actor, Action.REVOKE_CARRIER, Carrier.objects, carrier_id)
    policy.get(actor, Action.ORDER_ORDINARY_CARD, Person.objects, seen.holder_id)
    done = revocation.revoke(actor=actor, carrier_id=carrier_id, request=RevocationRequest(**fields))
    if isinstance(done, HeldRevocation):
        return done
    return drafts.propose(actor=actor, person_id=seen.holder_id, answers=_answers(actor, carrier_id), carrier_id=carrier_id)


def _answers(actor: Actor, carrier_id: UUID) -> dict[str, Any]:
    """Returns the answers of the card's order that may still be proposed."""
    order = CardOrder.objects.with_card().select_related("article", "office", "photo").filter(items__carrier=carrier_id).first()
    if order is None:
        return {}
    post = Post.objects.visible_to(actor, Action.ORDER_ORDINARY_CARD).filter(pk=order.eid.post_id).first()
    if post is None:
        return {}
    latest = Photo.objects.latest_of(post.person_id)
    photo = order.photo if order.photo is not None and order.photo == latest else None
    return {
        "post": post,
        "article": order.article,
        "office": order.office,
        "photo": photo,
        "photo_approved": photo is not None,
    }
