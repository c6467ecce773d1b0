"""The functions on the person's page that order an eID for the holder to fetch, and withdraw the order (rules/issuance 3.6)."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from uuid import UUID

from django.utils.translation import gettext as _

from issuance.authz import Action, Actor, policy
from issuance.carriers.domain import kinds
from issuance.carriers.domain.eid_states import EidState
from issuance.carriers.domain.kinds import EidOrderKind
from issuance.carriers.models import Carrier, Eid
from issuance.orders.models.eid_orders import EidOrder
from issuance.orders.services import eid_orders
from issuance.people.models.persons import Person, Post
from issuance.person_page.queries.person_functions import Function, dormant, no_right, own_matter, unless, why_no_right


@dataclass(frozen=True)
class EidFunctions:
    """The functions of one actor for one person. `posts` are the person's current assignments that the actor sees, annotated with
    the right to order an eID; `waiting` are the orders that wait for the holder and that the actor sees.
    """

    actor: Actor
    person: Person
    posts: Collection[Post]
    waiting: Collection[EidOrder]

    def of_carrier(self, carrier: Carrier, eids: Iterable[Eid]) -> list[Function]:
        """Returns the order of an extra eID, if the carrier's state allows it. `carrier` is annotated with `valid_eids` and
        `additional_waiting`; `eids` are those on it that the actor sees.
        """
        rule = kinds.kind_of(carrier.kind).eid_order(EidOrderKind.ADDITIONAL)
        if rule is None or carrier.state not in rule.states:
            return []
        order = Function(_("Beställ extra SITHS eID"), "eid_order", carrier.id)
        return [unless(order, self._why_not_added(carrier, rule.right, eids))]

    def of_eid(self, eid: Eid, carrier: Carrier) -> list[Function]:
        """Returns the order of a renewed eID, if the states allow it. `eid` is annotated with the right."""
        rule = kinds.kind_of(carrier.kind).eid_order(EidOrderKind.RENEWAL)
        if rule is None or carrier.state not in rule.states or eid.state != EidState.ACTIVE:
            return []
        return [unless(Function(_("Uppdatera SITHS eID"), "eid_renew", eid.id), self._why_not_renewed(eid, carrier, rule.right))]

    def of_order(self, order: EidOrder) -> list[Function]:
        """Returns the withdrawal of a waiting order, annotated with the right to withdraw it."""
        withdraw = Function(_("Ta bort beställning"), "eid_order_withdraw", order.id)
        return [unless(withdraw, "" if getattr(order, f"may_{Action.WITHDRAW_EID_ORDER}") else no_right())]

    def _why_not_added(self, carrier: Carrier, right: Action, eids: Iterable[Eid]) -> str:
        if not policy.holds(self.actor, right):
            return dormant(self.actor, right) or no_right()
        if reason := self._why_not_at_all(carrier, right):
            return reason
        taken = {eid.post_id for eid in eids if eid.state in (EidState.ORDERED, EidState.ACTIVE)}
        if not any(getattr(post, f"may_{right}") and post.id not in taken | self._ordered(carrier.id) for post in self.posts):
            return _(eid_orders.NO_FURTHER_POST)
        on_it = carrier.valid_eids + carrier.additional_waiting  # type: ignore[attr-defined]
        return "" if eid_orders.has_room(on_it) else _(eid_orders.FULL)

    def _why_not_renewed(self, eid: Eid, carrier: Carrier, right: Action) -> str:
        if reason := why_no_right(eid, right):
            return dormant(self.actor, right) or reason
        if reason := self._why_not_at_all(carrier, right):
            return reason
        if eid.post.ended_at is not None:
            return _("Uppdraget är avslutat i HSA-katalogen.")
        return _("En uppdatering är redan beställd.") if eid.post_id in self._ordered(carrier.id) else ""

    def _why_not_at_all(self, carrier: Carrier, right: Action) -> str:
        if policy.is_own_matter(self.actor, right, self.person.id):
            return own_matter()
        if self.person.deceased:
            return _("Personen är avliden enligt personregistret.")
        return "" if carrier.card_key_sha256 else _(eid_orders.NO_CARD_KEY)

    def _ordered(self, carrier_id: UUID) -> set[UUID]:
        return {order.post_id for order in self.waiting if order.carrier_id == carrier_id}
