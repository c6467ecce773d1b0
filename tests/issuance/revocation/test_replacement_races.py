"""Two replacements of one card at once, and two activations of its replacement: one winner, a clear message for the other.
20 rounds, 200 with SITHS_LONG=1.
"""

import os
from collections import Counter
from typing import Any

import pytest

from issuance.authz import Actor, Role
from issuance.carriers.models import Carrier
from issuance.orders.models.drafts import OrderDraft
from issuance.orders.models.orders import CardOrder
from issuance.orders.services import drafts, ordering
from issuance.revocation.services import whole_person
from siths_portal.lib.errors import DomainError
from tests.issuance.activated import activated_card, identify, make_card
from tests.issuance.activation.test_activation import run_at_once
from tests.issuance.orders.test_replacements import ordered, ready, started

pytestmark = [pytest.mark.usefixtures("demo_pki"), pytest.mark.soak, pytest.mark.timeout(1800)]
ROUNDS = 200 if os.environ.get("SITHS_LONG") else 20


def told(raised: list[Exception]) -> str:
    """What the loser is told; empty if both came through, one after the other."""
    assert len(raised) <= 1
    for error in raised:
        assert isinstance(error, DomainError), error
        assert error.message
        return error.code
    return ""


def test_two_clerks_replace_one_card(world: Any, settings: Any) -> None:
    """One order is made, whatever the reasons are. A card that is lost is revoked also by the one who comes second."""
    settings.REVOCATIONS_PER_HOUR = 2 * ROUNDS
    clerks = [world.officer(), world.officer(role=Role.DEPUTY_ISSUER)]
    old = activated_card(world).carrier
    ends = Counter[str]()
    for number in range(ROUNDS):
        reasons = ("damaged", "lost") if number == ROUNDS - 1 else ("damaged", "changed_details")
        made = [started(world, old, reason, actor=clerk) for clerk, reason in zip(clerks, reasons, strict=True)]
        acts = list(zip(made, clerks, strict=True))
        ends[told(run_at_once(2, lambda acts=acts: ordered(*acts.pop())))] += 1
        live = CardOrder.objects.filter(replaced_carrier=old, state="queued").get()
        ordering.cancel_order(actor=clerks[0], order_id=live.pk)
        for draft in OrderDraft.objects.filter(state="open"):
            clerk = next(each for each in clerks if each.ref == draft.owner_ref)
            drafts.restart(actor=clerk, draft_id=draft.pk)
    print(f"replacing against replacing, what the second was told: {dict(ends)}")
    assert set(ends) == {"card-already-replaced"}
    assert Carrier.objects.get(pk=old.pk).state in ("active", "revoked")


def test_the_new_card_is_signed_twice_at_once(world: Any) -> None:
    """As an app that repeats its call does: one activation and one revocation of the old card."""
    ends = Counter[str]()
    for _ in range(ROUNDS):
        old = activated_card(world, world.post())
        order = ordered(started(world, old.carrier, "damaged"), world.officer()).order
        new = make_card(order)
        app = ready(world, new)
        ends[told(run_at_once(2, app.complete))] += 1
        assert (old.fresh().state, new.fresh().state) == ("revoked", "active")
    assert set(ends) == {""}, "a repetition with the same signature has the same answer"


def test_two_clerks_activate_the_new_card(world: Any) -> None:
    """Both identify the holder at once: one transaction is opened, and the other clerk is told or supersedes it unstarted."""
    clerks = [world.officer(), world.officer(role=Role.DEPUTY_ISSUER)]
    old = activated_card(world)
    new = make_card(ordered(started(world, old.carrier, "damaged"), clerks[0]).order)
    for _ in range(ROUNDS):
        acts = list(clerks)
        raised = run_at_once(2, lambda acts=acts: identify(world, new, actor=acts.pop()))
        assert told(raised) in ("", "activation-under-way")
        open_now = [row for row in new.fresh().transactions.all() if row.state == "created"]
        assert len(open_now) == 1


def test_the_new_card_is_signed_while_everything_is_revoked(world: Any, settings: Any) -> None:
    """Both lock both cards, in the same order: none waits for ever, and both cards agree with who came first."""
    settings.REVOCATIONS_PER_HOUR = ROUNDS + 1
    ends = Counter[str]()
    for _ in range(ROUNDS):
        old = activated_card(world, world.post())
        new = make_card(ordered(started(world, old.carrier, "damaged"), world.officer()).order)
        app = ready(world, new)
        actor, person_id = world.officer(), old.carrier.holder_id
        shown = whole_person.live_possessions(actor, person_id).ids

        def revoke(actor: Actor = actor, person_id: Any = person_id, shown: Any = shown) -> None:
            whole_person.revoke_person(actor=actor, person_id=person_id, shown=shown, reason="suspected_misuse")

        acts = [revoke, app.complete]
        ends[told(run_at_once(2, lambda acts=acts: acts.pop()()))] += 1
        assert (old.fresh().state, new.fresh().state) == ("revoked", "revoked")
    print(f"signing against revoking everything, what the app was told: {dict(ends)}")
    assert set(ends) <= {"", "transaction-ended", "certificate-not-in-force"}
