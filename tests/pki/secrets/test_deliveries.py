"""Deliveries: a sealed PUK goes to one recipient's key, once asked, once told of, and lies in the clear nowhere."""

import base64
import datetime as dt
import io
import json
import threading
from typing import Any
from uuid import UUID, uuid4

import pytest
import structlog
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.apps import apps
from django.conf import settings
from django.db import connection, transaction
from joserfc import jwe
from joserfc.errors import DecodeError
from joserfc.jwk import ECKey
from joserfc.registry import HeaderParameter

from pki import service
from pki.domain import jwe as jwe_format
from pki.domain.card_proof import CardProof
from pki.hsm import HsmUnavailable, hsm_for
from pki.models import Event, HsmKey, Secret, SecretDelivery
from pki.secrets import deliveries, delivering, sealing
from siths_portal.lib import clock
from siths_portal.lib.canonical import canonical_json, sha256_hex
from siths_portal.lib.errors import Conflict, Invalid, NotFound, TooManyRequests
from tests.pki_fixtures import tampering

pytestmark = pytest.mark.usefixtures("demo_pki")
PUK, OWNER, ACTOR = "31415926", "carrier:1", "holder:1"
SERIAL, ORIGIN = "9752" + "1" * 15, settings.PORTAL_BASE_URL
CARD = ec.generate_private_key(ec.SECP256R1())
NAMES = ("transaction", "card_serial", "order", "serial")
REGISTRY = jwe.JWERegistry(
    header_registry={name: HeaderParameter(name, "str") for name in NAMES}, algorithms=["ECDH-ES", "A256GCM"]
)


def spki(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def sealed(puk: str = PUK, owner: str = OWNER) -> UUID:
    """A secret as a supplier sent it and the worker sealed it, of a card whose key is CARD."""
    key = service.secret_jwks()["keys"][0]
    expected = {"order": "o", "serial": SERIAL}
    header = {"alg": "ECDH-ES", "enc": "A256GCM", "kid": key["kid"]} | expected
    text = jwe.encrypt_compact(header, puk.encode(), ECKey.import_key(key), registry=REGISTRY)
    with transaction.atomic():
        secret = service.plan_secret(
            text, expected_header=expected, card_key_spki=spki(CARD), owner_ref=owner, actor_ref="client:a"
        )
    sealing.open_secrets()
    return secret


class App:
    """The recipient: a key of its own, as the eID app makes one for each transaction."""

    def __init__(self) -> None:
        self.key = ECKey.generate_key("P-256")
        public = self.key.as_dict(private=False)
        self.jwk = {name: public[name] for name in ("kty", "crv", "x", "y")}
        self.header = {"transaction": str(uuid4()), "card_serial": SERIAL}
        self.card = CARD

    def proof(self, kind: str = "activate", **changes: Any) -> CardProof:
        """The card's signature over this key and a new handle."""
        signed = {
            "card_serial": SERIAL, "ephemeral_key": self.jwk, "handle": f"act.{uuid4().hex[:22]}", "kind": kind, "origin": ORIGIN,
        } | changes  # fmt: skip
        message = canonical_json(signed)
        return CardProof(message, self.card.sign(message, ec.ECDSA(hashes.SHA256())))

    def ask(self, secret: UUID, *, owner: str = OWNER, kind: str = "activate", proof: CardProof | None = None) -> UUID:
        with transaction.atomic():
            return service.plan_delivery(
                secret_id=secret, proof=proof or self.proof(kind), header=self.header, owner_ref=owner, actor_ref=ACTOR,
                purpose="activation",
            )  # fmt: skip

    def open(self, delivery: UUID) -> dict[str, str]:
        return json.loads(jwe.decrypt_compact(deliveries.delivery(delivery).jwe, self.key, registry=REGISTRY).plaintext)


def test_the_recipient_alone_gets_puk_and_step_token() -> None:
    app = App()
    delivery = app.ask(sealed())
    assert deliveries.delivery(delivery).state == "requested"
    assert delivering.deliver_secrets() == 1
    view = deliveries.delivery(delivery)
    assert view.state == "ready"
    content = app.open(delivery)
    assert set(content) == {"puk", "step_token"}
    row = SecretDelivery.objects.get()
    assert row.proof_verified_at is not None
    assert (bytes(row.proof_message), bytes(row.proof_signature)) == (b"", b"")  # the message has the handle
    assert content["puk"] == PUK
    assert view.token_sha256 == sha256_hex(content["step_token"].encode())
    assert len(base64.urlsafe_b64decode(content["step_token"] + "=")) == 32
    protected = json.loads(base64.urlsafe_b64decode(view.jwe.split(".")[0] + "=="))
    assert {name: protected[name] for name in app.header} == app.header
    assert (protected["alg"], protected["enc"]) == ("ECDH-ES", "A256GCM")
    with pytest.raises(DecodeError):
        App().open(delivery)


def test_a_card_that_signs_gets_a_step_token_only() -> None:
    app = App()
    delivery = app.ask(sealed(), kind="sign")
    delivering.deliver_secrets([delivery])
    assert set(app.open(delivery)) == {"step_token"}
    assert not Event.objects.filter(action="secret.opening").exists()


def test_a_made_delivery_stays_as_it_is() -> None:
    app = App()
    delivery = app.ask(sealed())
    delivering.deliver_secrets()
    before = deliveries.delivery(delivery)
    assert delivering.deliver_secrets([delivery]) == delivering.deliver_secrets() == 0
    assert deliveries.delivery(delivery) == before


def test_the_event_is_committed_before_the_secret_is_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    secret = sealed()
    delivery = App().ask(secret)
    seen: list[Any] = []
    real = delivering.open_sealed

    def spy(row: Secret) -> bytes:
        with tampering() as other:  # another connection sees only what is committed
            other.execute("SELECT actor_ref, facts FROM pki_event WHERE action = 'secret.opening'")
            seen.extend(other.fetchall())
        return real(row)

    monkeypatch.setattr(delivering, "open_sealed", spy)
    delivering.deliver_secrets()
    assert seen == [(ACTOR, {"purpose": "activation", "delivery": str(delivery)})]
    assert Event.objects.get(action="secret.opening").subject_ref == str(secret)
    story = ["delivery.requested", "secret.opening", "delivery.ready"]
    assert list(Event.objects.filter(action__in=story).order_by("id").values_list("action", flat=True)) == story


def test_the_plaintext_is_in_no_table_log_or_queue(caplog: pytest.LogCaptureFixture, demo_pki: Any) -> None:
    app = App()
    with structlog.testing.capture_logs() as logs:
        delivery = app.ask(sealed())
        delivering.deliver_secrets()
    token = app.open(delivery)["step_token"]
    everything = io.BytesIO()
    with tampering() as cursor:
        for model in apps.get_models():
            cursor.copy_expert(f'COPY "{model._meta.db_table}" TO STDOUT', everything)
    for secret in (PUK, token):
        for form in (secret.encode(), secret.encode().hex().encode(), base64.b64encode(secret.encode())):
            assert form not in everything.getvalue()
            assert form.decode() not in caplog.text + repr(logs)
    assert str(delivery) in everything.getvalue().decode(errors="replace")


def test_a_token_that_does_not_answer_leaves_it_for_the_sweeper(monkeypatch: pytest.MonkeyPatch) -> None:
    app = App()
    delivery = app.ask(sealed())

    def down(_row: Secret) -> bytes:
        raise HsmUnavailable("no answer")

    now = clock.now()
    with monkeypatch.context() as broken, clock.moved_to(now):
        broken.setattr(delivering, "open_sealed", down)
        assert delivering.deliver_secrets() == 0
    assert deliveries.delivery(delivery).state == "requested"
    with clock.moved_to(now):
        assert delivering.deliver_secrets() == 0  # not at once again
    with clock.moved_to(now + dt.timedelta(seconds=3)):
        assert delivering.deliver_secrets() == 1
    assert app.open(delivery)["puk"] == PUK


def attempts_until_refused(delivery: UUID, monkeypatch: pytest.MonkeyPatch, *, step: dt.timedelta) -> tuple[int, dt.timedelta]:
    """How often a token that never answers is asked by a sweeper that comes every `step`, and for how long."""
    asked: list[dt.datetime] = []

    def down(_row: Secret) -> bytes:
        asked.append(clock.now())
        raise HsmUnavailable("no answer")

    began = now = clock.now()
    with monkeypatch.context() as broken:
        broken.setattr(delivering, "open_sealed", down)
        while deliveries.delivery(delivery).state == "requested" and now < began + dt.timedelta(hours=1):
            with clock.moved_to(now):
                delivering.deliver_secrets()
            now += step
    return len(asked), asked[-1] - asked[0]


def test_a_token_that_never_answers_ends_the_delivery_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    delivery = App().ask(sealed())
    count, lasted = attempts_until_refused(delivery, monkeypatch, step=dt.timedelta(seconds=2))
    view = deliveries.delivery(delivery)
    assert (view.state, view.failure, view.jwe) == ("refused", "token-unavailable", "")
    assert count == delivering.MAX_ATTEMPTS
    assert lasted >= dt.timedelta(minutes=4)  # a short outage does not use up the attempts
    assert Event.objects.get(action="delivery.refused").facts["reason"] == "token-unavailable"
    assert delivering.deliver_secrets() == 0


def test_a_worker_that_dies_over_the_last_attempt_leaves_nothing_pending() -> None:
    delivery = App().ask(sealed())
    now = clock.now()
    SecretDelivery.objects.update(attempts=delivering.MAX_ATTEMPTS, claimed_at=now)
    with clock.moved_to(now):
        assert delivering.deliver_secrets() == 0
    with clock.moved_to(now + delivering.CLAIM * 2):
        assert delivering.deliver_secrets() == 1
    assert deliveries.delivery(delivery).failure == "token-unavailable"


def test_another_worker_leaves_a_claimed_one_alone_until_the_claim_ends() -> None:
    app = App()
    delivery = app.ask(sealed())
    now = clock.now()
    with clock.moved_to(now):
        assert [row.id for row in delivering._claim(None, 10)] == [delivery]
        assert delivering.deliver_secrets() == 0
    with clock.moved_to(now + delivering.CLAIM * 2):
        assert delivering.deliver_secrets() == 1
    assert app.open(delivery)["puk"] == PUK


def test_eight_workers_make_one(django_db_blocker: Any) -> None:
    app = App()
    delivery = app.ask(sealed())
    settled: list[int] = []

    def work() -> None:
        try:
            settled.append(delivering.deliver_secrets([delivery]))
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(settled) == [0] * 7 + [1]
    assert Event.objects.filter(action="secret.opening").count() == 1
    assert app.open(delivery)["puk"] == PUK


def test_a_blob_of_another_card_is_not_delivered() -> None:
    first, second = sealed(), sealed("27182818", owner="carrier:2")
    Secret.objects.filter(id=second).update(sealed=Secret.objects.get(id=first).sealed)
    app = App()
    delivery = app.ask(second, owner="carrier:2")
    delivering.deliver_secrets()
    assert (deliveries.delivery(delivery).state, deliveries.delivery(delivery).failure) == ("refused", "seal-broken")
    assert deliveries.delivery(delivery).jwe == ""


def test_a_blob_whose_key_is_lost_is_refused_as_such_at_once() -> None:
    """The blob names a KEK that the token does not have."""
    secret = sealed()
    blob = bytes(Secret.objects.get(id=secret).sealed or b"")
    Secret.objects.filter(id=secret).update(sealed=blob[:1] + b"\x00" * 20 + blob[21:])
    delivery = App().ask(secret)
    delivering.deliver_secrets()
    assert (deliveries.delivery(delivery).state, deliveries.delivery(delivery).failure) == ("refused", "seal-key-lost")


def test_a_destroyed_secret_takes_its_deliveries_along() -> None:
    app, secret = App(), sealed()
    made = app.ask(secret)
    delivering.deliver_secrets()
    asked = app.ask(secret)
    with transaction.atomic():
        service.destroy_secrets(OWNER)
    assert delivering.deliver_secrets() == 0
    assert {deliveries.delivery(each).state for each in (made, asked)} == {"destroyed"}
    assert {deliveries.delivery(each).jwe for each in (made, asked)} == {""}
    with pytest.raises(Conflict, match="secret-not-sealed"):
        app.ask(secret)


def test_a_secret_destroyed_while_it_is_opened_is_not_handed_out(monkeypatch: pytest.MonkeyPatch) -> None:
    app, secret = App(), sealed()
    delivery = app.ask(secret)
    real = delivering.open_sealed

    def overtaken(row: Secret) -> bytes:
        content = real(row)
        with transaction.atomic():
            service.destroy_secrets(OWNER)
        return content

    monkeypatch.setattr(delivering, "open_sealed", overtaken)
    assert delivering.deliver_secrets() == 0
    assert deliveries.delivery(delivery).state == "destroyed"
    assert deliveries.delivery(delivery).jwe == ""


def test_a_delivery_is_destroyed_when_its_use_has_ended() -> None:
    app = App()
    delivery = app.ask(sealed())
    delivering.deliver_secrets()
    for _ in range(2):
        with transaction.atomic():
            service.destroy_delivery(delivery)
    assert (deliveries.delivery(delivery).state, deliveries.delivery(delivery).jwe) == ("destroyed", "")
    assert Event.objects.filter(action="delivery.destroyed").count() == 1


def test_a_secret_is_delivered_so_often_a_day_and_no_more(settings: Any) -> None:
    settings.SECRET_DELIVERIES_PER_DAY = 2
    secret, other = sealed(), sealed("27182818", owner="carrier:2")
    app = App()
    app.ask(secret)
    app.ask(secret)
    with pytest.raises(TooManyRequests):
        app.ask(secret)
    app.ask(other, owner="carrier:2")
    app.ask(secret, kind="sign")
    with clock.moved_to(clock.now() + 25 * (delivering.CLAIM * 360)):
        app.ask(secret)


def test_what_is_not_planned() -> None:
    secret, app = sealed(), App()
    with pytest.raises(NotFound):
        app.ask(uuid4())
    with pytest.raises(NotFound):
        app.ask(secret, owner="carrier:2")
    with pytest.raises(NotFound):
        deliveries.delivery(uuid4())
    assert not SecretDelivery.objects.exists()


GOOD = App().jwk


@pytest.mark.parametrize(
    "jwk",
    [
        {},
        GOOD | {"crv": "P-384"},
        GOOD | {"kty": "OKP"},
        GOOD | {"d": GOOD["x"]},
        GOOD | {"x": GOOD["y"], "y": GOOD["x"]},
        GOOD | {"x": GOOD["x"][:-2]},
        GOOD | {"x": GOOD["x"] + "="},
        GOOD | {"x": 5},
        {name: GOOD[name] for name in ("kty", "crv", "x")},
    ],
)
def test_keys_that_are_not_a_recipients(jwk: dict[str, Any]) -> None:
    app = App()
    app.jwk = jwk
    with pytest.raises(Invalid, match=r"ephemeral-key|proof-malformed"):
        app.ask(uuid4())
    with pytest.raises(jwe_format.MalformedJwe):
        jwe_format.encrypt(b"x", jwk, {})


class Attack:
    """A delivery row written by someone who has the rights of the portal's process in the database."""

    def __init__(self, secret: UUID) -> None:
        self.app, self.secret = App(), secret

    def refused_as(self, proof: CardProof | None, **changes: Any) -> str:
        """Plans an honest delivery, changes its row, runs the worker and returns why it was refused."""
        delivery = self.app.ask(self.secret, proof=proof)
        SecretDelivery.objects.filter(id=delivery).update(**changes)
        delivering.deliver_secrets([delivery])
        row = SecretDelivery.objects.get(id=delivery)
        assert (row.state, row.jwe, row.proof_verified_at) == ("refused", None, None)
        return row.failure


def test_a_row_with_ones_own_recipient_key_is_not_served() -> None:
    secret = sealed()
    attack, thief = Attack(secret), App()
    assert attack.refused_as(None, recipient_jwk=thief.jwk) == "proof-mismatch"
    assert attack.refused_as(None, proof_message=b"", proof_signature=b"") == "proof-missing"
    assert attack.refused_as(None, secret=None) == "proof-missing"
    assert attack.refused_as(None, owner_ref="carrier:2") == "secret-not-sealed"
    assert attack.refused_as(None, created_at=clock.now() - dt.timedelta(days=1)) == "proof-stale"
    assert attack.refused_as(None, handle_sha256="0" * 64) == "proof-mismatch"
    assert not Event.objects.filter(action="delivery.ready").exists()


def test_a_proof_by_another_key_or_for_another_card_kind_or_origin_opens_nothing() -> None:
    attack = Attack(sealed())
    assert attack.refused_as(attack.app.proof(card_serial="9752" + "2" * 15)) == "proof-mismatch"
    assert attack.refused_as(attack.app.proof(origin="https://portal.example.net")) == "proof-mismatch"
    assert attack.refused_as(attack.app.proof("sign"), kind="activate") == "proof-mismatch"
    attack.app.card = ec.generate_private_key(ec.SECP256R1())
    assert attack.refused_as(None) == "proof-refused"


def test_ones_own_card_key_in_the_row_of_the_secret_does_not_open_its_seal() -> None:
    secret = sealed()
    attack = Attack(secret)
    attack.app.card = ec.generate_private_key(ec.SECP256R1())
    Secret.objects.filter(id=secret).update(card_key_spki=spki(attack.app.card))
    assert attack.refused_as(None) == "seal-broken"
    Secret.objects.filter(id=secret).update(seal_version=1)  # as if the seal were older than the rule
    assert attack.refused_as(None) == "seal-broken"


def test_a_proof_is_good_for_one_delivery() -> None:
    secret, app = sealed(), App()
    proof = app.proof()
    first, second = app.ask(secret, proof=proof), app.ask(secret, proof=proof)
    assert delivering.deliver_secrets() == 2
    assert sorted((deliveries.delivery(each).state, deliveries.delivery(each).failure) for each in (first, second)) == [
        ("ready", ""), ("refused", "proof-used"),
    ]  # fmt: skip


def test_a_seal_that_is_older_than_card_keys_is_bound_before_it_is_opened() -> None:
    app, secret = App(), sealed()
    row = Secret.objects.get(id=secret)
    token = hsm_for(HsmKey.objects.get(key_id=row.kek_id).token_label)
    old = token.seal(row.kek_id, PUK.encode(), sealing.associated_data(row, 1))
    Secret.objects.filter(id=secret).update(sealed=old, seal_version=1)
    delivery = app.ask(secret)
    delivering.deliver_secrets()
    assert app.open(delivery)["puk"] == PUK
    bound = Secret.objects.get(id=secret)
    assert (bound.seal_version, bytes(bound.sealed or b"") != old) == (2, True)


@pytest.mark.parametrize(
    "change",
    [
        lambda message: message.replace(b'"kind":"activate"', b'"kind":"borrow"'),
        lambda message: message.replace(b'"origin"', b' "origin"'),
        lambda message: message.replace(b'"handle"', b'"extra":"","handle"'),
        lambda message: message.replace(b'"kind":"activate"', b'"kind":1'),
        lambda message: message[:-1],
        lambda message: b"[]",
        lambda message: b"[" * 2000,
        lambda message: message.replace(b'"act.', b'"' + b"a" * 2048),
        lambda message: message.replace(b'"act.', b'"\\ud800'),
    ],
)
def test_messages_that_no_card_signs(change: Any) -> None:
    app = App()
    proof = app.proof()
    with pytest.raises(Invalid, match="proof-malformed"):
        app.ask(uuid4(), proof=CardProof(change(proof.message), proof.signature))
