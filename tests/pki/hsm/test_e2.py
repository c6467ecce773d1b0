"""Points of the token boundary (E2) that are proven where the module counts its calls; the others are in `test_hsm*`."""

import datetime as dt
import threading

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from django.conf import settings

from pki import hsm
from pki.crl import building
from pki.hsm import Algorithm, Hsm, KeySpec, Scheme, sessions
from pki.hsm.module import module
from pki.models import Certificate
from siths_portal.lib import clock
from tests.pki.hsm.hsm_faults import argument_of, counted, intercepted
from tests.pki_fixtures import TEST_PIN, make_token


@pytest.fixture(scope="module")
def label() -> str:
    make_token("e2")
    return "e2"


@pytest.fixture
def token(label) -> Hsm:
    here = module(settings.PKCS11_MODULE, "auto")
    here.restart(here.generation)  # as a process that begins
    return Hsm(path=settings.PKCS11_MODULE, token_label=label, read_pin=lambda: TEST_PIN)


@pytest.fixture(scope="module")
def key(label) -> str:
    made = Hsm(path=settings.PKCS11_MODULE, token_label=label, read_pin=lambda: TEST_PIN)
    return made.generate(KeySpec(Algorithm.EC_P256, "e2/key")).key_id


def test_e2_4_one_log_in_and_no_more_sessions_than_the_limit(token, key):
    faults: list[Exception] = []

    def work() -> None:
        try:
            for _ in range(10):
                token.sign(key, b"x", Scheme.ECDSA_SHA256)
        except Exception as error:  # noqa: BLE001  (whatever it is, the test tells it)
            faults.append(error)

    with counted("C_Login") as logins, counted("C_OpenSession") as opened:
        threads = [threading.Thread(target=work) for _ in range(3 * sessions.MAX_SESSIONS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert faults == []
    assert logins == [0]
    assert 2 <= len(opened) <= sessions.MAX_SESSIONS + 1  # the one that is logged in does no work


def test_e2_5_no_session_is_closed_so_that_others_are_logged_out(token, key, monkeypatch):
    """Closing a session that was opened with a PIN logs all others out."""
    monkeypatch.setattr(sessions, "BACK_OFF_SECONDS", (0,))  # the circuit is not what is tried here
    token.sign(key, b"x", Scheme.ECDSA_SHA256)
    with counted("C_Logout") as logouts, counted("C_CloseAllSessions") as closed, counted("C_Login") as logins:
        made = token.generate(KeySpec(Algorithm.EC_P256, f"e2/{clock.now().timestamp()}"))  # in a session for writing
        with pytest.raises(hsm.HsmError):
            token.sign("00" * 20, b"x", Scheme.ECDSA_SHA256)  # a session in which something failed is closed
        with intercepted("C_Sign", lambda call: 0x5), pytest.raises(hsm.HsmError):
            token.sign(key, b"x", Scheme.ECDSA_SHA256)
    assert len(logouts) == len(closed) == 0
    assert len(logins) <= 1  # after the call that failed twice the module was begun anew
    token.sign(made, b"x", Scheme.ECDSA_SHA256)
    token.destroy(made)


def test_e2_14_what_is_large_is_hashed_here_and_its_digest_goes_to_the_token(world):
    now = clock.now()
    values = {"not_before": now, "not_after": now + dt.timedelta(days=9), "created_at": now}
    Certificate.objects.bulk_create(
        Certificate(
            ca=ca, serial=f"01{number:028X}", status="revoked", revoked_at=now, reason="superseded", status_version=0, **values
        )
        for ca in (world.first, world.second)
        for number in range(1, 501)
    )  # fmt: skip
    for ca, most in ((world.first, 19 + 32), (world.second, 48)):  # DigestInfo of SHA-256; a P-384 CA's digest
        with argument_of("C_Sign", 2) as lengths:
            building.publish_crl(ca.id)
        written = building.crl_path(ca).read_bytes()
        assert len(written) > 15_000
        assert lengths
        assert max(lengths) <= most
        found = x509.load_der_x509_crl(written)
        assert isinstance(found.signature_hash_algorithm, hashes.SHA256 | hashes.SHA384)
