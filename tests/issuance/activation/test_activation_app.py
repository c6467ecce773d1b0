"""The eID app's side of activation: the card in the reader is the proof, and whoever lacks it gets and changes nothing."""

import datetime as dt
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
from django.db import transaction as database
from joserfc.jwk import ECKey

from issuance.activation.models import EidAppTransaction, PreparedReceipt
from issuance.activation.services import activation, activation_app
from issuance.activation.services.card_proofs import Proof
from issuance.authz import Role
from issuance.carriers.models import Eid, Receipt
from issuance.notices.models import EidNotice
from issuance.people.models.persons import Post
from issuance.records.models.events import Document, Event
from issuance.revocation.services import revocation
from issuance.roles.models.grants import RoleGrant
from issuance.roles.services import role_assignment
from pki import service as pki
from pki.issuing import signing
from pki.models import Event as PkiEvent
from pki.models import SecretDelivery
from pki.secrets import delivering
from siths_portal.lib import clock
from siths_portal.lib.canonical import canonical_json
from siths_portal.lib.errors import Conflict, Invalid, TooManyRequests, Unauthenticated
from siths_portal.simulators.card import Card, new_serial
from tests.at_once import run_at_once
from tests.faults.tally import Tally
from tests.issuance import activated
from tests.issuance.activated import CODE, PUK, TRANSPORT, App, Keys, Made, Plastic, identify, reopened, sent_card, unsigned_card
from tests.issuance.activation.test_activation import MINUTE
from tests.issuance.world import SETUP
from tests.pki import every_card
from tests.pki.orders import order, plan

pytestmark = pytest.mark.usefixtures("demo_pki")


@cache
def another_card() -> Keys:
    """A card that the portal does not know. RSA keys take long to make, so all tests have the same."""
    return Keys()


def untouched(made: Made) -> bool:
    """The card is as it was sent, and nothing of its PUK has left."""
    return made.fresh().state == "sent" and not SecretDelivery.objects.exists() and not Receipt.objects.exists()


# --- start ----------------------------------------------------------------------------------------------------------------


def test_a_proven_card_gets_what_to_show_and_what_to_sign(world: Any) -> None:
    made = sent_card(world)
    opened, app = identify(world, made), App(made)
    started = app.start(opened)
    assert started.kind == "activate"
    assert set(app.secrets) == {"step_token", "puk"}
    assert "Allmänna villkor" in started.texts.terms
    assert "aktiverar SITHS eID" in started.texts.sign_message
    assert started.pdf.startswith(b"%PDF")
    assert app.token not in repr(started) + str(list(Event.objects.values_list("facts", flat=True)))
    row = activated.transaction(opened)
    assert row.step_token_sha256 == SecretDelivery.objects.get().token_sha256
    assert row.ephemeral_key == app.jwk
    assert round((row.expires_at - row.started_at).total_seconds()) == 900


def test_the_puks_reading_is_told_of_with_holder_and_purpose(world: Any) -> None:
    made = sent_card(world)
    App(made).start(identify(world, made))
    event = PkiEvent.objects.get(action="secret.opening")
    assert event.actor_ref == f"holder:{made.carrier.person_id}"
    assert event.subject_ref == str(made.carrier.puk_secret_id)
    assert event.facts["purpose"] == "activation"


def test_without_the_worker_the_answer_waits_and_the_same_body_gets_it(world: Any) -> None:
    made = sent_card(world)
    opened, app = identify(world, made), App(made)
    proof = app.proof(opened)
    for _ in range(3):
        assert activation_app.start(handle=opened.handle, proof=proof) is None
    assert SecretDelivery.objects.count() == 1
    delivering.deliver_secrets()
    first = activation_app.start(handle=opened.handle, proof=proof)
    assert first == activation_app.start(handle=opened.handle, proof=proof)
    assert first == activation_app.start(handle=opened.handle, proof=app.proof(opened))  # ECDSA signs anew each time
    assert Event.objects.filter(action="transaction.started").count() == 1


def test_another_key_is_told_that_it_came_late(world: Any) -> None:
    made = sent_card(world)
    opened, app, other = identify(world, made), App(made), App(made)
    app.start(opened)
    with pytest.raises(Conflict, match="key-mismatch"):
        other.start(opened)
    assert activated.transaction(opened).wrong_proofs == 0
    app.set_code()


def test_eight_windows_at_once_start_one(world: Any) -> None:
    made = sent_card(world)
    opened = identify(world, made)
    proofs = [App(made).proof(opened) for _ in range(8)]
    raised = run_at_once(8, lambda: activation_app.start(handle=opened.handle, proof=proofs.pop()))
    assert [error.code for error in raised] == ["key-mismatch"] * 7
    assert SecretDelivery.objects.count() == 1


def _changed(proof: Proof, **values: Any) -> Proof:
    return Proof(**{name: values.get(name, getattr(proof, name)) for name in Proof.__dataclass_fields__})


def _by_another_card(app: App, opened: Any) -> Proof:
    return App(Made(another_card(), app.made.carrier, app.made.order)).proof(opened)


def _with_transport(app: App, opened: Any) -> Proof:
    """A genuine transport certificate of a reserve card stands for one of the card's own."""
    ids = plan(order("transport"))
    with every_card.connected():
        assert signing.sign_reserved(ids) == 1
    (view,) = pki.certificates(ids)
    return _changed(app.proof(opened), certificates=app.made.certificates | {"person-hsaid-auth": view.der})


REFUSED: list[tuple[Callable[[App, Any], Proof], str]] = [
    (_with_transport, "wrong-card"),
    (_by_another_card, "wrong-card"),
    (lambda app, opened: app.proof(opened, card_serial="9752" + "1" * 15), "wrong-card"),
    (lambda app, opened: _changed(app.proof(opened), certificates={}), "wrong-card"),
    (
        lambda app, opened: _changed(
            app.proof(opened), certificates=app.made.certificates | {"person-id-sign": app.made.certificates["person-id-auth"]}
        ),
        "wrong-card",
    ),
    (lambda app, opened: _changed(app.proof(opened), signature=another_card().prove(b"x")), "proof-refused"),
    (lambda app, opened: _changed(app.proof(opened), signature=b"no signature"), "proof-refused"),
    (lambda app, opened: _changed(app.proof(opened), ephemeral_key=App(app.made).jwk), "proof-refused"),
    (lambda app, opened: app.proof(opened, handle="act." + "A" * 22), "proof-refused"),
    (lambda app, opened: app.proof(opened, kind="sign"), "proof-refused"),
    (lambda app, opened: app.proof(opened, extra="1"), "proof-refused"),
    (lambda app, opened: _changed(app.proof(opened), origin="https://evil.example.org"), "proof-refused"),
    (lambda app, opened: app.proof(opened, origin="https://evil.example.org"), "wrong-origin"),
    (lambda app, opened: app.proof(opened, origin=""), "wrong-origin"),
]


@pytest.mark.parametrize(("made_wrong", "code"), REFUSED)
def test_proofs_that_are_refused(world: Any, made_wrong: Callable[..., Proof], code: str) -> None:
    made = sent_card(world)
    opened = identify(world, made)
    with pytest.raises(Conflict, match=code):
        activation_app.start(handle=opened.handle, proof=made_wrong(App(made), opened))
    assert untouched(made)
    row = activated.transaction(opened)
    assert (row.state, row.wrong_proofs) == ("created", 1)
    assert Event.objects.get(action="transaction.proof_refused").facts == {"reason": code, "count": 1}
    App(made).start(opened)  # the right card goes on


def test_a_thief_of_the_handle_cannot_end_the_transaction(world: Any, settings: Any) -> None:
    made = sent_card(world)
    opened, app = identify(world, made), App(made)
    wrong = _changed(app.proof(opened), signature=another_card().prove(b"x"))
    for _ in range(settings.ACTIVATION_WRONG_PROOFS + 3):
        with pytest.raises(Conflict, match="proof-refused"):
            activation_app.start(handle=opened.handle, proof=wrong)
    assert activated.transaction(opened).state == "created"
    assert Event.objects.filter(action="transaction.proof_refused").count() == settings.ACTIVATION_WRONG_PROOFS
    app.start(opened)  # the right card goes on
    app.set_code()
    for _ in range(settings.ACTIVATION_WRONG_PROOFS - 1):
        with pytest.raises(Invalid, match="signature-invalid"):
            activation_app.complete(step_token=app.token, signature=b"\1" * 256)
    assert app.complete().state == "active"  # the thief used up none of the holder's tries


def test_handles_that_are_none(world: Any, subtests: pytest.Subtests) -> None:
    """One card for all, since none of them may touch it."""
    made = sent_card(world)
    opened = identify(world, made)
    for handle in ("", "act.", "act." + "A" * 22, "sig." + "A" * 22, "A" * 26, "act." + "A" * 21 + "å", "x" * 5000):
        with subtests.test(handle=handle[:30]):
            with pytest.raises(Unauthenticated, match="handle-unknown"):
                activation_app.start(handle=handle, proof=App(made).proof(opened))
            with pytest.raises(Unauthenticated, match="step-token-unknown"):
                activation_app.set_code(step_token=handle)
            assert untouched(made)


def test_an_empty_token_is_not_that_of_a_transaction_without_one(world: Any) -> None:
    identify(world, sent_card(world))
    assert EidAppTransaction.objects.get().step_token_sha256 == ""
    for call in (activation_app.set_code, activation_app.cancel):
        with pytest.raises(Unauthenticated):
            call(step_token="")


def test_a_started_transaction_lasts_a_quarter_of_an_hour(world: Any) -> None:
    made = sent_card(world)
    opened, app = identify(world, made), App(made)
    with clock.moved_to(clock.now() + 4 * MINUTE):
        app.start(opened)
    with clock.moved_to(clock.now() + 18 * MINUTE):
        app.set_code()
    with clock.moved_to(clock.now() + 20 * MINUTE):
        for call in (app.complete, lambda: app.start(opened), lambda: activation_app.cancel(step_token=app.token)):
            with pytest.raises(Conflict, match="transaction-ended"):
                call()
    assert made.fresh().state == "activated_unsigned"


def test_a_puk_is_not_handed_out_over_and_over(world: Any, settings: Any) -> None:
    settings.SECRET_DELIVERIES_PER_DAY = 2
    made = sent_card(world)
    opened = identify(world, made)
    for _ in range(2):
        App(made).start(opened)
        opened = reopened(world, opened)
    with pytest.raises(TooManyRequests):
        App(made).start(opened)
    assert activated.transaction(opened).state == "created"


def test_a_puk_that_cannot_be_opened_ends_it_in_words(world: Any) -> None:
    made = sent_card(world)
    opened, app = identify(world, made), App(made)
    proof = app.proof(opened)
    assert activation_app.start(handle=opened.handle, proof=proof) is None
    SecretDelivery.objects.update(state="refused", failure="seal-broken")
    with pytest.raises(Conflict, match="delivery-refused"):
        activation_app.start(handle=opened.handle, proof=proof)
    assert activated.transaction(opened).state == "failed"


def test_a_puk_whose_sealing_key_is_lost_ends_it_and_keeps_the_card(world: Any) -> None:
    made = sent_card(world)
    opened, app = identify(world, made), App(made)
    proof = app.proof(opened)
    assert activation_app.start(handle=opened.handle, proof=proof) is None
    SecretDelivery.objects.update(state="refused", failure="seal-key-lost")
    with pytest.raises(Conflict, match="seal-key-lost") as told:
        activation_app.start(handle=opened.handle, proof=proof)
    assert "Spärra inte kortet" in told.value.message
    assert activated.transaction(opened).state == "failed"


def test_a_token_that_does_not_answer_for_long_ends_it_and_says_to_try_again(world: Any) -> None:
    made = sent_card(world)
    opened, app = identify(world, made), App(made)
    proof = app.proof(opened)
    assert activation_app.start(handle=opened.handle, proof=proof) is None
    SecretDelivery.objects.update(attempts=delivering.MAX_ATTEMPTS)
    assert delivering.deliver_secrets() == 1
    with pytest.raises(Conflict, match="token-unavailable") as told:
        activation_app.start(handle=opened.handle, proof=proof)
    assert "igen om en stund" in told.value.message
    assert activated.transaction(opened).state == "failed"
    App(made).start(reopened(world, opened))


# --- code-set -------------------------------------------------------------------------------------------------------------


def test_the_code_is_noted_once(world: Any) -> None:
    made = sent_card(world)
    app = App(made)
    app.start(identify(world, made))
    assert [app.set_code() for _ in range(3)] == ["code_set"] * 3
    assert Event.objects.filter(action="carrier.code_set").count() == 1
    assert list(EidNotice.objects.values_list("eid__carrier", "about")) == [(made.carrier.pk, "new")]
    assert made.fresh().code_set_at is not None
    app.complete()
    assert app.set_code() == "code_set"


def test_nothing_is_signed_before_the_code_is_set(world: Any) -> None:
    made = sent_card(world)
    app = App(made)
    app.start(identify(world, made))
    with pytest.raises(Conflict, match="code-not-set"):
        app.complete()
    assert made.fresh().state == "sent"


# --- complete -------------------------------------------------------------------------------------------------------------


def ready_to_sign(world: Any) -> tuple[Made, App]:
    made = sent_card(world)
    app = App(made)
    app.start(identify(world, made))
    app.set_code()
    return made, app


WRONG_SIGNATURES: list[Callable[[App], bytes]] = [
    lambda app: app.made.keys.sign(app.started.signed_attributes, "person-id-auth"),
    lambda app: app.made.keys.sign(app.started.signed_attributes, "person-hsaid-sign"),
    lambda app: another_card().sign(app.started.signed_attributes),
    lambda app: app.made.keys.sign(app.started.pdf),
    lambda app: app.made.keys.sign(b"something else"),
    lambda app: app.made.keys.prove(app.started.signed_attributes),
    lambda app: b"",
    lambda app: b"\0" * 256,
]


@pytest.mark.parametrize("sign", WRONG_SIGNATURES)
def test_signatures_that_are_not_the_holders(world: Any, sign: Callable[[App], bytes]) -> None:
    made, app = ready_to_sign(world)
    with pytest.raises(Invalid, match="signature-invalid"):
        activation_app.complete(step_token=app.token, signature=sign(app))
    assert made.fresh().state == "activated_unsigned"
    assert not Receipt.objects.exists()
    assert EidAppTransaction.objects.get().wrong_signatures == 1
    assert app.complete().state == "active"


def test_guessed_signatures_end_it_and_the_card_can_still_be_signed_for(world: Any, settings: Any, tally: Tally) -> None:
    made, app = ready_to_sign(world)
    for _ in range(settings.ACTIVATION_WRONG_PROOFS):
        with pytest.raises(Invalid):
            activation_app.complete(step_token=app.token, signature=b"\1" * 256)
    with pytest.raises(Conflict, match="transaction-ended"):
        app.complete()
    opened = reopened(world, activation.Opened(EidAppTransaction.objects.get(), ""))
    again = App(made)
    again.start(opened)
    assert again.complete().state == "active"
    tally.run([made.carrier.pk], Receipt.objects.values_list("carrier__pk", flat=True), "signed receipts")


def test_completing_again_is_the_same_and_another_signature_is_not(world: Any) -> None:
    made, app = ready_to_sign(world)
    for _ in range(3):
        assert app.complete().card_serial == made.keys.serial
    with pytest.raises(Conflict, match="transaction-ended"):
        activation_app.complete(step_token=app.token, signature=b"\1" * 256)
    assert Receipt.objects.count() == 1


def test_eight_at_once_make_one_receipt(world: Any) -> None:
    made, app = ready_to_sign(world)
    states: list[str] = []
    raised = run_at_once(8, lambda: states.append(app.complete().state))
    assert (raised, states) == ([], ["active"] * 8)
    assert Receipt.objects.count() == 1
    assert Event.objects.filter(action="carrier.activated").count() == 1
    assert made.fresh().seq == Event.objects.filter(subject_type="carrier", subject_ref=str(made.carrier.pk)).count()


def test_a_certificate_revoked_in_the_meantime_signs_nothing(world: Any) -> None:
    made, app = ready_to_sign(world)
    prepared = PreparedReceipt.objects.get()
    with database.atomic():
        pki.plan_revocation(
            [prepared.signature_certificate_id], reason="keyCompromise", actor_ref="user:1", received_at=clock.now(),
            channel="portal",
        )  # fmt: skip
    with pytest.raises(Conflict):
        app.complete()
    assert made.fresh().state in ("activated_unsigned", "revoked")
    assert not Receipt.objects.exists()


def test_revocation_and_signing_at_once_leave_no_active_card_behind(world: Any, tally: Tally) -> None:
    made, app = ready_to_sign(world)
    acts: list[Callable[[], Any]] = [
        app.complete,
        lambda: revocation.revoke_carrier(actor=world.officer(), carrier_id=made.carrier.pk, reason="lost_or_stolen"),
    ]
    world.officer()
    run_at_once(2, lambda: acts.pop()())
    carrier = made.fresh()
    assert carrier.state == "revoked"
    assert carrier.eids.get().state == "revoked"
    tally.run(["revoked", "revoked"], [carrier.state, carrier.eids.get().state], "states")


def test_an_eid_that_is_revoked_ends_what_is_open_for_its_card(world: Any) -> None:
    made, app = ready_to_sign(world)
    revocation.revoke_eid(actor=world.officer(), eid_id=made.carrier.eids.get().pk, reason="assignment_ended")
    row = EidAppTransaction.objects.get()
    assert row.state == "failed"
    assert Event.objects.get(action="transaction.failed").facts["reason"] == "eid-revoked"
    with pytest.raises(Conflict, match="transaction-ended"):
        app.complete()
    with pytest.raises(Conflict, match="certificates-not-in-force"):
        reopened(world, activation.Opened(row, ""))
    assert made.fresh().state == "activated_unsigned"
    assert made.carrier.eids.get().state == "revoked"
    assert not Receipt.objects.exists()


def test_an_eid_revoked_while_the_signature_is_checked_leaves_no_active_card(world: Any, monkeypatch: Any) -> None:
    """The eID goes between the signing and the commit, by a way that ends no transaction."""
    made, app = ready_to_sign(world)
    with monkeypatch.context() as before_commit:
        before_commit.setattr(activation_app.faults, "point", lambda name: Eid.objects.update(state="revoked"))
        with pytest.raises(Conflict, match="eids-changed"):
            app.complete()
    assert made.fresh().state == "activated_unsigned"
    assert not Receipt.objects.exists()


def test_any_certificate_of_the_card_that_is_revoked_in_the_meantime_stops_it(world: Any) -> None:
    made, app = ready_to_sign(world)
    other = made.carrier.certificates.get(profile="person-hsaid-auth").certificate_id
    with database.atomic():
        pki.plan_revocation([other], reason="keyCompromise", actor_ref="user:1", received_at=clock.now(), channel="portal")
    with pytest.raises(Conflict, match="certificates-not-in-force"):
        app.complete()
    assert made.fresh().state == "activated_unsigned"
    assert not Receipt.objects.exists()


# --- the clerk's role -----------------------------------------------------------------------------------------------------


def _take_the_role(world: Any) -> None:
    grant = RoleGrant.objects.get(person_id=world.officer().person_id, valid_to=None)
    role_assignment.end_role(actor=SETUP, grant_id=grant.pk)


def _post_over(world: Any) -> None:
    Post.objects.filter(person_id=world.officer().person_id).update(valid_to=clock.today() - dt.timedelta(days=1))


def _role_over(world: Any) -> None:
    RoleGrant.objects.filter(person_id=world.officer().person_id).update(valid_to=clock.now())


LOST = [(_take_the_role, "transaction-ended"), (_post_over, "officer-not-allowed"), (_role_over, "officer-not-allowed")]


@pytest.mark.parametrize(("happens", "code"), LOST)
def test_a_clerk_who_lost_the_role_hands_out_no_puk(world: Any, happens: Callable[[Any], None], code: str) -> None:
    made = sent_card(world)
    opened, app = identify(world, made), App(made)
    happens(world)
    with pytest.raises(Conflict, match=code):
        app.start(opened)
    assert untouched(made)


@pytest.mark.parametrize(("happens", "code"), LOST)
def test_a_clerk_who_lost_the_role_activates_no_card(world: Any, happens: Callable[[Any], None], code: str) -> None:
    made, app = ready_to_sign(world)
    happens(world)
    with pytest.raises(Conflict, match=code):
        app.complete()
    assert made.fresh().state == "activated_unsigned"
    assert made.carrier.eids.get().state == "ordered"
    assert not Receipt.objects.exists()


def test_a_role_that_ends_ends_what_it_alone_allowed(world: Any) -> None:
    _, app = ready_to_sign(world)
    clerk = world.officer()
    reader = role_assignment.assign_role(
        actor=SETUP, person_id=clerk.person_id, role=Role.READER, organisation_id=world.region.id
    )
    role_assignment.end_role(actor=SETUP, grant_id=reader.pk)
    assert EidAppTransaction.objects.get().state == "code_set"
    _take_the_role(world)
    row = EidAppTransaction.objects.get()
    assert (row.state, PreparedReceipt.objects.exists()) == ("failed", False)
    event = Event.objects.get(action="transaction.failed")
    assert (event.actor_ref, event.facts["reason"]) == (SETUP.ref, "role-ended")
    assert SecretDelivery.objects.get().jwe is None
    with pytest.raises(Conflict, match="transaction-ended"):
        app.complete()


def test_cancelling_from_the_app(world: Any) -> None:
    made = sent_card(world)
    opened, app = identify(world, made), App(made)
    app.start(opened)
    assert [activation_app.cancel(step_token=app.token) for _ in range(2)] == ["cancelled"] * 2
    for call in (app.set_code, app.complete):
        with pytest.raises(Conflict, match="transaction-ended"):
            call()
    row = Event.objects.get(action="transaction.cancelled")
    assert (row.actor_ref, row.facts["by"]) == (f"holder:{made.carrier.person_id}", "app")


def test_what_is_completed_is_not_cancelled(world: Any) -> None:
    made, app = ready_to_sign(world)
    app.complete()
    with pytest.raises(Conflict, match="transaction-ended"):
        activation_app.cancel(step_token=app.token)
    assert made.fresh().state == "active"


# --- a real card ----------------------------------------------------------------------------------------------------------


def test_a_real_card_is_activated_with_the_holders_own_code(world: Any, tmp_path: Any) -> None:
    card = Card.make(tmp_path, new_serial(), puk=PUK, transport_code=TRANSPORT)
    made = sent_card(world, keys=Plastic(card))
    app = App(made)
    app.start(identify(world, made))
    app.set_code()
    assert app.complete().state == "active"
    assert card.sign("person-id-sign", b"text", code=CODE)


def test_a_pulled_plug_between_code_and_report_leaves_a_card_that_can_be_finished(world: Any, tmp_path: Any) -> None:
    card = Card.make(tmp_path, new_serial(), puk=PUK, transport_code=TRANSPORT)
    made = sent_card(world, keys=Plastic(card))
    opened, lost = identify(world, made), App(made)
    lost.start(opened)
    card.unblock(puk=lost.secrets["puk"], new_code="135791")  # the code is on the card, the portal never hears of it
    app = App(made)
    app.start(reopened(world, opened))
    app.set_code()
    assert app.complete().state == "active"


def test_an_unsigned_card_waits_for_its_signature(world: Any) -> None:
    made = unsigned_card(world)
    assert made.carrier.state == "activated_unsigned"
    assert made.carrier.eids.get().state == "ordered"
    with clock.moved_to(clock.now() + dt.timedelta(hours=2)):
        opened = identify(world, made)
        assert opened.transaction.kind == "sign"
        app = App(made)
        app.start(opened)
        assert app.complete().state == "active"


def test_what_is_signed_is_what_was_shown(world: Any) -> None:
    """The stored file differs from the one the holder was given in the signature's room alone."""
    _, app = ready_to_sign(world)
    app.complete()
    stored = bytes(Document.objects.get(sha256=Receipt.objects.get().document_id).content)
    assert app.started is not None
    _, length, second, _ = app.started.byte_range
    assert (stored[:length], stored[second:]) == (app.started.pdf[:length], app.started.pdf[second:])


def test_canonical_json_is_what_the_card_signs() -> None:
    key = ECKey.generate_key("P-256").as_dict(private=False)
    signed = {"origin": "o", "kind": "activate", "handle": "h", "card_serial": "1", "ephemeral_key": {"y": key["y"], "kty": "EC"}}
    text = canonical_json(signed).decode()
    assert text.startswith('{"card_serial":"1","ephemeral_key":{"kty":"EC","y":"')
    assert text.endswith('"},"handle":"h","kind":"activate","origin":"o"}')
