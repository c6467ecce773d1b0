"""Deliveries for PUK letters: for an order that issuance knows, to the key of a certificate of ours, once (S24)."""

import base64
import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import pytest
import structlog
from django.apps import apps
from django.db import transaction
from joserfc.errors import DecodeError

from pki import service
from pki.domain.jwe import public_jwk
from pki.models import Event, Secret, SecretDelivery
from pki.ports import Letter, LetterOrders, LetterRecipient
from pki.secrets import deliveries, delivering
from siths_portal.lib import clock, ports
from siths_portal.lib.errors import TooManyRequests
from tests.pki.letter_printer import Printer
from tests.pki.secrets.test_deliveries import OWNER, PUK, SERIAL, App, sealed
from tests.pki_fixtures import tampering

CLIENT = "client:kortleverantor-1"


@dataclass
class Issuance:
    """What issuance answers about the letter's recipient (port `LetterOrders`), and what it was asked."""

    answer: LetterRecipient
    asked: list[Letter] = field(default_factory=list)

    def recipient(self, letter: Letter) -> LetterRecipient:
        self.asked.append(letter)
        return self.answer


@pytest.fixture
def printer(demo_pki: Any) -> Printer:
    made = Printer()
    made.certify(demo_pki)
    return made


@pytest.fixture
def issuance(printer: Printer) -> Iterator[Issuance]:
    """Knows the letter, and that `printer` prints it."""
    before, made = ports.get(LetterOrders), Issuance(LetterRecipient(printer.name, printer.sha256))
    ports.connect(LetterOrders, made)
    yield made
    ports.connect(LetterOrders, before)


def ask(secret: UUID, *, letter: str = "order-1", item: str = "1") -> UUID:
    with transaction.atomic():
        return service.plan_letter(secret_id=secret, order=letter, item=item, owner_ref=OWNER, actor_ref=CLIENT)


def taken(delivery: UUID) -> str | None:
    with transaction.atomic():
        return service.take_delivery(delivery)


def test_the_registered_recipient_alone_opens_the_puk(issuance: Issuance, printer: Printer) -> None:
    secret = sealed()
    delivery = ask(secret)
    assert delivering.deliver_secrets() == 1
    assert issuance.asked == [Letter(delivery, "order-1", "1", OWNER, CLIENT)]
    text = deliveries.delivery(delivery).jwe
    header, content = printer.open(text)
    assert content == PUK
    wanted = {"order": "order-1", "item": "1", "serial": SERIAL, "kid": printer.sha256}
    assert {name: header[name] for name in wanted} == wanted
    with pytest.raises(DecodeError):
        Printer().open(text)
    ready = Event.objects.get(action="delivery.ready")
    assert ready.facts == {
        "owner_ref": OWNER, "secret": str(secret), "kind": "letter", "order": "order-1", "item": "1",
        "certificate": printer.sha256,
    }  # fmt: skip


@pytest.mark.usefixtures("issuance")
def test_it_is_handed_out_once(printer: Printer) -> None:
    delivery = ask(sealed())
    assert taken(delivery) is None
    assert deliveries.delivery(delivery).state == "requested"
    delivering.deliver_secrets()
    assert printer.open(taken(delivery) or "")[1] == PUK
    assert (deliveries.delivery(delivery).state, deliveries.delivery(delivery).jwe) == ("destroyed", "")
    assert taken(delivery) is None


@pytest.mark.usefixtures("issuance")
def test_a_letter_is_made_once_however_often_it_is_asked_for() -> None:
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


@pytest.mark.usefixtures("issuance")
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
    assert printer.open(taken(delivery) or "")[1] == PUK
    assert Event.objects.filter(action="secret.opening").count() == 2


@pytest.mark.usefixtures("issuance")
def test_the_puk_is_in_no_table_log_or_queue(caplog: pytest.LogCaptureFixture) -> None:
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
    def refused_as(asked: UUID, **changes: Any) -> str:
        delivery = ask(asked)
        SecretDelivery.objects.filter(id=delivery).update(**changes)
        delivering.deliver_secrets([delivery])
        row = SecretDelivery.objects.get(id=delivery)
        assert (row.state, row.jwe, row.proof_verified_at) == ("refused", None, None)
        return row.failure

    @pytest.mark.usefixtures("issuance")
    def test_ones_own_key_in_the_row_is_not_served(self, printer: Printer) -> None:
        thief, delivery = Printer(), ask(sealed())
        public = public_jwk(thief.key.public_key(), "")
        own = {name: public[name] for name in ("kty", "crv", "x", "y")}
        SecretDelivery.objects.filter(id=delivery).update(recipient_jwk=own)
        delivering.deliver_secrets()
        text = deliveries.delivery(delivery).jwe
        with pytest.raises(DecodeError):
            thief.open(text)
        assert printer.open(text)[1] == PUK
        assert SecretDelivery.objects.get(id=delivery).recipient_jwk != own

    @pytest.mark.usefixtures("issuance")
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

    def test_what_issuance_refuses_is_not_opened(self, issuance: Issuance) -> None:
        issuance.answer = LetterRecipient(refusal="no-order")
        with structlog.testing.capture_logs() as logs:
            assert self.refused_as(sealed()) == "no-order"
        assert [line["reason"] for line in logs if line["event"] == "delivery.letter_refused"] == ["no-order"]

    def test_a_certificate_that_is_not_ours_not_for_letters_or_of_another_is_no_recipients(
        self, issuance: Issuance, printer: Printer, demo_pki: Any, settings: Any
    ) -> None:
        settings.SECRET_DELIVERIES_PER_DAY = 20
        secret, of_function = sealed(), Printer()
        of_function.certify(demo_pki, "function")
        for name, sha256 in (
            (printer.name, ""), (printer.name, "0" * 64), ("another", printer.sha256), (printer.name, of_function.sha256),
        ):  # fmt: skip
            issuance.answer = LetterRecipient(name, sha256)
            assert self.refused_as(secret) == "recipient-unknown"

    @pytest.mark.usefixtures("issuance")
    def test_a_revoked_certificate_is_no_recipients(self, printer: Printer) -> None:
        with transaction.atomic():
            service.plan_revocation(
                [printer.certificate], reason="keyCompromise", actor_ref="user:1", received_at=clock.now(), channel="portal"
            )
        assert self.refused_as(sealed()) == "recipient-not-valid"


@pytest.mark.usefixtures("issuance")
def test_letters_count_among_the_deliveries_of_a_day(settings: Any) -> None:
    settings.SECRET_DELIVERIES_PER_DAY = 2
    secret = sealed()
    ask(secret)
    ask(secret, item="2")
    with pytest.raises(TooManyRequests):
        ask(secret, item="3")
    with pytest.raises(TooManyRequests):
        App().ask(secret)


@pytest.mark.usefixtures("issuance")
def test_a_destroyed_secret_takes_its_letter_along() -> None:
    delivery = ask(sealed())
    delivering.deliver_secrets()
    with transaction.atomic():
        service.destroy_secrets(OWNER)
    assert (deliveries.delivery(delivery).state, deliveries.delivery(delivery).jwe) == ("destroyed", "")
    assert taken(delivery) is None
