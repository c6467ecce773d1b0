"""Ersätt kort: begins the order of a card that replaces another one (rules/issuance 3.14). The package of revocation, which is
above this one, revokes the replaced card.
"""

from typing import Any
from uuid import UUID

from django.db import transaction

from issuance.authz import Action, Actor
from issuance.carriers import services as carriers
from issuance.carriers.domain import kinds
from issuance.carriers.domain.kinds import Function
from issuance.carriers.models import Carrier
from issuance.orders.domain.replacements import ReplacementReason
from issuance.orders.models.drafts import OrderDraft
from issuance.orders.models.orders import CardOrder
from issuance.orders.services import drafts, replacement_checks
from issuance.people.models.persons import Post
from siths_portal.lib.errors import Conflict


@transaction.atomic(durable=True)
def start(*, actor: Actor, carrier_id: UUID) -> OrderDraft:
    """Returns the clerk's draft of the order that replaces the card, with the answers of the card's own order. A repetition keeps
    what the clerk has answered since.

    The draft's answers are checked like all others, at each step and at the order. It has no photo of its own: the page proposes
    the stored one while it is young enough. Raises NotFound, Forbidden (role, own matter), Conflict (the card's state, or another
    order replaces it).
    """
    rows = Carrier.objects.defer("card_key_spki")
    carrier = carriers.get(actor, Function.REPLACE, rows, carrier_id)
    begun = drafts.begun(actor=actor, person_id=carrier.holder_id)
    if begun is not None and begun.replaced_carrier_id == carrier.pk:
        return begun
    if not kinds.kind_of(carrier.kind).allows(Function.REPLACE, carrier.state):
        raise Conflict("card-not-replaceable", "Kortet kan inte ersättas. Kontrollera kortets status på personens sida.")
    replacement_checks.require_free(carrier.pk)
    return drafts.propose(actor=actor, person_id=carrier.holder_id, answers=_answers(actor, carrier))


def _answers(actor: Actor, carrier: Carrier) -> dict[str, Any]:
    """Returns what the draft is filled with: the card to replace, and the answers of its order that may be proposed. A card that
    was not ordered here has its own assignment, article and office.
    """
    known = ReplacementReason.DAMAGED.value if carrier.is_code_blocked else ""
    found: dict[str, Any] = {"replaced_carrier": carrier, "replacement_reason": known}
    order = CardOrder.objects.with_card().select_related("article", "office").filter(items__carrier=carrier).first()
    source, post_id = (order, order.eid.post_id) if order is not None else (carrier, _newest_post_id(carrier))
    post = Post.objects.visible_to(actor, Action.ORDER_ORDINARY_CARD).filter(pk=post_id).first() if post_id else None
    return found if post is None else found | {"post": post, "article": source.article, "office": source.office}


def _newest_post_id(carrier: Carrier) -> UUID | None:
    return carrier.eids.order_by("-valid_to", "pk").values_list("post", flat=True).first()
