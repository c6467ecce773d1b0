"""OCSP answers that are signed while the relying party waits: nonces (RFC 9654), and certificates without a stored answer."""

import base64
import contextlib
import datetime as dt
import io
import itertools
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from functools import partial

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509 import ocsp as x509_ocsp
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connection

from pki.models import Certificate, Event, OcspResponse, OcspSigner, OcspUnknown
from pki.ocsp import live as ocsp_live
from pki.ocsp import nonces, presigning
from pki.ocsp import unknown as ocsp_unknown
from pki.ocsp.publishing import Publisher
from pki.ocspd import layout, signer_client
from pki.ocspd.app import Live, SigningRequest
from siths_portal.lib import clock
from siths_portal.lib.errors import Invalid, NotFound
from tests.pki.ocsp.status_world import HOLDER_KEY
from tests.pki.ocsp.test_status_face import request_for, revoke
from tests.pki.ocsp.test_status_wire import Wire
from tests.pki.ocspd.ocspd_stage import Served, Status, ask, in_the_end, ocspd, told
from tests.pki.workers import forget_messages
from tests.waiting import wait_for

ALGORITHMS = [hashes.SHA1(), hashes.SHA256()]
by_each_hash = pytest.mark.parametrize("algorithm", ALGORITHMS, ids=lambda each: each.name)


def echo(ca) -> None:
    nonces.set_policy(slug=ca.slug, generation=ca.generation, policy="echo", actor_ref="operator:test")


@contextlib.contextmanager
def signing(folder, **options):
    """The signer of a store, as the worker's thread."""
    ended = threading.Event()
    server = ocsp_live.SigningServer(folder, ocsp_live.Signer(**{"per_second": 10_000} | options))

    def serve():
        try:
            server.serve(ended)
        finally:
            connection.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield server
    finally:
        ended.set()
        thread.join(30)
        server.close()


@pytest.fixture
def running(world, tmp_path):
    """Two workers of the responder, a publisher in this process, and a signer beside them."""
    store = tmp_path / "ocsp"
    with Publisher(store) as made, signing(store):
        echo(world.first)
        made.look()
        with ocspd(store, tmp_path / "log") as (url, _):
            yield url, made


def nonce_of(response):
    """The nonce that an answer carries; None without one."""
    try:
        return response.extensions.get_extension_for_class(x509.OCSPNonce).value.nonce
    except x509.ExtensionNotFound:
        return None


def echoed(url, row, nonce, algorithm=None) -> x509_ocsp.OCSPResponse:
    """The answer that carries the nonce. One without it may come before, when the signer is late, and never another's."""
    response = in_the_end(
        lambda: ask(url, request_for(row, algorithm, nonce=nonce)),
        lambda said: said.response_status == Status.SUCCESSFUL and nonce_of(said) is not None,
    )
    assert nonce_of(response) == nonce
    return response


def is_said(response) -> bool:
    """Whether it is more than that the signer is late, where there is no stored answer to fall back on."""
    return response.response_status != Status.TRY_LATER


def is_answered(response) -> bool:
    """Whether it is an answer that somebody signed."""
    return response.response_status == Status.SUCCESSFUL


def question(row, *, hash_name="sha256", nonce=b"", number=1, serial=None, wait=60.0):
    serial = serial or int(row.serial, 16)
    return ocsp_live.Question(number, time.monotonic() + wait, hash_name, row.ca_id, serial, nonce)


def signed(packet) -> x509_ocsp.OCSPResponse | None:
    """The answer that a packet holds; None for one that says nothing."""
    _, said, *_ = signer_client.ANSWER.unpack_from(packet)
    return x509_ocsp.load_der_ocsp_response(packet[signer_client.ANSWER.size :]) if said else None


# --- over the wire ----------------------------------------------------------------------------------------------------------


def test_b1_27_a_nonce_is_echoed_for_a_ca_that_says_so(running, world):
    url, made = running
    row, other = world.issue(), world.issue(world.second)
    presigning.presign([row.id, other.id])
    made.look()
    wait_for(lambda: nonce_of(ask(url, request_for(row, nonce=b"n" * 32))) == b"n" * 32)
    for algorithm, length in itertools.product(ALGORITHMS, (1, 15, 16, 32, 33, 127, 128)):
        nonce = random.Random(length).randbytes(length)
        response = echoed(url, row, nonce, algorithm)
        assert response.serial_number == int(row.serial, 16)
        assert response.hash_algorithm.name == algorithm.name
        signer = OcspSigner.objects.get(ca=world.first)
        assert response.certificates[0].public_bytes(presigning.Encoding.DER) == bytes(signer.certificate_der)
        presigning.verify(response.certificates[0], response.tbs_response_bytes, response.signature)
        assert response.this_update_utc <= response.produced_at_utc < response.next_update_utc
        assert nonce_of(ask(url, request_for(other, algorithm, nonce=nonce))) is None  # of a CA that leaves them out
    for algorithm, length in itertools.product(ALGORITHMS, (0, 129, 5000)):
        assert ask(url, request_for(row, algorithm, nonce=b"n" * length)).response_status == Status.MALFORMED_REQUEST
    revoke(row)
    made.look()
    for algorithm in ALGORITHMS:
        response = in_the_end(partial(ask, url, request_for(row, algorithm, nonce=b"r" * 32)), is_said)
        assert (nonce_of(response), response.certificate_status.name) == (b"r" * 32, "REVOKED")


def test_openssl_and_gnutls_see_their_nonce_again(running, world, tmp_path):
    url, made = running
    row = world.issue()
    presigning.presign([row.id])
    made.look()
    wait_for(lambda: nonce_of(ask(url, request_for(row, nonce=b"n" * 32))) is not None)
    wire = Wire(url, world, tmp_path)
    for expected in ("good", "revoked"):
        late = "no nonce in response" if expected == "good" else "Responder Error: trylater"  # the store's, without a signer
        for digest in ("-sha1", "-sha256"):
            text = in_the_end(partial(wire.ask, row, digest, "-nonce"), lambda text, late=late: late not in text)
            assert "Response verify OK" in text, digest
            assert "no nonce in response" not in text, digest
            assert f"certificate.pem: {expected}" in text, digest
        late = "could not read response's nonce" if expected == "good" else "tryLater"
        text = in_the_end(partial(with_nonce_by_gnutls, url, wire), lambda text, late=late: late not in text)
        assert f"Certificate Status: {expected}" in text, text
        assert "Verifying OCSP Response: Success" in text
        assert "Nonce" in text
        if expected == "good":
            revoke(row)
            made.look()


def with_nonce_by_gnutls(url, wire) -> str:
    """What GnuTLS says, which is content with its own nonce alone."""
    command = ["ocsptool", f"--ask={url}/ocsp", "--nonce", "--load-cert", wire.certificate, "--load-issuer", wire.issuer]
    done = subprocess.run(
        [*map(str, command), "--load-trust", str(wire.bundle)], capture_output=True, text=True, timeout=60, check=False
    )
    return done.stdout + done.stderr


def test_what_was_just_issued_is_answered_before_anything_is_stored(running, world):
    """The publisher does not look meanwhile: neither the certificate nor an answer for it is in the store."""
    url, _ = running
    row, reserved, failed = world.issue(), world.issue(status="reserved"), world.issue(status="failed")
    for algorithm in ALGORITHMS * 2:
        wait_for(lambda algorithm=algorithm: told(url, request_for(row, algorithm)) == "GOOD")
    for algorithm in ALGORITHMS:
        for der in (request_for(reserved, algorithm), request_for(failed, algorithm)):
            assert told(url, der) == "UNAUTHORIZED"
    assert not OcspResponse.objects.filter(certificate=row).exists()


def test_a_status_that_no_stored_answer_tells_of_is_told(running, world):
    url, made = running
    row = world.issue()
    presigning.presign([row.id])
    made.look()
    wait_for(lambda: told(url, request_for(row)) == "GOOD")
    revoke(row, reason="keyCompromise")
    made.look()
    response = in_the_end(partial(ask, url, request_for(row)), is_said)
    assert (response.certificate_status.name, response.revocation_reason.name) == ("REVOKED", "key_compromise")


def test_many_who_wait_get_their_own_answers(running, world):
    """More at once than may be under way: some by the signer, the others from the store, each for its own certificate."""
    url, made = running
    rows = [world.issue() for _ in range(4)]
    presigning.presign([row.id for row in rows])
    made.look()
    wait_for(lambda: nonce_of(ask(url, request_for(rows[0], nonce=b"n" * 32))) is not None)
    wrong, echoed = [], []

    def client(number):
        for turn in range(20):
            row, nonce = rows[(number + turn) % 4], f"{number} {turn}".encode()
            response = ask(url, request_for(row, nonce=nonce))
            echoed.append(nonce_of(response))
            if response.serial_number != int(row.serial, 16) or nonce_of(response) not in (None, nonce):
                wrong.append(nonce)

    threads = [threading.Thread(target=client, args=[number]) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert wrong == []
    assert len(echoed) == 320
    assert any(echoed)


def test_without_a_signer_the_store_answers(world, tmp_path):
    """None was there, one ends, one is there and says nothing: the stored answer without a nonce, or `tryLater`."""
    store, row, fresh = tmp_path / "ocsp", world.issue(), world.issue()
    echo(world.first)
    presigning.presign([row.id])
    asked = request_for(row, nonce=b"n" * 32)
    with Publisher(store) as made:
        made.look()
        with ocspd(store, tmp_path / "log", workers=1) as (url, _):
            assert nonce_of(ask(url, asked)) is None
            assert told(url, request_for(fresh)) == "TRY_LATER"
            with signing(store):
                wait_for(lambda: nonce_of(ask(url, asked)) == b"n" * 32)
                wait_for(lambda: told(url, request_for(fresh)) == "GOOD")
            wait_for(lambda: nonce_of(ask(url, asked)) is None)
            (store / signer_client.NAME).unlink()
            with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as mute:
                mute.bind(str(store / signer_client.NAME))
                mute.listen(5)
                mute.settimeout(60)
                held, _ = mute.accept()
                assert told(url, asked) == "GOOD"
                assert nonce_of(ask(url, asked)) is None
                assert told(url, request_for(fresh)) == "TRY_LATER"
                held.settimeout(60)
                assert len(held.recv(signer_client.PACKET)) == signer_client.QUESTION.size + 32
                held.send(b"nonsense")
                assert nonce_of(ask(url, asked)) is None


def test_others_are_answered_while_one_waits(world, tmp_path):
    """One process, and a signer that says nothing: a request without a nonce does not stand behind those that wait."""
    store, row = tmp_path / "ocsp", world.issue()
    echo(world.first)
    presigning.presign([row.id])
    with Publisher(store) as made, socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as mute:
        made.look()
        mute.bind(str(store / signer_client.NAME))
        mute.listen(5)
        mute.settimeout(60)
        with ocspd(store, tmp_path / "log", workers=1) as (url, _):
            held, _ = mute.accept()
            ended = []

            def wait():
                ended.append(nonce_of(ask(url, request_for(row, nonce=b"n" * 32))))

            threads = [threading.Thread(target=wait) for _ in range(5)]
            for thread in threads:
                thread.start()
            held.settimeout(60)
            for _ in threads:
                held.recv(signer_client.PACKET)
            assert told(url, request_for(row)) == "GOOD"
            for thread in threads:
                thread.join(60)
            assert ended == [None] * 5


def test_a_killed_worker_leaves_the_others_their_signer(running, world, tmp_path):
    url, made = running
    row = world.issue()
    presigning.presign([row.id])
    made.look()
    with ocspd(made.folder, tmp_path / "second.log", workers=1) as (other, process):
        wait_for(lambda: nonce_of(ask(other, request_for(row, nonce=b"n" * 32))) is not None)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(30)
    wait_for(lambda: nonce_of(ask(url, request_for(row, nonce=b"n" * 32))) == b"n" * 32)


def test_an_answer_with_a_nonce_is_for_no_cache(running, world):
    url, made = running
    row = world.issue()
    presigning.presign([row.id])
    made.look()
    tail = base64.b64encode(request_for(row, nonce=b"\x00" * 32)).decode().replace("/", "%2F").replace("+", "%2B")

    def got():
        with urllib.request.urlopen(f"{url}/ocsp/{tail}", timeout=30) as response:
            return x509_ocsp.load_der_ocsp_response(response.read()), response.headers

    _, headers = in_the_end(got, lambda said: nonce_of(said[0]) is not None)
    assert not {"ETag", "Expires", "Cache-Control", "Last-Modified"} & set(headers)


# --- the signer -------------------------------------------------------------------------------------------------------------


@by_each_hash
def test_it_says_what_the_database_says(world, algorithm):
    good, revoked, reserved, failed = (
        world.issue(), world.issue(), world.issue(status="reserved"), world.issue(status="failed")
    )  # fmt: skip
    revoke(revoked)
    rows = [good, revoked, reserved, failed]
    signer = ocsp_live.Signer(per_second=100)
    said = signer.answer(
        [question(row, hash_name=algorithm.name, number=7) for row in rows] + [question(good, serial=4711, number=9)]
    )
    answers = [signed(said[place]) for place in range(5)]
    assert [each.certificate_status.name if each else None for each in answers] == ["GOOD", "REVOKED", None, None, "UNKNOWN"]
    assert [signer_client.ANSWER.unpack_from(said[place])[0] for place in range(5)] == [7, 7, 7, 7, 9]
    _, _, version, this_update, next_update = signer_client.ANSWER.unpack_from(said[1])
    assert version == Certificate.objects.get(id=revoked.id).status_version
    assert this_update == answers[1].this_update_utc.timestamp()
    assert next_update == answers[1].next_update_utc.timestamp()


def test_b1_24_who_asks_first_for_a_serial_that_was_never_issued_gets_a_signed_unknown(running, world):
    """Live, with his nonce where the CA echoes it; of a CA that leaves nonces out without it."""
    url, _ = running
    row, other = world.issue(), world.issue(world.second)
    for each, nonce in ((row, b"n" * 32), (row, None), (other, b"n" * 32), (other, None)):
        serial = 0x47110000 + int.from_bytes(nonce or b"") % 7 + each.ca_id * 100
        response = in_the_end(partial(ask, url, request_for(each, serial=serial, nonce=nonce)), is_answered)
        assert (response.certificate_status.name, response.serial_number) == ("UNKNOWN", serial)
        assert nonce_of(response) == (nonce if each is row else None)
        presigning.verify(response.certificates[0], response.tbs_response_bytes, response.signature)
        assert response.next_update_utc - response.this_update_utc == ocsp_unknown.LIFETIME
    assert not OcspUnknown.objects.exists()  # till the publisher hears of it


def test_many_invented_serials_get_few_signatures(world, monkeypatch):
    monkeypatch.setattr(time, "monotonic", lambda: 1000.25)
    row, count = world.issue(), ocsp_live.UNKNOWN_EACH_SECOND
    asked = [
        *(question(row, serial=serial) for serial in range(1, count + 11)),
        question(row),
        question(world.issue(world.second)),
    ]
    said = ocsp_live.Signer(per_second=100).answer(asked)
    answers = [signed(said[place]) for place in range(len(asked))]
    assert [each.certificate_status.name for each in answers if each] == ["UNKNOWN"] * count + ["GOOD", "GOOD"]
    assert sum(signed(each) is not None for each in ocsp_live.Signer(per_second=3).answer(asked[:count]).values()) == 3


def test_invented_serials_cost_certificates_nothing_however_few_signatures_there_are(world, monkeypatch):
    monkeypatch.setattr(time, "monotonic", lambda: 1000.25)
    row, signer = world.issue(), ocsp_live.Signer(per_second=3)
    assert all(map(signed, signer.answer([question(row, serial=serial) for serial in (1, 2, 3)]).values()))
    assert [signed(each) is not None for each in signer.answer([question(row)] * 4).values()] == [True] * 3 + [False]
    assert not any(map(signed, signer.answer([question(row, serial=4)]).values()))


def test_a_nonce_that_is_left_out_keeps_nobody_from_an_answer(world, served):
    """OpenSSL sends one unless it is told not to."""
    row = world.issue(world.second)
    served.publisher.look()
    served.responder.live = True
    found = served.responder.post(request_for(row, nonce=b"n" * 32))
    assert isinstance(found, SigningRequest)
    assert found.nonce == b""


def test_an_unknown_that_was_signed_live_is_wished_for_and_gives_way(world, served):
    row = world.issue()
    asked = wanted(served, request_for(row, serial=99))
    packet = ocsp_live.Signer(per_second=9).answer([question(row, serial=99)])[0]
    _, _, *known = signer_client.ANSWER.unpack_from(packet)
    said = Live(*known, packet[signer_client.ANSWER.size :])
    assert body(served.responder.settle(asked, said)).certificate_status.name == "UNKNOWN"
    served.responder._refresh_requests._write()
    assert served.publisher.grant() == 1
    assert ocsp_unknown.sign() == 1
    served.publisher.look()
    assert served.told(request_for(row, serial=99)) == "UNKNOWN"
    world.store(row.ca, certified(world, row.ca, 99))
    served.publisher.look()
    assert body(served.responder.settle(asked, said)).response_status == Status.TRY_LATER


def certified(world, ca, serial) -> x509.Certificate:
    now = clock.now().replace(microsecond=0)
    builder = world.builder(ca, "Late", HOLDER_KEY.public_key(), now, now + dt.timedelta(days=9))
    builder._serial_number = serial
    return builder.sign(world.token.private_key(ca.key_id), hashes.SHA256())


def test_no_nonce_is_signed_for_a_ca_that_leaves_them_out(world):
    row = world.issue()
    signer = ocsp_live.Signer(per_second=100)
    assert signed(signer.answer([question(row, nonce=b"n" * 16)])[0]) is None
    echo(world.first)
    assert nonce_of(signed(signer.answer([question(row, nonce=b"n" * 16)])[0])) == b"n" * 16


def test_signatures_are_bounded_for_each_ca(world, monkeypatch):
    monkeypatch.setattr(time, "monotonic", lambda: 1000.25)
    rows = [world.issue() for _ in range(8)]
    other = world.issue(world.second)
    signer = ocsp_live.Signer(per_second=3)
    said = signer.answer([question(row) for row in [*rows, other]])
    assert [signed(said[place]) is not None for place in range(9)] == [True] * 3 + [False] * 5 + [True]
    assert signed(signer.answer([question(rows[0])])[0]) is None
    monkeypatch.setattr(time, "monotonic", lambda: 1001.25)
    assert signed(signer.answer([question(rows[0])])[0]) is not None


def test_what_nobody_waits_for_any_more_is_not_signed(world):
    row = world.issue()
    assert signed(ocsp_live.Signer(per_second=9).answer([question(row, wait=-0.1)])[0]) is None


def test_without_a_responder_or_with_a_revoked_one_nothing_is_signed(world):
    row = world.issue()
    OcspSigner.objects.filter(ca=world.first).update(retired_at=clock.now())
    assert signed(ocsp_live.Signer(per_second=9).answer([question(row)])[0]) is None


def test_with_the_token_or_the_database_away_nothing_is_said(world, monkeypatch):
    from django.db import OperationalError

    from pki.hsm import HsmUnavailable

    row, signer = world.issue(), ocsp_live.Signer(per_second=9)

    def away(*_arguments):
        raise HsmUnavailable("away")

    with monkeypatch.context() as patched:
        patched.setattr(presigning, "delegated_responder", away)
        assert signed(signer.answer([question(row)])[0]) is None
    assert signed(signer.answer([question(row)])[0]) is not None
    with monkeypatch.context() as patched:
        patched.setattr(ocsp_live.ocsp_feed, "named", lambda _: (_ for _ in ()).throw(OperationalError))
        assert signed(signer.answer([question(row)])[0]) is None
    assert signed(signer.answer([question(row)])[0]) is not None


@pytest.mark.parametrize(
    "packet",
    [
        b"",
        b"x" * (signer_client.QUESTION.size - 1),
        signer_client.QUESTION.pack(1, 0.0, 1, layout.key(1, 5)) + b"n" * 129,
        signer_client.QUESTION.pack(1, 0.0, 1, layout.key(1, 0)),
        signer_client.QUESTION.pack(1, 0.0, 1, layout.key(1, (1 << 160) - 1)),
        signer_client.QUESTION.pack(1, 0.0, 1, layout.key((1 << 32) - 1, 5)),
    ],
    ids=["empty", "short", "a nonce too long", "zero", "a serial too long", "a CA that cannot be"],
)
def test_what_is_no_question_is_not_read(packet):
    with pytest.raises(ValueError, match=r"length|serial"):
        ocsp_live.Question.read(packet)


def test_one_signs_for_a_store_and_its_socket_is_for_owner_and_group(tmp_path):
    with signing(tmp_path):
        assert (tmp_path / signer_client.NAME).stat().st_mode & 0o707 == 0o600
        with pytest.raises(ocsp_live.SocketInUse):
            ocsp_live.SigningServer(tmp_path, ocsp_live.Signer(per_second=1))
    with signing(tmp_path):  # a socket that lies there from before is no obstacle
        assert (tmp_path / signer_client.NAME).exists()


def test_the_worker_waits_for_its_turn_and_takes_it(tmp_path, monkeypatch):
    monkeypatch.setattr(settings, "PKI_OCSP_STORE_DIR", tmp_path)
    monkeypatch.setattr(ocsp_live, "AGAIN", 0.05)
    with signing(tmp_path):
        ended = ocsp_live.start()
    caller = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)

    def connected():
        try:
            caller.connect(str(tmp_path / signer_client.NAME))
        except OSError:
            return False
        return True

    wait_for(connected)
    caller.settimeout(30)
    caller.send(b"nonsense")
    assert caller.recv(100) == b""
    caller.close()
    ended.set()


# --- the responder's side ---------------------------------------------------------------------------------------------------


@pytest.fixture
def served(world, tmp_path):
    made = Served(tmp_path / "ocsp")
    yield made
    made.close()


def wanted(served, der) -> SigningRequest:
    served.responder.live = True
    found = served.responder.post(der)
    assert isinstance(found, SigningRequest)
    return found


def body(payload) -> x509_ocsp.OCSPResponse:
    return x509_ocsp.load_der_ocsp_response(payload.partition(b"\r\n\r\n")[2])


def test_a_signers_answer_does_not_count_once_the_store_knows_better(world, served):
    """It was signed before the revocation and comes after it."""
    row = world.issue()
    asked = wanted(served, request_for(row))
    packet = ocsp_live.Signer(per_second=9).answer([question(row)])[0]
    _, _, *known = signer_client.ANSWER.unpack_from(packet)
    said = Live(*known, packet[signer_client.ANSWER.size :])
    assert body(served.responder.settle(asked, said)).certificate_status.name == "GOOD"
    revoke(row)
    served.publisher.look()
    assert body(served.responder.settle(asked, said)).response_status == Status.TRY_LATER
    presigning.presign([row.id])
    served.publisher.look()
    assert body(served.responder.settle(asked, said)).certificate_status.name == "REVOKED"


def test_a_signers_answer_counts_within_its_times(world, served):
    row = world.issue()
    asked = wanted(served, request_for(row))
    now = int(clock.timestamp())
    for times in ((now + 60, now + 120), (now - 120, now - 60)):
        assert body(served.responder.settle(asked, Live(9, *times, b"x"))).response_status == Status.UNAUTHORIZED


def test_what_the_store_holds_is_asked_of_nobody(world, served):
    row, other = world.issue(), world.issue(world.second)
    presigning.presign([row.id, other.id])
    served.publisher.look()
    served.responder.live = True
    for each in (row, other):
        for nonce in (None, b"n" * 32):
            assert isinstance(served.responder.post(request_for(each, nonce=nonce)), bytes)
    OcspSigner.objects.filter(ca=world.second).update(retired_at=clock.now())
    served.publisher.look()
    served.responder._routes._looked_at = 0.0
    assert isinstance(served.responder.post(request_for(other, serial=99)), bytes)  # nobody signs for this CA


class Loop:
    """Stands for the event loop: reads are made by hand."""

    def add_reader(self, *_arguments) -> None:
        """Nothing."""

    def remove_reader(self, *_arguments) -> None:
        """Nothing."""


@pytest.fixture
def mute(world, served):
    """A line, and the other end of it."""
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listening.bind(str(served.folder / signer_client.NAME))
    listening.listen(1)
    made = signer_client.SignerClient(served.folder, served.responder, Loop())
    made.tick()
    other, _ = listening.accept()
    other.setblocking(False)
    yield made, other
    made.close()
    other.close()
    listening.close()


def packets(other):
    found = []
    with contextlib.suppress(BlockingIOError):
        while True:
            found.append(other.recv(signer_client.PACKET))
    return found


def test_questions_under_way_are_bounded_and_those_for_one_thing_are_one(world, served, mute):
    made, other = mute
    row, said = world.issue(), []
    one = wanted(served, request_for(row))
    assert all(made.ask(one, said.append) for _ in range(200))
    assert len(packets(other)) == 1
    many = [one._replace(key=layout.key(row.ca_id, serial)) for serial in range(1, 200)]
    taken = [made.ask(each, said.append) for each in many]
    assert sum(taken) == signer_client.AT_ONCE - 1 == len(packets(other))
    assert said == []
    deadline = time.monotonic() + signer_client.WAIT
    wait_for(lambda: time.monotonic() > deadline)
    made.tick()
    assert said == [None] * (200 + signer_client.AT_ONCE - 1)
    assert made.ask(many[-1], said.append)


def test_questions_a_second_are_bounded(world, served, mute):
    made, other = mute
    one, count = wanted(served, request_for(world.issue())), 0
    for serial in range(1, 10_000):
        if made.ask(one._replace(key=layout.key(1, serial)), lambda _: None):
            count += 1
            number, *_ = signer_client.QUESTION.unpack_from(other.recv(signer_client.PACKET))
            other.send(signer_client.ANSWER.pack(number, 0, 0, 0, 0))
            made._read()
    assert count == signer_client.MISSING_EACH_SECOND
    # Those with a nonce, and those for what the store knows of, have bounds of their own.
    assert made.ask(one._replace(nonce=b"n"), lambda _: None)
    row = world.issue()
    assert not made.ask(wanted(served, request_for(row)), lambda _: None)
    served.publisher.look()
    assert made.ask(wanted(served, request_for(row)), lambda _: None)


def test_a_line_that_breaks_lets_all_go_on(world, served, mute):
    made, other = mute
    said = []
    assert made.ask(wanted(served, request_for(world.issue())), said.append)
    other.close()
    made._read()
    assert (said, served.responder.live) == ([None], False)
    assert not made.ask(wanted(served, request_for(world.issue())), said.append)


# --- the policy -------------------------------------------------------------------------------------------------------------


def test_the_policy_by_command(world, served):
    out = io.StringIO()
    for _ in range(2):
        call_command("pki_ocsp_nonce", world.first.slug, str(world.first.generation), "echo", stdout=out)
    assert out.getvalue().splitlines() == [f"{world.first.slug} {world.first.generation}: echo"] * 2
    event = Event.objects.get(action="authority.nonce_policy_changed")
    assert (event.facts["from"], event.facts["to"], event.subject_ref) == ("ignore", "echo", str(world.first.id))
    assert event.actor_ref.startswith("operator:")
    served.publisher.look()
    served.responder._routes._looked_at = 0.0
    asked = "sha256", bytes.fromhex(world.first.name_sha256), bytes.fromhex(world.first.key_sha256)
    assert served.responder._routes.find(*asked).echo
    with pytest.raises(CommandError) as refused:
        call_command("pki_ocsp_nonce", "nobody", "1", "echo")
    assert refused.value.returncode == 1
    with pytest.raises(CommandError):
        call_command("pki_ocsp_nonce", world.first.slug, "1", "sometimes")
    with pytest.raises(Invalid):
        nonces.set_policy(slug=world.first.slug, generation=1, policy="sometimes", actor_ref="operator:test")
    with pytest.raises(NotFound):
        nonces.set_policy(slug="nobody", generation=1, policy="echo", actor_ref="operator:test")


def test_a_live_answer_lives_as_long_as_a_stored_one_and_not_longer_than_its_signer(world):
    OcspSigner.objects.all().delete()
    end = world.signer(world.first, world.keys.first_signer, valid=dt.timedelta(hours=5)).not_after
    row = world.issue()
    response = signed(ocsp_live.Signer(per_second=9).answer([question(row)])[0])
    assert response.next_update_utc == end


# --- the worker -------------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def worker(queue, store, log, *, pool="threads", **variables):
    """A worker of a queue as a process of its own."""
    command = [sys.executable, "-m", "celery", "-A", "siths_portal.celery", "worker", "-Q", queue, "-P", pool, "-c", "1"]
    environment = os.environ | {"PKI_OCSP_STORE_DIR": str(store)} | variables
    forget_messages()  # of other tests, whose work would come first and keep it from ending
    with log.open("wb") as output:
        process = subprocess.Popen([*command, "-l", "INFO"], env=environment, stdout=output, stderr=output)
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(120)
            finally:
                process.kill()
            forget_messages()


def test_the_worker_with_the_token_signs(world, tmp_path):
    row, store = world.issue(), tmp_path / "ocsp"
    with (
        worker("pki", store, tmp_path / "log") as process,
        socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as caller,
    ):

        def connected():
            assert process.poll() is None, (tmp_path / "log").read_text()
            with contextlib.suppress(OSError):
                caller.connect(str(store / signer_client.NAME))
                return True
            return False

        wait_for(connected)
        caller.settimeout(60)
        caller.send(signer_client.QUESTION.pack(5, time.monotonic() + 60, 1, layout.key(row.ca_id, int(row.serial, 16))))
        assert signed(caller.recv(signer_client.PACKET)).certificate_status.name == "GOOD"


@pytest.mark.parametrize(
    ("queue", "variables"),
    [("default", {}), ("pki", {"PKCS11_PIN_FILE": ""}), ("pki", {"pool": "prefork"})],
    ids=["queue", "pin", "pool"],
)
def test_no_other_worker_does(world, tmp_path, queue, variables):
    store, log = tmp_path / "ocsp", tmp_path / "log"
    with worker(queue, store, log, **variables):
        wait_for(lambda: " ready." in log.read_text())
    assert not (store / signer_client.NAME).exists()
