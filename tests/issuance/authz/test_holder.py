"""A holder who acts for themself: sees and revokes what is their own, protected or not, and nothing else."""

from typing import Any

import pytest

from issuance.authz import Action, Role, card, holder, policy
from issuance.authz.roles import CARD_ALLOWED, HOLDER_ALLOWED
from issuance.carriers.models import Carrier, Eid
from issuance.organisations.models import Organisation
from issuance.people.models.persons import Person
from issuance.records.models.events import Event
from issuance.revocation.services import revocation
from issuance.roles.services.subjects import actor_of_subject
from siths_portal.lib.errors import DomainError, NotFound


def test_the_holder_sees_what_is_their_own(world: Any) -> None:
    own, other = world.order(world.post(protected=True), actor=world.officer(protected=True)), world.order()
    actor = holder(own.carrier.holder_id)
    for action in HOLDER_ALLOWED & {Action.VIEW, Action.REVOKE_CARRIER, Action.VIEW_HISTORY}:
        assert list(Carrier.objects.visible_to(actor, action)) == [own.carrier]
    assert list(Eid.objects.visible_to(actor)) == [own.eid]
    assert list(Person.objects.visible_to(actor)) == [own.person]
    with pytest.raises(NotFound):
        policy.get(actor, Action.VIEW, Carrier.objects.all(), other.carrier_id)
    assert not Organisation.objects.visible_to(actor).exists()


@pytest.mark.parametrize("action", sorted(set(Action) - HOLDER_ALLOWED))
def test_nothing_else_is_a_holders(world: Any, action: Action) -> None:
    order = world.order()
    actor = holder(order.carrier.holder_id)
    for row in (order.carrier, order.eid, order.person, order.eid.post, order):
        assert not policy.may(actor, action, row)
    assert not policy.holds(actor, action)


def test_a_card_sees_itself_and_nothing_of_anybody(world: Any) -> None:
    order, other = world.order(), world.order()
    actor = actor_of_subject(f"card:{order.carrier_id}")
    assert (actor.kind, actor.person_id, actor) == ("card", None, card(order.carrier_id))
    assert list(Carrier.objects.visible_to(actor)) == [order.carrier]
    for action in Action:
        assert policy.may(actor, action, order.carrier) is (action in CARD_ALLOWED)
        for row in (other.carrier, order.eid, order.person, order.eid.post, order):
            assert not policy.may(actor, action, row)


def test_roles_in_the_portal_change_nothing(world: Any) -> None:
    issuer = world.officer(role=Role.RESPONSIBLE_ISSUER)
    order = world.order()
    assert not Carrier.objects.visible_to(holder(issuer.person_id)).filter(pk=order.carrier_id).exists()


def test_a_holder_revokes_their_own_card_and_the_event_names_them(world: Any) -> None:
    order, other = world.order(), world.order()
    actor = actor_of_subject(f"holder:{order.carrier.holder_id}")
    revocation.revoke_carrier(actor=actor, carrier_id=order.carrier_id, reason="lost_or_stolen")
    assert Event.objects.get(action="carrier.revoked").actor_ref == f"holder:{order.person_id}"
    with pytest.raises(DomainError):
        revocation.revoke_carrier(actor=actor, carrier_id=other.carrier_id, reason="lost_or_stolen")
