"""Activation, revocation and replacement at once: one winner, a clear message for the other. 20 rounds, 200 with SITHS_LONG=1.

The cards of a race are made once, and each round begins with the same rows.
"""

import os
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from issuance.activation.models import EidAppTransaction
from issuance.authz import Role
from issuance.carriers.models import Carrier, Eid
from issuance.orders.models.orders import CardOrder
from issuance.revocation.services import revocation, whole_person
from pki.models import Certificate
from siths_portal.lib.errors import DomainError
from tests.at_once import at_once
from tests.issuance.activated import Made, activated_card, identify, make_card, sent_card
from tests.issuance.activation.test_activation_app import ready_to_sign
from tests.issuance.orders.test_replacements import ordered, ready, started
from tests.rewinding import rewinder

pytestmark = [pytest.mark.usefixtures("demo_pki", "visits_without_limit"), pytest.mark.soak, pytest.mark.timeout(1800)]
ROUNDS = 200 if os.environ.get("SITHS_LONG") else 20
type Act = Callable[[], Any]


def race(acts: Sequence[Act], check: Callable[[], None], *, rounds: int = ROUNDS) -> Counter[str]:
    """Runs the acts at once, and then `check`, in every round. Returns how often the loser was told which error code; empty if
    one act came through after the other.
    """
    rewind, ends = rewinder(), Counter[str]()
    with at_once(len(acts)) as run:
        for _ in range(rounds):
            waiting = list(acts)
            ends[told(run(lambda waiting=waiting: waiting.pop()()))] += 1
            check()
            rewind()
    return ends


def told(raised: list[BaseException]) -> str:
    """The error code that the loser gets."""
    assert len(raised) <= 1
    for error in raised:
        assert isinstance(error, DomainError), error
        assert error.message
        return error.code
    return ""


def revoking_card(world: Any, carrier: Carrier) -> Act:
    actor = world.officer()
    return lambda: revocation.revoke_carrier(actor=actor, carrier_id=carrier.pk, reason="lost_or_stolen")


def revoking_everything(world: Any, carrier: Carrier) -> Act:
    """Everything of the person, with this card."""
    actor = world.officer()
    shown = whole_person.live_possessions(actor, carrier.holder_id).ids
    return lambda: whole_person.revoke_person(actor=actor, person_id=carrier.holder_id, shown=shown, reason="lost_or_stolen")


def require_revoked(made: Made) -> None:
    """The card, its eIDs and its certificates."""
    assert made.fresh().state == "revoked"
    assert set(Eid.objects.filter(carrier=made.carrier).values_list("state", flat=True)) == {"revoked"}
    certificates = Certificate.objects.filter(carrier_ref=f"carrier:{made.carrier.pk}")
    assert set(certificates.values_list("status", flat=True)) == {"revoked"}


@pytest.mark.parametrize("revoking", [revoking_card, revoking_everything])
def test_signing_and_revoking_at_once(world: Any, revoking: Callable[[Any, Carrier], Act]) -> None:
    """Either the receipt is signed first, or the app gets an error. In both cases the certificates are revoked."""
    made, app = ready_to_sign(world)
    ends = race([revoking(world, made.carrier), app.complete], lambda: require_revoked(made), rounds=ROUNDS // 2)
    print(f"signing against revoking, what the app was told: {dict(ends)}")
    assert set(ends) <= {"", "transaction-ended", "certificate-not-in-force"}


def test_identifying_and_revoking_at_once(world: Any) -> None:
    """Either the card is revoked first and nobody is identified, or the revocation ends what the identification opened."""
    made = sent_card(world)
    clerk = world.officer(role=Role.DEPUTY_ISSUER)

    def check() -> None:
        require_revoked(made)
        assert not EidAppTransaction.objects.filter(carrier=made.carrier, state="created").exists()

    ends = race([revoking_card(world, made.carrier), lambda: identify(world, made, actor=clerk)], check)
    print(f"identifying against revoking, what the clerk was told: {dict(ends)}")
    assert set(ends) <= {"", "carrier-revoked"}


@pytest.mark.parametrize("reasons", [("damaged", "changed_details"), ("damaged", "lost")])
def test_two_clerks_replace_one_card(world: Any, reasons: tuple[str, str]) -> None:
    """One order is made, whatever the reasons are. A card that is lost is revoked also by the one who comes second."""
    clerks = [world.officer(), world.officer(role=Role.DEPUTY_ISSUER)]
    old = activated_card(world)
    drafts = [started(world, old.carrier, reason, actor=clerk) for clerk, reason in zip(clerks, reasons, strict=True)]

    def check() -> None:
        assert CardOrder.objects.filter(replaced_carrier=old.carrier).count() == 1
        assert old.fresh().state == ("revoked" if "lost" in reasons else "active")

    acts = [lambda draft=draft, clerk=clerk: ordered(draft, clerk) for draft, clerk in zip(drafts, clerks, strict=True)]
    ends = race(acts, check, rounds=ROUNDS // 2)
    print(f"replacing against replacing, what the second was told: {dict(ends)}")
    assert set(ends) == {"card-already-replaced"}


def test_the_new_card_at_once(world: Any) -> None:
    """It is activated by two clerks, signed twice as by an app that repeats its call, and signed while everything is revoked."""
    clerks = [world.officer(), world.officer(role=Role.DEPUTY_ISSUER)]
    old = activated_card(world)
    new = make_card(ordered(started(world, old.carrier, "damaged"), clerks[0]).order)

    def one_is_open() -> None:
        assert EidAppTransaction.objects.filter(carrier=new.carrier, state="created").count() == 1

    ends = race([lambda clerk=clerk: identify(world, new, actor=clerk) for clerk in clerks], one_is_open)
    print(f"activating against activating, what the second was told: {dict(ends)}")
    assert set(ends) <= {"", "activation-under-way"}
    app = ready(world, new)

    def both_changed() -> None:
        assert (old.fresh().state, new.fresh().state) == ("revoked", "active")

    assert set(race([app.complete, app.complete], both_changed)) == {""}, "the same signature has the same answer"

    def both_revoked() -> None:
        require_revoked(old)
        require_revoked(new)

    ends = race([revoking_everything(world, old.carrier), app.complete], both_revoked)
    print(f"signing against revoking everything, what the app was told: {dict(ends)}")
    assert set(ends) <= {"", "transaction-ended", "certificate-not-in-force"}
