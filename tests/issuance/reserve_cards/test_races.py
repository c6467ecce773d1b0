"""One reserve card for two persons, two second officers for one hand-out, and two officers who activate one card, at once: one
winner, a clear message for the other.

20 rounds, 200 with SITHS_LONG=1.
"""

import os
from collections.abc import Callable
from typing import Any

import pytest

from issuance.activation.models import EidAppTransaction, Statement
from issuance.activation.services import activation, activation_app
from issuance.authz import Role
from issuance.carriers.models import Eid, Receipt
from issuance.housekeeping.services.state_integrity import verify_states
from issuance.records.models.events import Event
from issuance.reserve_cards.models import ReserveCardIssue
from issuance.reserve_cards.services import approving
from siths_portal.lib.errors import Conflict, Invalid
from tests.at_once import at_once
from tests.issuance.activated import App
from tests.issuance.reserve_cards.blank import Officer, activating, hand_out, officer_with_card, proposed, stocked
from tests.issuance.revocation.test_races import race
from tests.rewinding import rewinder

pytestmark = [pytest.mark.usefixtures("demo_pki", "visits_without_limit"), pytest.mark.soak, pytest.mark.timeout(1800)]
ROUNDS = 200 if os.environ.get("SITHS_LONG") else 20


def test_binding_one_card_to_two_persons_at_once(world: Any) -> None:
    """On level 2, where the card is bound at once."""
    officer, people = world.officer(), [world.post(), world.post()]
    with at_once(2) as run:
        for blank in stocked(world, ROUNDS):
            posts = list(people)
            (told,) = run(lambda blank=blank, posts=posts: hand_out(blank, posts.pop(), officer))
            assert isinstance(told, Invalid), told
            assert told.code == "card-not-usable"
            assert blank.carrier.person_id == Eid.objects.get(carrier=blank.carrier).post.person_id
    assert ReserveCardIssue.objects.count() == ROUNDS
    assert verify_states().wrong == ()


def test_two_second_officers_at_once(world: Any) -> None:
    """Both have signed the same hand-out in the app; the card is bound once, and one signature is stored."""
    (blank,) = stocked(world, 1)
    first = officer_with_card(world, world.officer())
    others = (world.officer(role=Role.RESERVE_CARD_ADMIN_LOA3), world.officer(protected=True))
    proposal = proposed(blank, world.post(), first)
    signatures = [_signature(officer_with_card(world, other), proposal) for other in others]
    rewind = rewinder()
    with at_once(2) as run:
        for _ in range(ROUNDS):
            rewind()
            ready = list(signatures)
            (told,) = run(lambda ready=ready: ready.pop()())
            assert isinstance(told, Conflict), told
            assert told.code == "reserve-issue-ended"
            issue = ReserveCardIssue.objects.get(pk=proposal.pk)
            assert (issue.state, blank.carrier.person_id) == ("bound", issue.person_id)
            signed = Statement.objects.filter(subject_ref=issue.pk).exclude(signed_at=None)
            assert set(signed) == {issue.first_statement, issue.second_statement}
    assert verify_states().wrong == ()


def test_one_card_is_activated_at_once(world: Any) -> None:
    """By two officers, and signed twice as by an app that repeats its call."""
    officers = (world.officer(), world.officer(role=Role.DEPUTY_ISSUER))
    (blank,) = stocked(world, 1)
    hand_out(blank, world.post(), officers[0])
    carrier_id = blank.carrier.pk

    def one_is_open() -> None:
        assert EidAppTransaction.objects.filter(carrier=carrier_id, state="created").count() == 1

    visits = [
        lambda actor=actor: activation.identify(actor=actor, carrier_id=carrier_id, identity_document="passport")
        for actor in officers
    ]
    assert set(race(visits, one_is_open, rounds=ROUNDS)) <= {"", "activation-under-way"}
    step = activating(blank, officers[0])
    signature = blank.sign(step.certify().signed_attributes)
    activation_app.set_code(step_token=step.app.token)

    def is_in_use() -> None:
        assert (blank.carrier.state, Receipt.objects.filter(carrier=carrier_id).count()) == ("active", 1)
        assert Event.objects.filter(action="carrier.activated", subject_ref=str(carrier_id)).count() == 1

    def sign() -> Any:
        return activation_app.complete(step_token=step.app.token, signature=signature)

    assert set(race([sign, sign], is_in_use, rounds=ROUNDS // 2)) == {""}, "the same signature has the same answer"


def _signature(officer: Officer, issue: ReserveCardIssue) -> Callable[[], Any]:
    """The last step of a second officer's signature."""
    opened = approving.approve(
        actor=officer.actor, issue_id=issue.pk, serial=issue.carrier.card_serial, identity_document="passport"
    )
    app = App(officer.made)
    signature = officer.made.keys.sign(app.start(opened).statement)
    return lambda: activation_app.complete(step_token=app.token, signature=signature)
