"""A real card is activated over the wire, by a portal process without a token and a worker that never speaks HTTP."""

import base64
import hashlib
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import requests

from issuance.activation.models import EidAppTransaction
from issuance.carriers.models import Receipt
from issuance.records.models.events import Event
from pki import service as pki
from pki.models import Event as PkiEvent
from siths_portal.simulators.card import Card, new_serial
from tests.issuance.activated import CODE, PUK, TRANSPORT, Plastic, identify, reopened, sent_card
from tests.issuance.activation.api.wire import Wire
from tests.issuance.activation.test_activation_app import another_card
from tests.secrets_in_clear import none_in_clear

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_card_is_activated(portal: Any, worker: Any, world: Any, tmp_path: Any) -> None:
    card = Card.make(tmp_path, new_serial(), puk=PUK, transport_code=TRANSPORT)
    made = sent_card(world, keys=Plastic(card))
    on_card = list(made.carrier.certificates.values_list("certificate_id", flat=True))
    wire = Wire(portal, made, identify(world, made))
    answer = wire.start()
    assert set(answer) == {
        "kind", "expires_at", "texts", "pdf", "byte_range", "signed_attributes", "digest_algorithm", "encrypted",
    }  # fmt: skip
    assert (answer["kind"], answer["digest_algorithm"]) == ("activate", "sha256")
    assert set(answer["texts"]) == {"heading", "summary", "terms", "regional_addition", "sign_message"}
    header = json.loads(base64.urlsafe_b64decode(answer["encrypted"].split(".")[0] + "=="))
    assert (header["transaction"], header["card_serial"]) == (str(wire.opened.transaction.pk), card.serial)
    pdf, (first, length, second, rest) = base64.b64decode(answer["pdf"]), answer["byte_range"]
    digest = hashlib.sha256(pdf[first : first + length] + pdf[second : second + rest]).digest()
    assert digest in base64.b64decode(answer["signed_attributes"])
    assert wire.secrets["puk"] == PUK

    assert pki.held_certificates(on_card) == set(on_card)  # its supplier made it, and nobody has chosen its code
    done = wire.set_code()
    assert (done.status_code, done.json()) == (200, {"state": "code_set"})
    assert made.fresh().state == "activated_unsigned"
    assert pki.wait_until_released(on_card, seconds=60)  # by the worker, before the receipt is signed
    done = wire.complete()
    assert (done.status_code, done.json()) == (200, {"state": "completed", "card_serial_ending": card.serial[-4:]})
    assert made.fresh().state == "active"
    assert Receipt.objects.get().carrier == made.fresh()
    assert card.sign("person-id-auth", b"text", code=CODE)

    assert portal.post("code-set", wire.token).json() == {"state": "code_set"}
    assert wire.complete().json() == done.json()
    nothing_leaked(wire, [portal.log, worker])


def test_a_card_with_p256_keys_is_activated(portal: Any, worker: Any, world: Any, tmp_path: Any) -> None:
    card = Card.make(tmp_path / "cards", new_serial(), puk=PUK, transport_code=TRANSPORT, keys="ec-p256")
    made = sent_card(world, keys=Plastic(card))
    wire = Wire(portal, made, identify(world, made))
    wire.start()
    assert wire.set_code().status_code == 200
    other = portal.post("complete", wire.token, wire.signature(over=b"something else"))
    assert (other.status_code, other.json()["code"]) == (422, "signature-invalid")
    done = wire.complete()
    assert (done.status_code, done.json()) == (200, {"state": "completed", "card_serial_ending": card.serial[-4:]})
    receipt = tmp_path / "receipt.pdf"
    receipt.write_bytes(bytes(Receipt.objects.get().document.content))
    shown = subprocess.run(["pdfsig", "-nocert", str(receipt)], capture_output=True, text=True, check=False).stdout
    assert "Signature Validation: Signature is Valid." in shown
    assert "Total document signed" in shown


def nothing_leaked(wire: Wire, logs: list[Path]) -> None:
    """No secret lies in a table, and neither they nor the holder's numbers in a log line."""
    none_in_clear(logs, PUK, CODE, wire.token, wire.opened.handle)
    person = wire.made.carrier.person.identifiers.get().value
    for log in logs:
        for secret in (wire.made.keys.serial, person):
            assert secret not in log.read_text()


def test_answers_carry_no_cookie_and_are_kept_by_nobody(portal: Any, worker: Any, world: Any) -> None:
    made = sent_card(world)
    wire = Wire(portal, made, identify(world, made))
    body = wire.body()
    wire.start(body)
    responses = [
        portal.post("start", wire.opened.handle, body), portal.post("code-set", wire.token), portal.post("start", "act.x", body),
        portal.post("cancel", None), requests.get(f"{portal.url}/api/eidapp/v1/transaction/start", timeout=30),
    ]  # fmt: skip
    for response in responses:
        assert response.headers["Cache-Control"] == "no-store"
        assert "Set-Cookie" not in response.headers
    assert "Access-Control-Allow-Origin" not in responses[0].headers


def test_the_same_body_gets_the_same_answer_and_another_key_a_refusal(portal: Any, worker: Any, world: Any) -> None:
    made = sent_card(world)
    wire = Wire(portal, made, identify(world, made))
    body = wire.body()
    first = wire.start(body)
    assert portal.post("start", wire.opened.handle, body).json() == first
    other = portal.post("start", wire.opened.handle, Wire(portal, made, wire.opened).body())
    assert (other.status_code, other.json()["code"]) == (409, "key-mismatch")
    assert PkiEvent.objects.filter(action="secret.opening").count() == 1


def test_without_a_worker_the_answer_waits_and_nothing_is_lost(portal: Any, world: Any, start_worker: Any, demo_pki: Any) -> None:
    made = sent_card(world)
    wire = Wire(portal, made, identify(world, made))
    body = wire.body()
    pending = portal.post("start", wire.opened.handle, body)
    assert (pending.status_code, pending.json()) == (202, {"status": "pending"})
    start_worker()
    wire.start(body)
    assert wire.set_code().status_code == 200
    assert wire.complete().json()["state"] == "completed"


def test_a_wake_up_that_redis_lost_is_found_by_the_sweeper(portal: Any, world: Any, start_worker: Any, demo_pki: Any) -> None:
    from celery import current_app

    made = sent_card(world)
    wire = Wire(portal, made, identify(world, made))
    body = wire.body()
    assert portal.post("start", wire.opened.handle, body).status_code == 202
    with current_app.connection_for_write() as connection:
        connection.default_channel.queue_purge("pki")
    start_worker()
    current_app.send_task("pki.deliver_secrets", queue="pki", ignore_result=True)  # as beat does
    wire.start(body)


def test_a_lost_window_is_opened_again_and_a_set_code_is_only_signed_for(portal: Any, worker: Any, world: Any) -> None:
    made = sent_card(world)
    lost = Wire(portal, made, identify(world, made))
    lost.start()
    second = Wire(portal, made, reopened(world, lost.opened))
    ended = portal.post("code-set", lost.token)
    assert (ended.status_code, ended.json()["code"]) == (409, "transaction-ended")
    second.start()
    assert second.set_code().status_code == 200
    third = Wire(portal, made, reopened(world, second.opened))
    assert third.start()["kind"] == "sign"
    assert set(third.secrets) == {"step_token"}
    assert third.complete().json()["state"] == "completed"
    assert made.fresh().state == "active"
    states = list(EidAppTransaction.objects.order_by("created_at").values_list("state", flat=True))
    assert states == ["superseded", "superseded", "completed"]
    assert Event.objects.filter(action="holder.identified").count() == 1


def test_a_thief_of_the_handle_neither_starts_nor_ends_the_transaction(
    portal: Any, worker: Any, world: Any, settings: Any
) -> None:
    """Five wrong proofs end nothing: the holder's own card goes on afterwards."""
    made = sent_card(world)
    wire = Wire(portal, made, identify(world, made))
    stolen = wire.body() | {"signature": base64.b64encode(another_card().prove(b"x")).decode()}
    for _ in range(settings.ACTIVATION_WRONG_PROOFS + 3):
        refused = portal.post("start", wire.opened.handle, stolen)
        assert (refused.status_code, refused.json()["code"]) == (409, "proof-refused")
    wire.start()
    assert wire.set_code().status_code == 200
    assert wire.complete().json()["state"] == "completed"


def test_cancelling(portal: Any, worker: Any, world: Any) -> None:
    made = sent_card(world)
    wire = Wire(portal, made, identify(world, made))
    wire.start()
    for _ in range(2):
        done = portal.post("cancel", wire.token)
        assert (done.status_code, done.json()) == (200, {"state": "cancelled"})
    assert portal.post("complete", wire.token, wire.signature()).json()["code"] == "transaction-ended"
