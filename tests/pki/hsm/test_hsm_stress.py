"""Two processes, four threads each, sign while the token is finalised behind their backs (F10.5)."""

import json
import os
import subprocess
import sys

import pytest
from django.conf import settings

from pki.hsm import Algorithm, Hsm, KeySpec, Scheme
from pki.hsm.keys import verify
from tests.pki_fixtures import TEST_PIN, make_token

LONG = bool(os.environ.get("SITHS_LONG"))
COUNT = 500 if LONG else 50
PROCESSES = 2


@pytest.fixture(scope="module")
def key():
    make_token("hsm-stress")
    token = Hsm(path=settings.PKCS11_MODULE, token_label="hsm-stress", read_pin=lambda: TEST_PIN)
    return token.generate(KeySpec(Algorithm.EC_P256, "stress/ec")), token


@pytest.mark.soak
@pytest.mark.parametrize("locking", ["os", "global"])
def test_every_signature_verifies_while_the_token_is_finalised_behind_their_backs(key, locking):
    ref, token = key
    command = [sys.executable, "-m", "tests.pki.hsm.hsm_stress", token.token_label, ref.key_id, locking, str(COUNT)]
    started = [
        subprocess.Popen(command, cwd=settings.BASE_DIR, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(PROCESSES)
    ]
    public = token.public_key(ref)
    for process in started:
        out, told = process.communicate(timeout=280)
        assert process.returncode == 0, told[-2000:]
        result = json.loads(out.splitlines()[-1])
        assert result["faults"] == []
        assert len(result["signed"]) == 4 * COUNT
        for data, signature in result["signed"]:
            verify(public, bytes.fromhex(signature), data.encode(), Scheme.ECDSA_SHA256)
        assert result["finalised"] >= 4 * COUNT // 40 - 1
        assert 0 < result["reconnects"] <= result["finalised"] + 1
        assert result["again"] <= result["reconnects"]
