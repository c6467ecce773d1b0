"""Activation and revocation of one card at once: one winner, a clear message for the other. 20 rounds, 200 with SITHS_LONG=1."""

import os
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from issuance.carriers.models import Carrier, Eid
from issuance.revocation.services import revocation, whole_person
from pki.models import Certificate
from siths_portal.lib.errors import DomainError
from tests.issuance.activation.test_activation import run_at_once
from tests.issuance.activation.test_activation_app import ready_to_sign

pytestmark = pytest.mark.usefixtures("demo_pki")
ROUNDS = 200 if os.environ.get("SITHS_LONG") else 20


def revoking(world: Any, carrier: Carrier, number: int) -> Callable[[], Any]:
    """Every second time everything of the person, with this card."""
    actor = world.officer()
    if number % 2:
        return lambda: revocation.revoke_carrier(actor=actor, carrier_id=carrier.pk, reason="lost_or_stolen")
    shown = whole_person.live_possessions(actor, carrier.holder_id).ids
    return lambda: whole_person.revoke_person(actor=actor, person_id=carrier.holder_id, shown=shown, reason="lost_or_stolen")


def told(raised: list[Exception]) -> str:
    """The error code that the loser gets; empty if the other act came first and the revocation after it."""
    assert len(raised) <= 1
    for error in raised:
        assert isinstance(error, DomainError), error
        assert error.message
        return error.code
    return ""


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_signing_and_revoking_at_once(world: Any, settings: Any) -> None:
    """Either the receipt is signed first, or the app gets an error. In both cases the certificates are revoked."""
    settings.REVOCATIONS_PER_HOUR = ROUNDS
    ends = Counter[str]()
    for number in range(ROUNDS):
        made, app = ready_to_sign(world)
        acts = [revoking(world, made.carrier, number), app.complete]
        ends[told(run_at_once(2, lambda acts=acts: acts.pop()()))] += 1
        assert made.fresh().state == "revoked"
        assert set(Eid.objects.filter(carrier=made.carrier).values_list("state", flat=True)) == {"revoked"}
        certificates = Certificate.objects.filter(carrier_ref=f"carrier:{made.carrier.pk}")
        assert set(certificates.values_list("status", flat=True)) == {"revoked"}
    print(f"signing against revoking, what the app was told: {dict(ends)}")
    assert set(ends) <= {"", "transaction-ended", "certificate-not-in-force"}
