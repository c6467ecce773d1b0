"""Revocation is final, complete and repeatable; who may, and with which reasons (rules/issuance 6)."""

import datetime as dt
import threading
import uuid
from typing import Any

import pytest
from django.db import connection

from issuance.authz import Role, system
from issuance.carriers.models import Carrier, Eid
from issuance.imports.services import migration
from issuance.orders.models.orders import CardOrder
from issuance.people.models.persons import Post
from issuance.records.models.events import Event
from issuance.revocation.domain import RFC_5280, SWEDISH, SYSTEM_REASONS, RevocationReason
from issuance.revocation.services import revocation
from pki.models import Certificate, Revocation
from pki.models import RevocationReason as Rfc5280
from siths_portal.lib import clock
from siths_portal.lib.errors import Forbidden, IllegalTransition, Invalid, NotFound
from tests.faults.tally import Tally
from tests.issuance.migrated import CA, migrated_card

pytestmark = pytest.mark.usefixtures("authorities")
LOST = RevocationReason.LOST_OR_STOLEN


def active(world: Any, post: Post | None = None) -> Carrier:
    return migration.register_migrated_card(actor=system("migration"), card=migrated_card(post or world.post()), ca=CA)


def test_every_reason_has_its_words_and_its_rfc_5280_name() -> None:
    assert set(RFC_5280) == set(SWEDISH) == set(RevocationReason)
    assert set(RFC_5280.values()) <= set(Rfc5280.values)
    assert "certificateHold" not in RFC_5280.values()


def test_everything_on_the_carrier_is_revoked(world: Any) -> None:
    carrier, other = active(world), active(world)
    actor = world.officer()
    received = clock.now() - dt.timedelta(hours=3)
    revocation.revoke_carrier(
        actor=actor, carrier_id=carrier.id, reason=LOST, justification="Blankett under avbrottet", received_at=received
    )
    carrier.refresh_from_db()
    assert (carrier.state, carrier.revocation_reason, carrier.ended_at is not None) == ("revoked", LOST, True)
    assert carrier.eids.get().state == "revoked"
    certificates = Certificate.objects.filter(carrier_ref=f"carrier:{carrier.id}")
    assert {(row.status, row.reason) for row in certificates} == {("revoked", "keyCompromise")}
    assert certificates.count() == 4
    assert {(row.received_at, row.requester, row.channel) for row in Revocation.objects.all()} == {
        (received, actor.ref, "portal")
    }
    event = Event.objects.get(action="carrier.revoked")
    assert (event.actor_ref, event.facts["reason"], event.facts["received_at"]) == (actor.ref, LOST, received.isoformat())
    other.refresh_from_db()
    assert (other.state, other.eids.get().state) == ("active", "active")
    assert set(Certificate.objects.filter(carrier_ref=f"carrier:{other.id}").values_list("status", flat=True)) == {"issued"}


def test_a_request_keeps_who_asked_and_how(world: Any) -> None:
    """The minimum fields of a written request (rules/issuance 6.2), on the carrier's event and on each eID's."""
    carrier = active(world)
    revocation.revoke_carrier(
        actor=world.officer(), carrier_id=carrier.id, reason=LOST, requester="organisation", requester_name="Chef Chefsson",
        channel="phone",
    )  # fmt: skip
    for action in ("carrier.revoked", "eid.revoked"):
        facts = Event.objects.get(action=action).facts
        assert (facts["requester"], facts["requester_name"], facts["request_channel"]) == (
            "organisation", "Chef Chefsson", "phone",
        )  # fmt: skip


def test_every_fault_of_a_request_stands_at_its_field(world: Any) -> None:
    with pytest.raises(Invalid) as refused:
        revocation.revoke_carrier(
            actor=world.officer(), carrier_id=active(world).id, reason="other", requester="other", channel="x"
        )
    assert set(refused.value.fields) == {"justification", "requester_name", "channel"}


def test_again_changes_nothing(world: Any) -> None:
    carrier, actor = active(world), world.officer()
    for reason in (LOST, RevocationReason.REPLACED):
        revocation.revoke_carrier(actor=actor, carrier_id=carrier.id, reason=reason)
    carrier.refresh_from_db()
    assert (carrier.revocation_reason, carrier.seq) == (LOST, 2)
    assert Event.objects.filter(action="carrier.revoked").count() == 1
    assert Revocation.objects.count() == 4


def test_one_eid_leaves_the_carrier_and_the_other_eids(world: Any) -> None:
    carrier = active(world)
    eid = carrier.eids.get()
    post = world.post(world.city)
    extra = Eid.objects.create(
        carrier=carrier, post=post, organisation=world.city, hsa_id=post.hsa_id, state="active", activated_at=clock.now(),
        valid_from=eid.valid_from, valid_to=eid.valid_to, seq=1, created_at=clock.now(),
    )  # fmt: skip
    revocation.revoke_eid(actor=world.officer(), eid_id=eid.id, reason=RevocationReason.ASSIGNMENT_ENDED)
    revocation.revoke_eid(actor=world.officer(), eid_id=eid.id, reason=RevocationReason.ASSIGNMENT_ENDED)
    assert [Eid.objects.get(pk=pk).state for pk in (eid.pk, extra.pk)] == ["revoked", "active"]
    assert Carrier.objects.get().state == "active"
    by_status = {row.profile: Certificate.objects.get(pk=row.pk).status for row in carrier.certificates.all()}
    assert by_status == {
        "person-hsaid-auth": "revoked", "person-hsaid-sign": "revoked", "person-id-auth": "issued", "person-id-sign": "issued",
    }  # fmt: skip
    assert Event.objects.filter(action="eid.revoked").count() == 1


def test_a_queued_order_is_cancelled_with_its_carrier(world: Any) -> None:
    order = world.order()
    revocation.revoke_carrier(actor=world.officer(), carrier_id=order.carrier_id, reason=RevocationReason.WRONGLY_ISSUED)
    assert (CardOrder.objects.get().state, Carrier.objects.get().state, Eid.objects.get().state) == (
        "cancelled", "revoked", "revoked",
    )  # fmt: skip


@pytest.mark.parametrize("state", ["expired", "cancelled"])
def test_what_is_over_is_not_revoked(world: Any, state: str) -> None:
    carrier = active(world)
    Carrier.objects.update(state=state)
    with pytest.raises(IllegalTransition, match=f"carrier-{state}"):
        revocation.revoke_carrier(actor=world.officer(), carrier_id=carrier.id, reason=LOST)
    assert not Revocation.objects.exists()


class TestAuthority:
    """Who may revoke what."""

    def test_roles(self, world: Any) -> None:
        for role in (Role.REVOKER, Role.GLOBAL_REVOKER, Role.MASTER_DATA_ADMIN, Role.RESERVE_CARD_ADMIN_LOA2):
            carrier = active(world)
            revocation.revoke_carrier(actor=world.officer(role=role), carrier_id=carrier.id, reason=LOST)
        carrier = active(world)
        for role in (Role.READER, Role.GLOBAL_READER):
            with pytest.raises(Forbidden):
                revocation.revoke_carrier(actor=world.officer(role=role), carrier_id=carrier.id, reason=LOST)
            with pytest.raises(Forbidden):
                revocation.revoke_eid(actor=world.officer(role=role), eid_id=carrier.eids.get().id, reason=LOST)
        assert Carrier.objects.filter(state="active").count() == 1

    def test_scope_and_protection(self, world: Any) -> None:
        carrier, hidden = active(world), active(world, world.post(protected=True))
        attempts = [(world.officer(world.city), carrier.id), (world.officer(), hidden.id), (world.officer(), uuid.uuid4())]
        for actor, pk in attempts:
            with pytest.raises(NotFound):
                revocation.revoke_carrier(actor=actor, carrier_id=pk, reason=LOST)
        revocation.revoke_carrier(actor=world.officer(protected=True), carrier_id=hidden.id, reason=LOST)

    def test_ones_own_card_may_be_revoked(self, world: Any) -> None:
        officer = world.officer()
        carrier = active(world, Post.objects.get(person_id=officer.person_id))
        assert revocation.revoke_carrier(actor=officer, carrier_id=carrier.id, reason=LOST).state == "revoked"


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"reason": "certificateHold"}, "unknown-reason"),
    ({"reason": ""}, "unknown-reason"),
    *[({"reason": reason.value}, "unknown-reason") for reason in sorted(SYSTEM_REASONS)],
    ({"reason": "other"}, "justification-missing"),
    ({"reason": "other", "justification": "  "}, "justification-missing"),
    ({"reason": "replaced", "justification": "x" * 1001}, "justification-too-long"),
    ({"reason": "replaced", "received_at": dt.datetime(2999, 1, 1, tzinfo=dt.UTC)}, "received-in-future"),
    ({"reason": "replaced", "received_at": dt.datetime(2020, 1, 1)}, "received-in-future"),  # noqa: DTZ001
    ({"reason": "replaced", "received_at": dt.datetime(1, 1, 1, tzinfo=clock.STOCKHOLM)}, "received-too-early"),
    ({"reason": "replaced", "received_at": clock.now() - dt.timedelta(days=367)}, "received-too-early"),
    ({"reason": "replaced", "received_at": clock.now() - dt.timedelta(days=115)}, "received-before-carrier"),
    ({"reason": "replaced", "requester": "neighbour"}, "unknown-requester"),
    ({"reason": "replaced", "requester": "organisation"}, "requester-name-missing"),
    ({"reason": "replaced", "requester": "other", "requester_name": " "}, "requester-name-missing"),
    ({"reason": "replaced", "requester": "other", "requester_name": "x" * 201}, "requester-name-too-long"),
    ({"reason": "replaced", "channel": "pigeon"}, "unknown-channel"),
]


def test_a_request_has_a_form(world: Any, subtests: pytest.Subtests) -> None:
    """One card for all, since none of the requests may touch it."""
    carrier, officer = active(world), world.officer()
    for number, (arguments, code) in enumerate(REFUSED):
        with subtests.test(number=number, code=code):
            with pytest.raises(Invalid) as refused:
                revocation.revoke_carrier(actor=officer, carrier_id=carrier.id, **arguments)
            assert refused.value.code == code
            assert Carrier.objects.get().state == "active"


def test_no_request_for_an_eid_is_older_than_its_carrier(world: Any) -> None:
    carrier = active(world)
    with pytest.raises(Invalid) as refused:
        revocation.revoke_eid(
            actor=world.officer(), eid_id=carrier.eids.get().id, reason=LOST, received_at=clock.now() - dt.timedelta(days=115)
        )
    assert (refused.value.code, set(refused.value.fields)) == ("received-before-carrier", {"received_at"})
    assert carrier.eids.get().state == "active"


def test_eight_threads_revoke_once(world: Any, tally: Tally) -> None:
    """All eight succeed, one did it: one event, one step, four certificates."""
    carrier, actor = active(world), world.officer()
    start, states, errors = threading.Barrier(8), [], []

    def revoke() -> None:
        start.wait()
        try:
            states.append(revocation.revoke_carrier(actor=actor, carrier_id=carrier.id, reason=LOST).state)
        except Exception as error:  # noqa: BLE001
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=revoke) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (states, errors) == (["revoked"] * 8, [])
    assert Carrier.objects.get().seq == 2
    assert Event.objects.filter(action="carrier.revoked").count() == 1
    assert Event.objects.filter(action="eid.revoked").count() == 1
    assert Revocation.objects.count() == 4
    events = Event.objects.filter(action__in=["carrier.revoked", "eid.revoked"]).values_list("action", flat=True)
    tally.run(["carrier.revoked", "eid.revoked"], events, "revocations")


def test_revoking_and_expiring_at_once_has_one_winner(world: Any) -> None:
    """Two transitions that exclude each other, four threads each, by services alone."""
    from issuance.housekeeping.services import deadlines

    carrier, actor = active(world), world.officer()
    Carrier.objects.update(valid_to=clock.now())
    start, refused = threading.Barrier(8), []

    def act(number: int) -> None:
        start.wait()
        try:
            if number % 2:
                revocation.revoke_carrier(actor=actor, carrier_id=carrier.id, reason=LOST)
            else:
                deadlines.run()
        except IllegalTransition:
            refused.append(number)
        finally:
            connection.close()

    threads = [threading.Thread(target=act, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    carrier.refresh_from_db()
    actions = set(Event.objects.filter(subject_type="carrier").values_list("action", flat=True)) - {"carrier.migrated"}
    assert actions == {f"carrier.{carrier.state}"}
    assert carrier.seq == 2
    assert len(refused) == (0 if carrier.state == "revoked" else 4)
