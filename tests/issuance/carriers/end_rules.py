"""Rules of a walk: how cards and eIDs end, and any act of the tables on any card, undone."""

from typing import Any

from django.db import transaction
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from issuance.carriers.models import Carrier, CarrierCertificate, Eid
from issuance.orders.models.eid_orders import EidOrder
from issuance.revocation.services import revocation, whole_person
from pki import service as pki
from siths_portal.lib import clock
from tests.issuance.carriers.acts import ACTS
from tests.issuance.carriers.model import Card
from tests.issuance.carriers.supply_rules import PEOPLE
from tests.issuance.carriers.trying import fault, standing
from tests.issuance.carriers.visit_rules import VisitRules
from tests.issuance.carriers.walking import on_card
from tests.rewinding import undone

REASONS = st.sampled_from(["lost_or_stolen", "damaged", "suspected_misuse"])
_OF_OTHERS_TOO = (
    "an officer orders a PUK letter",
    "an officer replaces it",
    "an officer has it made again",
    "an officer orders a further eID",
    "an officer revokes everything of its holder",
)
"""Acts whose outcome does not follow from the card alone: another errand under way or another card of the holder counts too."""
_OF_THE_CARD = [act for act in ACTS if act.name not in _OF_OTHERS_TOO]


class EndRules(VisitRules):
    """Ends, and acts in every situation that a walk has come to."""

    @on_card(lambda _walk, card: card.is_live, reason=REASONS)
    def revoke(self, card: Card, reason: str) -> None:
        revocation.revoke_carrier(actor=self.officer, carrier_id=card.pk, reason=reason)
        self.model.revoke(card)

    @on_card(lambda _walk, card: card.live_eids > 0, reason=REASONS)
    def revoke_eid(self, card: Card, reason: str) -> None:
        eid = Eid.objects.get(carrier=card.pk, state__in=["ordered", "active"])
        revocation.revoke_eid(actor=self.officer, eid_id=eid.pk, reason=reason)
        self.model.end_eids(card, "revoked")
        self.model.end_transaction(card, "failed")

    @precondition(lambda walk: any(card.is_live and card.person is not None for card in walk.model.cards))
    @rule(person=PEOPLE)
    def revoke_everything(self, person: int) -> None:
        holder = self.scene.people[person][0].person_id
        shown = whole_person.live_possessions(self.officer, holder).ids
        whole_person.revoke_person(actor=self.officer, person_id=holder, shown=shown, reason="lost_or_stolen")
        for card in self.model.cards:
            if card.person == person and card.is_live:
                self.model.revoke(card)

    @on_card(lambda _walk, card: card.state == "active")
    def expire(self, card: Card) -> None:
        now = clock.now()
        Carrier.objects.filter(pk=card.pk).update(valid_to=now)
        Eid.objects.filter(carrier=card.pk, valid_to__gt=now).update(valid_to=now)
        EidOrder.objects.filter(carrier=card.pk, state="ordered").update(expires_at=now)
        card.state = "expired"
        self.model.count("carrier.expired")
        self.model.end_eids(card, "expired", among=("active",))
        if card.eid_order:
            card.eid_order = None
            self.model.count("eid_order.expired")
        self.run_deadlines()

    @on_card(lambda _walk, card: card.kind == "reserve_card" and card.state == "active" and card.live_eids > 0)
    def expire_eid(self, card: Card) -> None:
        Eid.objects.filter(carrier=card.pk, state="active").update(valid_to=clock.now())
        self.model.end_eids(card, "expired", among=("active",))
        self.run_deadlines()

    @on_card(lambda _walk, card: card.is_live and card.certified > 0)
    def revoke_certificates(self, card: Card) -> None:
        ids = list(CarrierCertificate.objects.filter(carrier=card.pk).values_list("certificate_id", flat=True))
        with transaction.atomic(durable=True):
            pki.plan_revocation(ids, reason="keyCompromise", actor_ref="user:1", received_at=clock.now(), channel="portal")
        self.model.revoke(card)
        if card.item in ("in_production", "produced") and card.order:
            card.item = card.order.state = "failed"
            self.model.count("item.failed", "order.failed")
        self.run_deadlines()

    @on_card(lambda _walk, card: card.origin == "portal" or card.kind == "mobile_eid", act=st.sampled_from(_OF_THE_CARD))
    def try_and_undo(self, card: Card, act: Any) -> None:
        tried = self.situation(card)
        if (wanted := act.expect(tried)) is not None:
            before = standing()
            with undone():
                assert fault(tried, act, wanted, before) == "", act.name
