"""Many signatures in one call: each has the limit of a call, and after a fault it is known which were made and which begun."""

import threading
import time

import pytest
from django.conf import settings

from pki import hsm
from pki.hsm import Algorithm, Hsm, KeySpec, Scheme, sessions
from pki.hsm.keys import verify
from tests.pki.hsm.hsm_faults import counted, finalise_behind_the_back, hanging, intercepted, nth, wait_until_nobody_is_lost
from tests.pki_fixtures import TEST_PIN, make_token

CKR_DATA_LEN_RANGE = 0x21
DATA = [f"certificate {number}".encode() for number in range(5)]


def opened(seconds: float = 30) -> Hsm:
    return Hsm(path=settings.PKCS11_MODULE, token_label="hsm-many", read_pin=lambda: TEST_PIN, call_seconds=seconds)


@pytest.fixture(scope="module")
def keys():
    make_token("hsm-many")
    made = {Scheme.RSA_SHA256: Algorithm.RSA_2048, Scheme.ECDSA_SHA256: Algorithm.EC_P256, Scheme.ECDSA_SHA384: Algorithm.EC_P384}
    return {scheme: opened().generate(KeySpec(algorithm, f"many/{scheme}")) for scheme, algorithm in made.items()}


@pytest.fixture
def key(keys, monkeypatch):
    monkeypatch.setattr(sessions, "BACK_OFF_SECONDS", (0,))
    return keys[Scheme.ECDSA_SHA256]


def assert_signed(key, signatures, data=DATA) -> None:
    public = opened().public_key(key)
    for signature, each in zip(signatures, data, strict=True):
        verify(public, signature, each, Scheme.ECDSA_SHA256)


@pytest.mark.parametrize("scheme", [Scheme.RSA_SHA256, Scheme.ECDSA_SHA256, Scheme.ECDSA_SHA384])
def test_many_are_signed_in_their_order(keys, scheme):
    signed = opened().sign_all(keys[scheme], DATA, scheme)
    assert signed.error is None
    public = opened().public_key(keys[scheme])
    for signature, data in zip(signed.made, DATA, strict=True):
        verify(public, signature, data, scheme)
    assert opened().sign_all(keys[scheme], [], scheme) == hsm.Signatures(())


def test_what_the_token_refuses_keeps_what_was_signed_before(key):
    with intercepted("C_SignInit", nth(2, lambda _call: CKR_DATA_LEN_RANGE)):
        signed = opened().sign_all(key, DATA, Scheme.ECDSA_SHA256)
    assert_signed(key, signed.made, DATA[:2])
    assert type(signed.error) is hsm.HsmError
    assert signed.error.began


def test_after_a_reconnect_it_goes_on_where_it_was(key):
    def die(call):
        finalise_behind_the_back()
        return call()

    with intercepted("C_SignInit", nth(2, die)), counted("C_SignInit") as begun:
        signed = opened().sign_all(key, DATA, Scheme.ECDSA_SHA256)
    assert signed.error is None
    assert_signed(key, signed.made)
    assert begun.count(0) == len(DATA)


def test_a_key_that_is_not_there_has_begun_nothing(keys):
    signed = opened().sign_all("00" * 20, DATA, Scheme.ECDSA_SHA256)
    assert signed.made == ()
    assert isinstance(signed.error, hsm.HsmKeyMissing)
    assert not signed.error.began


def test_one_that_hangs_is_given_up_and_none_is_begun_after_it(key):
    with counted("C_SignInit") as begun, hanging("C_Sign") as inside:
        signed = opened(1.0).sign_all(key, DATA, Scheme.ECDSA_SHA256)
        assert inside.acquire(timeout=30)
    assert signed.made == ()
    assert isinstance(signed.error, hsm.HsmUnavailable)
    assert signed.error.began
    wait_until_nobody_is_lost()
    assert len(begun) == 1  # the thread came back, and saw that nobody waits


def test_each_signature_has_the_limit_of_a_call(key):
    """Twelve that take 0.4 s each, in a call that may take 4 s: the machine has the rest to be slow."""

    def slowly(call):
        threading.Event().wait(0.4)
        return call()

    data = [f"certificate {number}".encode() for number in range(12)]
    with intercepted("C_SignInit", slowly):
        signed = opened(4.0).sign_all(key, data, Scheme.ECDSA_SHA256)
    assert signed.error is None
    assert_signed(key, signed.made, data)


def test_none_is_begun_when_the_time_is_out(key):
    out = threading.Event()

    def last(call):
        out.wait(until - time.monotonic() + 0.01)
        return call()

    until = time.monotonic() + 0.5
    with intercepted("C_SignInit", nth(1, last)):
        signed = opened().sign_all(key, DATA, Scheme.ECDSA_SHA256, until=until)
    assert signed.error is None
    assert_signed(key, signed.made, DATA[: len(signed.made)])
    assert len(signed.made) <= 2
    assert opened().sign_all(key, DATA, Scheme.ECDSA_SHA256, until=time.monotonic()).made == ()
