"""Whole lives of persons with several carriers of every kind, as a walk of rules against a model: the services, a real PKI with
its worker's part done at once, and the holders' apps. 3 walks of 15 acts, with SITHS_LONG=1 (`make soak`) 200 of 40.
"""

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from issuance.authz import Role
from issuance.people.models.persons import Person
from issuance.people.services.people import person_id_of
from tests.issuance.carriers import making
from tests.issuance.carriers.acts import REVOCATION
from tests.issuance.carriers.end_rules import EndRules
from tests.issuance.carriers.model import Card
from tests.issuance.carriers.walking import Scene
from tests.issuance.reserve_cards.blank import officer_with_card
from tests.portal import portal_client
from tests.rewinding import rewinder

LONG = bool(os.environ.get("SITHS_LONG"))
pytestmark = [
    pytest.mark.usefixtures("demo_pki", "visits_without_limit"),
    pytest.mark.soak,
    pytest.mark.timeout(7200 if LONG else 300),
]
WALKS, ACTS, CARDS = (200, 40, 6) if LONG else (3, 15, 4)


@pytest.fixture
def scene(world: Any, demo_pki: Any, settings: Any, tmp_path: Path) -> Scene:
    """Three persons, and two officers; nothing is ordered yet. No limit of a day or an hour stops a walk."""
    making.prepare_all_kinds(world, demo_pki, settings, tmp_path)
    settings.SECRET_DELIVERIES_PER_DAY = settings.REVOCATIONS_PER_HOUR = 10_000
    people = []
    for _ in range(3):
        post = world.post()
        making.book(post, settings)
        people.append((post, world.post(world.clinic, person_id=person_id_of(post.person_id))))
    first = officer_with_card(world, world.officer(), keys=making.new_keys())
    second = officer_with_card(world, world.officer(role=Role.RESERVE_CARD_ADMIN_LOA3), keys=making.new_keys())
    portal_client(Person.objects.get(pk=first.actor.person_id))  # an unlocking needs a log-in just before
    return Scene(world, demo_pki, people, first, second, rewinder(), CARDS)


def machine(scene: Scene) -> type[EndRules]:
    """The walk on this ground."""
    return type("Lives", (EndRules,), {"scene": scene})


def test_whole_lives_agree_with_a_model(scene: Scene) -> None:
    run_state_machine_as_test(
        machine(scene),
        settings=settings(
            max_examples=WALKS,
            stateful_step_count=ACTS,
            derandomize=not LONG,
            database=None,
            phases=[Phase.generate, Phase.shrink] if LONG else [Phase.generate],
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_a_life_with_every_rule(scene: Scene) -> None:
    """Each rule at least once, so that no walk's luck decides what is tried."""
    walk, done = machine(scene)(), set[str]()

    def then(name: str, card: Card | None = None, **drawn: Any) -> Card:
        done.add(name)
        found = getattr(walk, name)
        found(**drawn) if card is None else found.act(walk, card, **drawn)
        walk.states_and_events_agree()
        return walk.model.cards[-1]

    old = then("order", person=0, article="631")
    then("make", old, until="sent")
    then("visit", old, until="code_set")
    then("block", old)
    then("visit", old, until="signed")
    then("unlock", old)
    then("order_letter", old)
    then("withdraw_letter", old)
    then("order_further_eid", old)
    then("withdraw_eid_order", old)
    then("order_further_eid", old)
    lost = then("replace", old, reason="damaged")
    then("make", lost, until="sent")
    then("come_back", lost)
    new = then("make_again", lost)
    then("make", new, until="sent")
    then("visit", new, until="signed")
    assert (old.state, lost.state, new.state) == ("revoked", "revoked", "active")
    reserve = then("order_bundle")
    then("make", reserve, until="sent")
    then("miss_parcel", reserve)
    then("find_or_lose", reserve, action="found")
    then("hand_out", reserve, person=1, by_two=False)
    then("visit", reserve, until="signed")
    then("expire_eid", reserve)
    then("hand_out", reserve, person=1, by_two=True)
    then("revoke_eid", reserve, reason="damaged")
    then("expire", new)
    assert reserve.state == "revoked"
    stocked = then("order_bundle")
    then("make", stocked, until="sent")
    then("receive", stocked)
    then("lose_from_stock", stocked, action="lost")
    then("withdraw", then("order", person=2, article="631"))
    failed = then("order", person=2, article=making.TEST_CARD)
    then("make", failed, until="produced")
    then("revoke_certificates", failed)
    spoilt = then("order", person=2, article="631")
    then("fail", spoilt)
    then("revoke", then("migrate", person=2), reason="lost_or_stolen")
    mobile = then("have_mobile", person=2, is_in_use=False)
    then("choose_code_of_mobile", mobile)
    then("try_and_undo", then("have_mobile", person=2, is_in_use=True), act=REVOCATION)
    then("revoke_everything", person=2)
    assert done == {rule.function.__name__ for rule in walk.rules}
    walk.teardown()
