"""Garbage for the signer of those who wait: serials without a stored answer, and nonces where the CA echoes them."""

import base64
import http.client
import os
import urllib.parse

import pytest
from cryptography.hazmat.primitives import hashes

from pki.ocsp import live as ocsp_live
from pki.ocsp import presigning
from pki.ocsp.publishing import Publisher
from tests.pki.ocsp.ocsp_oracle import Oracle
from tests.pki.ocsp.test_ocsp_core import mutations
from tests.pki.ocsp.test_ocsp_live import echo, nonce_of, signing
from tests.pki.ocsp.test_status_face import request_for, revoke
from tests.pki.ocspd.ocspd_stage import ask, in_the_end, ocspd

COUNT = 20_000 if os.environ.get("SITHS_LONG") else 400
ALGORITHMS = [hashes.SHA1(), hashes.SHA256()]
PER_SECOND = 200


def signatures() -> float:
    return ocsp_live._SIGNED.labels("signed")._value.get()


@pytest.mark.soak
@pytest.mark.timeout(600)
def test_what_only_a_signer_can_say_is_bounded_and_never_good_for_what_was_not_issued(world, tmp_path):
    """Certificates that the store knows without an answer, such that it does not know, and such that have one, by turns."""
    store = tmp_path / "ocsp"
    stored, pending, revoked = world.issue(), world.issue(), world.issue()
    presigning.presign([stored.id])
    revoke(revoked)
    other = world.issue(world.second)  # of a CA that leaves nonces out
    reserved, failed = world.issue(status="reserved"), world.issue(status="failed")
    echo(world.first)
    with Publisher(store) as made, signing(store, per_second=PER_SECOND):
        made.look()
        fresh = world.issue()  # since the publisher looked, which it does not do again
        late = [pending, revoked, other, fresh]
        oracle = Oracle(late=frozenset(int(row.serial, 16) for row in late))
        with ocspd(store, tmp_path / "log") as (url, process):
            rows = [stored, pending, revoked, other, fresh, reserved, failed]
            nonces = (None, b"n", b"n" * 32, b"n" * 128)
            ours = [request_for(row, algorithm, nonce=nonce) for row in rows for algorithm in ALGORITHMS for nonce in nonces]
            ours += [request_for(stored, serial=serial, nonce=nonce) for serial in (5, 1 << 118) for nonce in nonces]
            in_the_end(lambda: ask(url, request_for(stored, nonce=b"n" * 32)), lambda said: nonce_of(said) is not None)
            before = signatures()
            connection = http.client.HTTPConnection(urllib.parse.urlsplit(url).netloc, timeout=30)
            asked = [*ours, *mutations(COUNT, ours)]
            for turn, der in enumerate(asked):
                if turn % 2 and len(der) < 3000:
                    connection.request("GET", "/ocsp/" + urllib.parse.quote(base64.b64encode(der).decode(), safe=""))
                else:
                    connection.request("POST", "/ocsp", der)
                response = connection.getresponse()
                body = response.read()
                assert response.status == 200, der.hex()
                oracle.judge(der, body)
            assert 0 < signatures() - before <= len(asked)  # a question is signed for once, or not at all
            assert oracle.said["GOOD"] > 0
            assert oracle.said["REVOKED"] > 0
            assert process.poll() is None
            # When it is over each gets its answer, with its nonce.
            for row, expected in ((pending, "GOOD"), (revoked, "REVOKED"), (fresh, "GOOD")):
                said = in_the_end(
                    lambda row=row: ask(url, request_for(row, nonce=b"after")), lambda said: nonce_of(said) == b"after"
                )
                assert said.certificate_status.name == expected
            presigning.presign_due()
            made.look()
            truth = Oracle()
            for row in rows:
                der = request_for(row)
                truth.judge(der, ask(url, der).public_bytes(presigning.Encoding.DER))
