"""Deliveries for PUK letters: for an order that issuance knows, to the key of a certificate of ours, once (S24)."""

import base64
import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import pytest
import structlog
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from django.apps import apps
from django.db import transaction
from joserfc import jwe
from joserfc.errors import DecodeError
from joserfc.jwk import ECKey
from joserfc.registry import HeaderParameter

from pki import service
from pki.models import Event, Secret, SecretDelivery
from pki.ports import Letter, LetterOrders, LetterRecipient
from pki.secrets import deliveries, delivering
from siths_portal.lib import clock, ports
from siths_portal.lib.canonical import sha256_hex
from siths_portal.lib.errors import Conflict, TooManyRequests
from tests.pki.orders import LETTER_SUBJECT, csr, order, plan
from tests.pki.secrets.test_deliveries import OWNER, PUK, SERIAL, App, sealed
from tests.pki_fixtures import tampering

CLIENT = "client:kortleverantor-1"
NAMES = ("order", "item", "serial", "kid")
REGISTRY = jwe.JWERegistry(
    header_registry={name: HeaderParameter(name, "str") for name in NAMES}, algorithms=["ECDH-ES", "A256GCM"]
)


@dataclass
class Printer:
    """A supplier with a key and a certificate for letters, and what issuance answers about it (port `LetterOrders`)."""

    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    asked: list[Letter] = field(default_factory=list)
    certificate: UUID = UUID(int=0)
    answer: LetterRecipient = field(default_factory=LetterRecipient)

    def certify(self, demo_pki: Any, profile: str = "letter", **changes: Any) -> None:
        """Gets a certificate, which is then the registered one."""
        wanted = {"csr_der": csr(self.key), "subject_ref": "function:kortleverantor-1"} | changes
        (self.certificate,) = plan(order(profile, **wanted))
        demo_pki.settle()
        (view,) = service.certificates([self.certificate])
        self.answer = LetterRecipient("kortleverantor-1", sha256_hex(view.der or b""))

    def recipient(self, letter: Letter) -> LetterRecipient:
        self.asked.append(letter)
        return self.answer

    def open(self, text: str) -> tuple[dict[str, Any], str]:
        """The protected header and the content of a JWE."""
        pem = self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        opened = jwe.decrypt_compact(text, ECKey.import_key(pem), registry=REGISTRY)
        return opened.headers(), (opened.plaintext or b"").decode()


@pytest.fixture
def printer(demo_pki: Any) -> Iterator[Printer]:
    before, made = ports.get(LetterOrders), Printer()
    made.certify(demo_pki)
    ports.connect(LetterOrders, made)
    yield made
    ports.connect(LetterOrders, before)


def ask(secret: UUID, *, letter: str = "order-1", item: str = "1") -> UUID:
    with transaction.atomic():
        return service.plan_letter(secret_id=secret, order=letter, item=item, owner_ref=OWNER, actor_ref=CLIENT)


def taken(delivery: UUID) -> str:
    with transaction.atomic():
        return service.take_delivery(delivery)


def test_the_registered_recipient_alone_opens_the_puk(printer: Printer) -> None:
    secret = sealed()
    delivery = ask(secret)
    assert delivering.deliver_secrets() == 1
    assert printer.asked == [Letter(delivery, "order-1", "1", OWNER, CLIENT)]
    text = deliveries.delivery(delivery).jwe
    header, content = printer.open(text)
    assert content == PUK
    wanted = {"order": "order-1", "item": "1", "serial": SERIAL, "kid": printer.answer.certificate_sha256}
    assert {name: header[name] for name in wanted} == wanted
    with pytest.raises(DecodeError):
        Printer().open(text)
    ready = Event.objects.get(action="delivery.ready")
    assert ready.facts == {
        "owner_ref": OWNER, "secret": str(secret), "kind": "letter", "order": "order-1", "item": "1",
        "certificate": printer.answer.certificate_sha256,
    }  # fmt: skip


def test_it_is_handed_out_once(printer: Printer) -> None:
    delivery = ask(sealed())
    with pytest.raises(Conflict, match="delivery-not-ready"):
        taken(delivery)
    assert deliveries.delivery(delivery).state == "requested"
    delivering.deliver_secrets()
    assert printer.open(taken(delivery))[1] == PUK
    assert (deliveries.delivery(delivery).state, deliveries.delivery(delivery).jwe) == ("destroyed", "")
    with pytest.raises(Conflict, match="delivery-not-ready"):
        taken(delivery)


def test_a_letter_is_made_once_however_often_it_is_asked_for(printer: Printer) -> None:
    secret = sealed()
    first, second = ask(secret), ask(secret)
    assert delivering.deliver_secrets() == 2
    assert sorted((deliveries.delivery(each).state, deliveries.delivery(each).failure) for each in (first, second)) == [
        ("ready", ""), ("refused", "proof-used"),
    ]  # fmt: skip
    taken(first)
    third = ask(secret)
    delivering.deliver_secrets()
    assert deliveries.delivery(third).failure == "proof-used"
    other = ask(secret, item="2")
    delivering.deliver_secrets()
    assert deliveries.delivery(other).state == "ready"


def test_the_event_is_committed_before_the_secret_is_opened(printer: Printer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also if the worker is killed in between: the next one makes the letter."""
    secret = sealed()
    delivery = ask(secret)
    seen: list[Any] = []

    def killed(_row: Secret) -> bytes:
        with tampering() as other:  # another connection sees only what is committed
            other.execute("SELECT actor_ref, subject_ref, facts FROM pki_event WHERE action = 'secret.opening'")
            seen.extend(other.fetchall())
        raise KeyboardInterrupt

    with monkeypatch.context() as killing:
        killing.setattr(delivering, "open_sealed", killed)
        with pytest.raises(KeyboardInterrupt):
            delivering.deliver_secrets()
    facts = {"purpose": "puk-letter", "delivery": str(delivery), "order": "order-1", "item": "1"}
    assert seen == [(CLIENT, str(secret), facts)]
    assert deliveries.delivery(delivery).state == "requested"
    SecretDelivery.objects.update(claimed_at=None)  # the claim of the killed worker has ended
    delivering.deliver_secrets()
    assert printer.open(taken(delivery))[1] == PUK
    assert Event.objects.filter(action="secret.opening").count() == 2


def test_the_puk_is_in_no_table_log_or_queue(printer: Printer, caplog: pytest.LogCaptureFixture) -> None:
    with structlog.testing.capture_logs() as logs:
        delivery = ask(sealed())
        delivering.deliver_secrets()
    everything = io.BytesIO()
    with tampering() as cursor:
        for model in apps.get_models():
            cursor.copy_expert(f'COPY "{model._meta.db_table}" TO STDOUT', everything)
    for form in (PUK.encode(), PUK.encode().hex().encode(), base64.b64encode(PUK.encode())):
        assert form not in everything.getvalue()
        assert form.decode() not in caplog.text + repr(logs)
    assert str(delivery) in everything.getvalue().decode(errors="replace")


class TestAttacks:
    """A row written by someone with the rights of the process that asks (S24)."""

    @staticmethod
    def refused_as(secret: UUID, **changes: Any) -> str:
        delivery = ask(secret)
        SecretDelivery.objects.filter(id=delivery).update(**changes)
        delivering.deliver_secrets([delivery])
        row = SecretDelivery.objects.get(id=delivery)
        assert (row.state, row.jwe, row.proof_verified_at) == ("refused", None, None)
        return row.failure

    def test_ones_own_key_in_the_row_is_not_served(self, printer: Printer) -> None:
        thief = App()
        delivery = ask(sealed())
        SecretDelivery.objects.filter(id=delivery).update(recipient_jwk=thief.jwk)
        delivering.deliver_secrets()
        text = deliveries.delivery(delivery).jwe
        with pytest.raises(DecodeError):
            thief.open(delivery)
        assert printer.open(text)[1] == PUK
        assert SecretDelivery.objects.get(id=delivery).recipient_jwk != thief.jwk

    @pytest.mark.usefixtures("printer")
    def test_another_letter_owner_or_secret_is_refused(self, settings: Any) -> None:
        settings.SECRET_DELIVERIES_PER_DAY = 20
        secret, other = sealed(), sealed("27182818", owner="carrier:2")
        assert self.refused_as(secret, header={"order": "order-2", "item": "1"}) == "letter-mismatch"
        assert self.refused_as(secret, header={}) == "letter-mismatch"
        assert self.refused_as(secret, handle_sha256="0" * 64) == "letter-mismatch"
        assert self.refused_as(secret, secret=None) == "letter-mismatch"
        assert self.refused_as(secret, secret=other) == "secret-not-sealed"
        assert self.refused_as(secret, owner_ref="carrier:2") == "secret-not-sealed"
        assert self.refused_as(secret, kind="activate") == "proof-missing"
        assert not Event.objects.filter(action="delivery.ready").exists()

    def test_what_issuance_refuses_is_not_opened(self, printer: Printer) -> None:
        printer.answer = LetterRecipient(refusal="no-order")
        with structlog.testing.capture_logs() as logs:
            assert self.refused_as(sealed()) == "no-order"
        assert [line["reason"] for line in logs if line["event"] == "delivery.letter_refused"] == ["no-order"]

    def test_a_certificate_that_is_not_ours_not_for_letters_or_of_another_is_no_recipients(
        self, printer: Printer, demo_pki: Any, settings: Any
    ) -> None:
        settings.SECRET_DELIVERIES_PER_DAY = 20
        secret, known = sealed(), printer.answer
        for unknown in ("", "0" * 64):
            printer.answer = LetterRecipient("kortleverantor-1", unknown)
            assert self.refused_as(secret) == "recipient-unknown"
        printer.answer = LetterRecipient("another", known.certificate_sha256)
        assert self.refused_as(secret) == "recipient-unknown"
        own = Printer()
        own.certify(demo_pki, "function", subject={**LETTER_SUBJECT})
        printer.answer = own.answer
        assert self.refused_as(secret) == "recipient-unknown"

    def test_a_revoked_certificate_is_no_recipients(self, printer: Printer) -> None:
        with transaction.atomic():
            service.plan_revocation(
                [printer.certificate], reason="keyCompromise", actor_ref="user:1", received_at=clock.now(), channel="portal"
            )
        assert self.refused_as(sealed()) == "recipient-not-valid"


@pytest.mark.usefixtures("printer")
def test_letters_count_among_the_deliveries_of_a_day(settings: Any) -> None:
    settings.SECRET_DELIVERIES_PER_DAY = 2
    secret = sealed()
    ask(secret)
    ask(secret, item="2")
    with pytest.raises(TooManyRequests):
        ask(secret, item="3")
    with pytest.raises(TooManyRequests):
        App().ask(secret)


@pytest.mark.usefixtures("printer")
def test_a_destroyed_secret_takes_its_letter_along() -> None:
    delivery = ask(sealed())
    delivering.deliver_secrets()
    with transaction.atomic():
        service.destroy_secrets(OWNER)
    assert (deliveries.delivery(delivery).state, deliveries.delivery(delivery).jwe) == ("destroyed", "")
    with pytest.raises(Conflict, match="delivery-not-ready"):
        taken(delivery)
