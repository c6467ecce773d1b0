"""Orders of PUK letters: the cards that get one, who may order it, and its recipient (rules/issuance 3.12)."""

import uuid
from typing import Any

import pytest

from authn.models import ServiceClient
from issuance.carriers.models import Carrier
from issuance.orders.models.orders import CardOrder, OrderItem
from issuance.orders.services import ordering
from issuance.people.models.persons import Person
from issuance.records.models.events import Event
from issuance.revocation.services import revocation
from issuance.roles.models.grants import RoleGrant
from issuance.roles.services.actors import actor_of_person
from issuance.search.services import searching
from pki.models import Secret
from siths_portal.lib import clock
from siths_portal.lib.errors import Conflict, Forbidden, Invalid, NotFound
from tests.issuance.activated import Made, activated_card, sent_card
from tests.issuance.suppliers.items import states
from tests.issuance.suppliers.lettering import ordered_letter, printing_supplier
from tests.issuance.world import SUPPLIER, qualify

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def made(world: Any, demo_pki: Any) -> Made:
    """An active card, whose supplier prints letters."""
    made = activated_card(world)
    printing_supplier(demo_pki)
    return made


def test_a_letter_waits_for_the_supplier_of_the_cards_organisation(world: Any, made: Made) -> None:
    order = ordered_letter(world, made.carrier)
    item = OrderItem.objects.get(order=order)
    assert (order.state, order.supplier_ref, order.person_id) == ("queued", SUPPLIER, made.carrier.person_id)
    assert (item.kind, item.puk_of_id, item.carrier_id, item.state) == ("letter", made.carrier.pk, None, "waiting")
    assert order.latest_card is None
    found = searching.search(actor=world.officer(), session_id=uuid.UUID(int=1), text=str(order.pk))
    assert searching.found_carrier(actor=world.officer(), search=found) == made.carrier.pk
    ordered = Event.objects.get(subject_type="carrier", subject_ref=str(made.carrier.pk), action="carrier.puk_letter_ordered")
    assert (ordered.actor_ref, ordered.facts) == (world.officer().ref, {"order": str(order.pk)})
    assert Event.objects.get(action="order.submitted", subject_ref=str(order.pk)).facts["puk_of"] == str(made.carrier.pk)


def test_the_same_key_is_one_letter_and_a_second_letter_waits_for_the_first(world: Any, made: Made) -> None:
    order = ordered_letter(world, made.carrier, key="k")
    assert ordered_letter(world, made.carrier, key="k") == order
    with pytest.raises(Conflict, match="letter-under-way"):
        ordered_letter(world, made.carrier)
    ordering.cancel_order(actor=world.officer(), order_id=order.pk)
    assert states(order) == ("cancelled", ["cancelled"])
    assert ordered_letter(world, made.carrier) != order
    with pytest.raises(Invalid, match="idempotency-key"):
        ordered_letter(world, made.carrier, key="å")


def test_nobody_orders_for_oneself_or_outside_ones_scope(world: Any, made: Made) -> None:
    with pytest.raises(NotFound):
        ordered_letter(world, made.carrier, actor=world.officer(world.stranger))
    holder = made.carrier.person_id
    qualify(holder)
    RoleGrant.objects.create(person_id=holder, role="id_administrator", organisation=world.region, valid_from=clock.now())
    with pytest.raises(Forbidden):
        ordered_letter(world, made.carrier, actor=actor_of_person(holder))
    assert not OrderItem.objects.filter(kind="letter").exists()


def test_only_an_active_card_whose_puk_is_kept_gets_a_letter(world: Any, made: Made) -> None:
    with pytest.raises(Conflict, match="carrier-not-active"):
        ordered_letter(world, sent_card(world, world.post()).carrier)
    Secret.objects.filter(id=made.carrier.puk_secret_id).update(state="refused")
    with pytest.raises(Conflict, match="puk-not-kept"):
        ordered_letter(world, made.carrier)
    Carrier.objects.filter(pk=made.carrier.pk).update(puk_secret_id=None)
    with pytest.raises(Conflict, match="puk-not-kept"):
        ordered_letter(world, made.carrier)


def test_a_supplier_that_prints_no_letters_gets_none(world: Any, made: Made) -> None:
    ServiceClient.objects.update(letter_certificate="")
    with pytest.raises(Conflict, match="supplier-without-letters"):
        ordered_letter(world, made.carrier)


@pytest.mark.parametrize(
    ("register", "code"), [({"deceased": True}, "person-deceased"), ({"registered_address": None}, "no-registered-address")]
)
def test_a_letter_that_cannot_reach_its_holder_is_not_ordered(
    world: Any, made: Made, register: dict[str, Any], code: str
) -> None:
    world.outside.change_person(world.key_of(made.carrier.person), **register)
    with pytest.raises(Invalid) as refused:
        ordered_letter(world, made.carrier)
    assert (refused.value.code, list(refused.value.fields)) == (code, ["person"])
    assert not CardOrder.objects.filter(items__kind="letter").exists()


def test_a_protection_found_at_the_order_hides_the_person_from_then_on(world: Any, made: Made) -> None:
    """The order is placed by those alone who handle protected persons."""
    key = world.key_of(made.carrier.person)
    world.outside.change_person(key, protected_population_record=True, registered_address=None)
    with pytest.raises(NotFound):
        ordered_letter(world, made.carrier)
    assert Person.objects.get(pk=made.carrier.person_id).is_protected
    assert ordered_letter(world, made.carrier, actor=world.officer(protected=True)).state == "queued"


def test_a_card_that_is_revoked_takes_its_queued_letter_along(world: Any, made: Made) -> None:
    order = ordered_letter(world, made.carrier)
    revocation.revoke_carrier(actor=world.officer(), carrier_id=made.carrier.pk, reason="lost_or_stolen")
    assert states(order) == ("cancelled", ["cancelled"])
