"""What the token boundary counts (E2.16)."""

import threading

import pytest
from django.conf import settings
from pkcs11 import exceptions
from prometheus_client import REGISTRY

from pki import hsm
from pki.hsm import Algorithm, Hsm, KeySpec, Scheme, metrics, sessions
from pki.hsm.module import module
from tests.pki.hsm.hsm_faults import finalise_behind_the_back, hanging, intercepted, wait_until_nobody_is_lost
from tests.pki_fixtures import TEST_PIN, make_token

CKR_DEVICE_MEMORY = 0x31


def value(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


@pytest.fixture
def token(request) -> Hsm:
    label = f"metrics-{abs(hash(request.node.name))}"[:32]
    make_token(label)
    return opened(label)


def opened(label: str, seconds: float = 60) -> Hsm:
    return Hsm(path=settings.PKCS11_MODULE, token_label=label, read_pin=lambda: TEST_PIN, call_seconds=seconds)


def test_signatures_are_timed_by_the_purpose_of_the_key(token):
    key = token.generate(KeySpec(Algorithm.EC_P256, "siths/test/function-g1/ca/2026-11"))
    mac = token.generate_mac_key("siths/test/audit-mac/2026")
    other = token.generate(KeySpec(Algorithm.EC_P256, "somebody's key"))
    before = {each: value("hsm_sign_seconds_count", purpose=each) for each in ("ca", "audit-mac", "other")}
    seconds = value("hsm_sign_seconds_sum", purpose="ca")
    for _ in range(3):
        token.sign(key, b"x", Scheme.ECDSA_SHA256)
    token.mac(mac, b"x")
    token.sign(other, b"x", Scheme.ECDSA_SHA256)
    after = {each: value("hsm_sign_seconds_count", purpose=each) for each in before}
    assert {each: after[each] - before[each] for each in before} == {"ca": 3, "audit-mac": 1, "other": 1}
    assert value("hsm_sign_seconds_sum", purpose="ca") > seconds


def test_errors_are_counted_by_the_standards_names(token):
    key = token.generate(KeySpec(Algorithm.EC_P256, "metrics/errors"))
    before = value("hsm_errors_total", ckr="CKR_DEVICE_MEMORY")
    with intercepted("C_Sign", lambda call: CKR_DEVICE_MEMORY), pytest.raises(hsm.HsmError):
        token.sign(key, b"x", Scheme.ECDSA_SHA256)
    assert value("hsm_errors_total", ckr="CKR_DEVICE_MEMORY") == before + 1


def test_a_wrong_pin_is_counted(token, monkeypatch):
    monkeypatch.setattr(sessions, "_refused_pins", {})
    wrong = Hsm(path=settings.PKCS11_MODULE, token_label=token.token_label, read_pin=lambda: "000000")
    before = value("hsm_errors_total", ckr="CKR_PIN_INCORRECT")
    for _ in range(2):
        with pytest.raises(hsm.HsmPinError):
            wrong.random(8)
    assert value("hsm_errors_total", ckr="CKR_PIN_INCORRECT") == before + 1


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_reconnect_is_counted(token):
    token.random(8)
    before = value("hsm_reconnects_total")
    lost = value("hsm_errors_total", ckr="CKR_CRYPTOKI_NOT_INITIALIZED")
    finalise_behind_the_back()
    token.random(8)
    assert value("hsm_reconnects_total") == before + 1
    assert value("hsm_errors_total", ckr="CKR_CRYPTOKI_NOT_INITIALIZED") == lost + 1


def test_sessions_at_work_and_the_open_circuit_are_shown(token):
    key = token.generate(KeySpec(Algorithm.EC_P256, "metrics/sessions"))
    in_use, is_open = ("hsm_sessions_in_use", "hsm_circuit_open")
    given_up = value("hsm_calls_given_up_total")
    assert value(in_use, token=token.token_label) == 0
    with hanging("C_Sign") as inside:
        thread = threading.Thread(target=token.sign, args=(key, b"x", Scheme.ECDSA_SHA256))
        thread.start()
        assert inside.acquire(timeout=30)
        assert value(in_use, token=token.token_label) == 1
    thread.join()
    assert value(in_use, token=token.token_label) == 0
    with hanging("C_Sign"), pytest.raises(hsm.HsmUnavailable):
        opened(token.token_label, 1).sign(key, b"x", Scheme.ECDSA_SHA256)
    assert value(in_use, token=token.token_label) == 0
    wait_until_nobody_is_lost()
    assert value("hsm_calls_given_up_total") == given_up + 1
    assert value(is_open, token=token.token_label) == 1
    module(settings.PKCS11_MODULE, "auto").pool(token.token_label)._closed_until = 0.0
    token.random(8)
    assert value(is_open, token=token.token_label) == 0


def test_names_of_errors_are_the_standards():
    assert metrics.ckr(exceptions.SlotIDInvalid()) == "CKR_SLOT_ID_INVALID"
    assert metrics.ckr(exceptions.UserNotLoggedIn()) == "CKR_USER_NOT_LOGGED_IN"
    assert metrics.ckr(exceptions.RandomNoRNG()) == "CKR_RANDOM_NO_RNG"
    assert metrics.ckr(exceptions.PKCS11Error("Unmapped error code 0x1a2")) == "CKR_0x1a2"
    assert metrics.ckr(exceptions.PKCS11Error("a text")) == "CKR_UNKNOWN"


def test_a_purpose_is_read_of_our_labels_alone():
    assert metrics.purpose_of("siths/demo/person-id-3-g1/ocsp/2026-11-25-2") == "ocsp"
    assert metrics.purpose_of("siths/demo/secret-derive/2026") == "secret-derive"
    assert metrics.purpose_of("siths/demo/kek/2026 of somebody") == "other"
    assert metrics.purpose_of("") == "other"
