"""The eID app's client: it proves the card, opens what is for this card alone, and signs only what it was shown."""

import base64
import dataclasses
import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from siths_portal.simulators.card import Card
from siths_portal.simulators.eid_app_client import EidAppClient
from siths_portal.simulators.eid_app_errors import BadHandle, CardRefused, PortalAway, PortalRefused, StillPending, Untrusted
from siths_portal.simulators.eid_app_tasks import Tasks
from tests.simulators.lying_portal import HANDLE, PUK, SIGN_HANDLE, LyingPortal, make_card, signed_attributes


@pytest.fixture(scope="module")
def card(tmp_path_factory) -> Card:
    return make_card(tmp_path_factory.mktemp("cards"))


@pytest.fixture
def portal() -> Iterator[LyingPortal]:
    server = LyingPortal()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def app(portal: LyingPortal, card: Card) -> EidAppClient:
    return EidAppClient(portal.url, card, sleep=lambda _seconds: None)


def _key(card: Card) -> ec.EllipticCurvePublicKey:
    key = serialization.load_pem_public_key(card.card_key().encode())
    assert isinstance(key, ec.EllipticCurvePublicKey)
    return key


def test_activates_from_the_handle_to_the_signature(app: EidAppClient, portal: LyingPortal, card: Card) -> None:
    result = app.activate(HANDLE, "135790")
    assert (result.state, result.card_serial_ending) == ("completed", "4242")
    assert portal.steps() == ["start", "code-set", "complete"]
    assert [bearer for _step, bearer, _body in portal.calls] == [HANDLE, "step-1", "step-1"]
    certificate = x509.load_pem_x509_certificate(card.certificates()["person-id-sign"].encode())
    signature = base64.b64decode(json.loads(portal.calls[2][2])["signature"])
    attributes = app.start(HANDLE).signed_attributes
    certificate.public_key().verify(signature, attributes, padding.PKCS1v15(), hashes.SHA256())  # type: ignore[union-attr,call-arg]
    assert card.tries().code == 3


def test_proves_the_card_over_handle_kind_serial_key_and_origin(app: EidAppClient, portal: LyingPortal, card: Card) -> None:
    app.start(HANDLE)
    body = json.loads(portal.calls[0][2])
    assert set(body) == {"card_serial", "certificates", "ephemeral_key", "origin", "signature"}
    assert body["certificates"] == card.certificates()
    assert "d" not in body["ephemeral_key"]
    proven: dict[str, Any] = {
        "card_serial": card.serial,
        "ephemeral_key": body["ephemeral_key"],
        "handle": HANDLE,
        "kind": "activate",
        "origin": portal.url,
    }
    signature = base64.b64decode(body["signature"])

    def signed(value: dict[str, Any]) -> bytes:
        return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()

    _key(card).verify(signature, signed(proven), ec.ECDSA(hashes.SHA256()))
    with pytest.raises(InvalidSignature):
        _key(card).verify(signature, signed(proven | {"origin": "http://other"}), ec.ECDSA(hashes.SHA256()))


def test_asks_again_with_the_same_body_while_the_portal_works(app: EidAppClient, portal: LyingPortal) -> None:
    portal.lies.pending = 2
    assert app.start(HANDLE).puk == PUK
    assert len({body for _step, _bearer, body in portal.calls}) == 1
    assert len(portal.calls) == 3


def test_gives_up_waiting_and_can_go_on_later(app: EidAppClient, portal: LyingPortal) -> None:
    portal.lies.pending = 10**6
    app.patience = 0
    with pytest.raises(StillPending):
        app.start(HANDLE)
    portal.lies.pending = 0
    assert app.start(HANDLE).step_token == "step-1"
    assert len({body for _step, _bearer, body in portal.calls}) == 1


def test_a_signing_handle_gives_no_puk_and_sets_no_code(app: EidAppClient, portal: LyingPortal, card: Card) -> None:
    card.unblock(puk=PUK, new_code="246810")
    assert app.start(SIGN_HANDLE).puk == ""
    with pytest.raises(Untrusted):
        app.choose_code(app.start(SIGN_HANDLE), "999999")
    assert app.sign(SIGN_HANDLE, "246810").state == "completed"


def test_a_test_is_signed_with_the_named_certificate(app: EidAppClient, portal: LyingPortal, card: Card) -> None:
    named = x509.load_pem_x509_certificate(card.certificates()["person-hsaid-auth"].encode())
    sha256, statement = named.fingerprint(hashes.SHA256()).hex(), b'{"schema":"siths-test/1"}'
    portal.lies.change = lambda answer: answer.update(statement=base64.b64encode(statement).decode(), signing_certificate=sha256)
    card.unblock(puk=PUK, new_code="246810")
    opened = app.start(SIGN_HANDLE)
    key = cast(rsa.RSAPublicKey, named.public_key())
    key.verify(app.signature(opened, "246810"), statement, padding.PKCS1v15(), hashes.SHA256())
    with pytest.raises(Untrusted):
        app.signature(dataclasses.replace(opened, signing_certificate="0" * 64), "246810")


def test_no_secret_shows_in_a_representation(app: EidAppClient) -> None:
    opened = app.start(HANDLE)
    for shown in (repr(opened), repr(app), str(opened)):
        assert PUK not in shown
        assert "step-1" not in shown
        assert HANDLE not in shown
        assert "Demosson" not in shown


def _pdf(change: Callable[[bytes], bytes]) -> Callable[[dict[str, Any]], None]:
    def bend(answer: dict[str, Any]) -> None:
        answer["pdf"] = base64.b64encode(change(base64.b64decode(answer["pdf"]))).decode()

    return bend


def _other_certificate(card: Card) -> Callable[[dict[str, Any]], None]:
    def bend(answer: dict[str, Any]) -> None:
        pdf = base64.b64decode(answer["pdf"])
        _start, before, after, _rest = answer["byte_range"]
        digest = hashlib.sha256(pdf[:before] + pdf[after:]).digest()
        attributes = signed_attributes(digest, card.certificates()["person-id-auth"])
        answer["signed_attributes"] = base64.b64encode(attributes).decode()

    return bend


def _covering_less(answer: dict[str, Any]) -> None:
    """All but the last byte is covered, and the digest fits that."""
    pdf = base64.b64decode(answer["pdf"])
    start, before, after, rest = answer["byte_range"]
    answer["byte_range"] = [start, before, after, rest - 1]
    assert pdf


def _no_message_digest(answer: dict[str, Any]) -> None:
    answer["signed_attributes"] = base64.b64encode(b"\x31\x00").decode()


def _hidden_text(answer: dict[str, Any]) -> None:
    pdf = base64.b64decode(answer["pdf"]).replace(b"<0000000000>", b"(other text)")
    answer["pdf"] = base64.b64encode(pdf).decode()


LIES: dict[str, Callable[[dict[str, Any]], None]] = {
    "another document": _pdf(lambda pdf: pdf.replace(b"before", b"behind")),
    "more after the signed part": _pdf(lambda pdf: pdf + b"more"),
    "less covered": _covering_less,
    "text in the gap": _hidden_text,
    "no digest": _no_message_digest,
    "another algorithm": lambda answer: answer.update(digest_algorithm="sha1"),
    "another kind": lambda answer: answer.update(kind="sign"),
    "no document": lambda answer: answer.pop("pdf"),
    "a wrong type": lambda answer: answer.update(byte_range="0"),
}


@pytest.mark.parametrize("lie", LIES)
def test_signs_nothing_if_the_portal_lies(lie: str, app: EidAppClient, portal: LyingPortal) -> None:
    portal.lies.change = LIES[lie]
    with pytest.raises(Untrusted) as refusal:
        app.activate(HANDLE, "135790")
    assert portal.steps() == ["start"]
    assert "Inget skrevs under" in refusal.value.message


def test_signs_nothing_with_another_certificate_of_the_card(app: EidAppClient, portal: LyingPortal, card: Card) -> None:
    portal.lies.change = _other_certificate(card)
    with pytest.raises(Untrusted):
        app.start(HANDLE)


def test_refuses_what_is_for_another_card_or_key(app: EidAppClient, portal: LyingPortal) -> None:
    portal.lies.header = {"card_serial": "9752000000000000000"}
    with pytest.raises(Untrusted):
        app.start(HANDLE)
    portal.lies.header, portal.lies.other_key = {}, True
    with pytest.raises(Untrusted):
        app.start(HANDLE)


def test_wrong_code_says_how_many_tries_are_left(app: EidAppClient, card: Card, portal: LyingPortal) -> None:
    card.unblock(puk=PUK, new_code="246810")
    said = []
    for _ in range(3):
        with pytest.raises(CardRefused) as refusal:
            app.sign(SIGN_HANDLE, "111111")
        said.append((refusal.value.code, refusal.value.tries_left, refusal.value.message))
    assert [code for code, _left, _message in said] == ["wrong-code", "wrong-code", "code-blocked"]
    assert "2 försök kvar" in said[0][2]
    assert "Ett försök kvar" in said[1][2]
    assert "complete" not in portal.steps()
    card.unblock(puk=PUK, new_code="246810")


def test_a_lost_report_of_the_code_is_repeated(app: EidAppClient, portal: LyingPortal) -> None:
    portal.lies.cut_at = {"code-set"}
    opened = app.start(HANDLE)
    with pytest.raises(PortalAway):
        app.choose_code(opened, "135790")
    assert app.report_code(opened).state == "code_set"
    assert app.sign_receipt(opened, "135790").state == "completed"


def test_a_signature_is_handed_in_again_while_the_card_is_on_hold(app: EidAppClient, portal: LyingPortal) -> None:
    opened = app.start(HANDLE)
    app.choose_code(opened, "135790")
    portal.lies.refuse_at = {"complete": (503, "certificates-on-hold", "Kortets certifikat görs giltiga just nu.")}
    app.sleep = lambda _seconds: portal.lies.refuse_at.clear()
    assert app.sign_receipt(opened, "135790").state == "completed"
    portal.lies.refuse_at = {"complete": (503, "certificates-on-hold", "Kortets certifikat görs giltiga just nu.")}
    app.patience = 0
    with pytest.raises(StillPending):
        app.sign_receipt(opened, "135790")
    assert portal.steps().count("complete") == 3


def test_the_portals_refusals_keep_their_words(app: EidAppClient, portal: LyingPortal) -> None:
    portal.lies.refuse_at = {"start": (409, "wrong-card", "Sätt i det kort som ska aktiveras.")}
    with pytest.raises(PortalRefused) as refusal:
        app.start(HANDLE)
    assert (refusal.value.code, refusal.value.message) == ("wrong-card", "Sätt i det kort som ska aktiveras.")
    assert not refusal.value.final
    portal.lies.refuse_at = {"start": (401, "handle-unknown", "Startkoden gäller inte.")}
    with pytest.raises(PortalRefused) as refusal:
        app.start(HANDLE)
    assert refusal.value.final


def test_a_portal_that_is_away_can_be_tried_again(app: EidAppClient, portal: LyingPortal, card: Card, tmp_path: Path) -> None:
    portal.lies.away_at = {"start"}
    with pytest.raises(PortalAway):
        app.start(HANDLE)
    with pytest.raises(PortalAway):
        EidAppClient("http://127.0.0.1:9", card).start(HANDLE)
    portal.lies.away_at = set()
    assert app.start(HANDLE).kind == "activate"


BAD = ["", "act.short", "xyz.AbCdEfGhIjKlMnOpQrStUv", f"{HANDLE}!", f"{HANDLE}\n", "act." + "å" * 22]


@pytest.mark.parametrize("handle", BAD)
def test_refuses_what_is_no_handle(handle: str, app: EidAppClient, portal: LyingPortal) -> None:
    with pytest.raises(BadHandle):
        app.start(handle)
    assert portal.calls == []


def test_the_prefix_of_a_start_code_chooses_the_site() -> None:
    tasks = Tasks("http://portal.example", "http://own.example")
    found = {
        prefix: tasks.open(f"{prefix}.AbCdEfGhIjKlMnOpQrStUv") for prefix in ("act", "sig", "unl", "oac", "osi", "oun", "fet")
    }
    assert {prefix: (task.kind, task.portal_url[7:-8]) for prefix, task in found.items()} == {
        "act": ("activate", "portal"), "sig": ("sign", "portal"), "unl": ("unlock", "portal"),
        "oac": ("activate", "own"), "osi": ("sign", "own"), "oun": ("unlock", "own"), "fet": ("fetch", "own"),
    }  # fmt: skip
