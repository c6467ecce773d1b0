"""The OCSP responder and its publisher on the real database: what is committed is what is said, and nothing older ever again."""

import base64
import datetime as dt
import itertools
import os
import random
import threading
import time

import pytest
from cryptography.hazmat.primitives import hashes
from django.core.management import CommandError, call_command
from django.db import connection, transaction

from pki.crl import building
from pki.crl import files as crl_files
from pki.domain import ocsp_request
from pki.models import Certificate, CertificateAuthority, OcspResponse, OcspSigner, OcspUnknown
from pki.ocsp import feed as ocsp_feed
from pki.ocsp import presigning, status, store_sync
from pki.ocsp import unknown as ocsp_unknown
from pki.ocsp.publishing import Publisher
from pki.ocspd import layout, routing
from pki.ocspd.app import Responder
from siths_portal.lib import clock
from siths_portal.lib.events import CurrentTransactionId
from tests.pki.ocsp.ocsp_oracle import Oracle
from tests.pki.ocsp.ocsp_vectors import VECTORS
from tests.pki.ocsp.test_ocsp_core import mutations
from tests.pki.ocsp.test_status_face import request_for, revoke
from tests.pki.ocspd.ocspd_stage import Served, Status, call

LONG = bool(os.environ.get("SITHS_LONG"))
ALGORITHMS = [hashes.SHA1(), hashes.SHA256()]


@pytest.fixture
def served(world, tmp_path):
    made = Served(tmp_path / "ocsp")
    yield made
    made.close()


def reference(body) -> bytes:
    """What the Django view says, by the code that it shares: the stored answer, or the error."""
    from pki.domain import ocsp_response

    try:
        return status.answer(ocsp_request.parse(body)).der
    except ocsp_request.MalformedRequest:
        return ocsp_response.MALFORMED
    except (ocsp_request.UnknownHash, status.Unauthorized):
        return ocsp_response.UNAUTHORIZED
    except status.TryLater:
        return ocsp_response.TRY_LATER


@pytest.mark.parametrize("algorithm", ALGORITHMS, ids=lambda each: each.name)
def test_post_and_get_give_the_stored_bytes_again_and_again(world, served, algorithm):
    row = world.issue()
    presigning.presign([row.id])
    served.publisher.look()
    der = request_for(row, algorithm)
    stored = bytes(OcspResponse.objects.get(certificate=row, cert_id_hash=algorithm.name).der)
    text = base64.b64encode(der).decode()
    for _ in range(3):
        assert call(served.responder, body=der).body == stored
        for tail in (text, "/" + text, text.rstrip("="), text.replace("+", " ")):
            assert call(served.responder, "GET", f"/ocsp/{tail}").body == stored


def test_a_life_good_revoked_changed(world, served):
    row = world.issue()
    der = request_for(row)
    assert served.told(der) == "UNAUTHORIZED"  # not known here yet
    served.publisher.look()
    assert served.told(der) == "TRY_LATER"
    presigning.presign([row.id])
    served.publisher.look()
    assert served.told(der) == "GOOD"
    revoke(row)
    served.publisher.look()
    assert served.told(der) == "TRY_LATER"
    presigning.presign([row.id])
    served.publisher.look()
    assert served.told(der) == "REVOKED"
    revoke(row, reason="keyCompromise")
    presigning.presign([row.id])
    served.publisher.look()
    assert served.post(der).revocation_reason.name == "key_compromise"


def test_a_revocation_that_was_answered_between_two_looks_is_seen_by_the_next(world, served):
    row = world.issue()
    presigning.presign([row.id])
    served.publisher.look()
    assert served.told(request_for(row)) == "GOOD"
    revoke(row)
    presigning.presign([row.id])
    served.publisher.look()
    assert served.told(request_for(row)) == "REVOKED"


def test_an_answer_that_commits_late_is_not_missed(world, served):
    """Its transaction began before a look that did not see it, and others committed in between."""
    slow, quick = world.issue(), world.issue()
    presigning.presign([slow.id])
    der, held, go = OcspResponse.objects.filter(certificate=slow), threading.Event(), threading.Event()
    rows = list(der.values())
    der.delete()

    def commit_late():
        with transaction.atomic():
            OcspResponse.objects.bulk_create(
                OcspResponse(**{key: value for key, value in row.items() if key not in ("id", "xid")}) for row in rows
            )
            held.set()
            go.wait(150)
        connection.close()

    thread = threading.Thread(target=commit_late)
    thread.start()
    assert held.wait(150)
    presigning.presign([quick.id])
    served.publisher.look()
    assert served.told(request_for(quick)) == "GOOD"
    assert served.told(request_for(slow)) != "GOOD"
    go.set()
    thread.join()
    served.publisher.look()
    assert served.told(request_for(slow)) == "GOOD"


def test_nothing_to_say_costs_a_look_the_same_few_queries(world, served, django_assert_max_num_queries):
    for _ in range(30):
        presigning.presign([world.issue().id])
    served.publisher.look()
    with django_assert_max_num_queries(11):  # one of them for certificates on hold
        assert served.publisher.look() == 0


def test_the_publisher_goes_on_where_it_was(world, served):
    rows = [world.issue() for _ in range(3)]
    presigning.presign([row.id for row in rows])
    served.publisher.look()
    served.publisher.writer.close()
    revoke(rows[0])
    presigning.presign([rows[0].id])
    with Publisher(served.folder) as again:
        assert again.look() == 1
    assert [served.told(request_for(row)) for row in rows] == ["REVOKED", "GOOD", "GOOD"]


def test_a_lost_position_or_a_lost_store_is_made_good(world, served, tmp_path):
    row = world.issue()
    presigning.presign([row.id])
    served.publisher.look()
    served.publisher.writer.close()
    (served.folder / "position.json").write_text("{")
    with Publisher(served.folder) as again:
        again.look()
    assert served.told(request_for(row)) == "GOOD"
    with Publisher(tmp_path / "new") as new:
        new.look()
    assert call(Responder(tmp_path / "new"), body=request_for(row)).ocsp.certificate_status.name == "GOOD"


def test_a_database_from_before_turns_nothing_back(world, served):
    """A restored copy says `good` again, signed later; the store has seen the revocation."""
    row = world.issue()
    presigning.presign([row.id])
    served.publisher.look()
    version = Certificate.objects.get(id=row.id).status_version
    known = served.publisher.writer.get(layout.key(row.ca_id, int(row.serial, 16)))
    revoked = known._replace(version=version + 1, sha1=b"revoked", sha256=b"revoked", this_update=known.this_update - 5)
    assert served.publisher.writer.put(revoked)
    for _ in range(2):
        OcspResponse.objects.filter(certificate=row).update(this_update=clock.now(), xid=CurrentTransactionId())
        served.publisher.look()
        served.publisher._position = None
        assert call(served.responder, body=request_for(row)).body == b"revoked"


def test_it_says_what_the_reference_says(world, served):
    rows = [world.issue(ca) for ca in (world.first, world.second) for _ in range(2)]
    rows += [world.issue(status="failed"), world.issue(status="reserved")]
    revoke(rows[1])
    presigning.presign_due()
    presigning.presign_all(world.root)
    revoke(rows[2])
    served.publisher.look()
    bodies = [
        request_for(row, algorithm) for row in [*Certificate.objects.select_related("ca"), *rows] for algorithm in ALGORITHMS
    ]
    bodies += [request_for(rows[0], serial=serial) for serial in (1, 2**159 - 1, 2**159, 2**2000)]
    bodies += [der for der, _, _ in VECTORS.values()]
    said = set()
    for body in bodies:
        expected = reference(body)
        assert call(served.responder, body=body).body == expected
        said.add(expected)
    assert len(said) > 15


def test_an_answer_that_says_another_status_than_the_table_is_not_published(world, served):
    """Someone writes an older answer over the stored one, with the right version."""
    row = world.issue()
    presigning.presign([row.id])
    good = {each.cert_id_hash: bytes(each.der) for each in OcspResponse.objects.filter(certificate=row)}
    revoke(row)
    presigning.presign([row.id])
    for name, der in good.items():
        OcspResponse.objects.filter(certificate=row, cert_id_hash=name).update(der=der, xid=CurrentTransactionId())
    served.publisher.look()
    assert served.told(request_for(row)) == "UNAUTHORIZED"


def test_one_cas_answer_is_not_anothers(world, served):
    row = world.issue()
    presigning.presign([row.id])
    served.publisher.look()
    row.ca = world.second
    assert served.told(request_for(row)) == "UNAUTHORIZED"


def test_get_may_be_cached_a_minute_and_no_longer_than_the_answer_holds(world, served):
    row = world.issue()
    presigning.presign([row.id])
    served.publisher.look()
    stored = OcspResponse.objects.get(certificate=row, cert_id_hash="sha256")
    path = f"/ocsp/{base64.b64encode(request_for(row)).decode()}"
    answer = call(served.responder, "GET", path)
    assert answer.headers["Cache-Control"].split(", ") == ["max-age=60", "public", "no-transform", "must-revalidate"]
    again = call(served.responder, "GET", path, if_none_match=f'"x", W/{answer.headers["ETag"]}')
    assert (again.status, again.body, again.headers["ETag"]) == ("304 Not Modified", b"", answer.headers["ETag"])
    assert "Content-Length" not in again.headers
    with clock.moved_to(stored.next_update - dt.timedelta(seconds=7)):
        assert "max-age=7" in call(served.responder, "GET", path).headers["Cache-Control"]
    with clock.moved_to(stored.next_update):
        assert call(served.responder, "GET", path).ocsp.response_status == Status.TRY_LATER


def test_posted_answers_and_errors_are_not_for_caches(world, served):
    row = world.issue()
    presigning.presign([row.id])
    served.publisher.look()
    for answer in (
        call(served.responder, body=request_for(row)),
        call(served.responder, body=request_for(row, serial=5)),
        call(served.responder, "GET", "/ocsp/%%%"),
        call(served.responder, "GET", "/ocsp"),
    ):
        assert answer.ocsp is not None
        assert set(answer.headers) == {"Content-Type", "Content-Length"}


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("PUT", "/ocsp", "405"),
        ("DELETE", "/ocsp/x", "405"),
        ("GET", "/", "404"),
        ("GET", "/crl/x.crl", "404"),
        ("POST", "/healthz/live", "404"),
    ],
)
def test_other_things_are_refused(served, method, path, expected):
    assert call(served.responder, method, path).status.startswith(expected)


@pytest.mark.parametrize("size", [0, 10_001, 500_000])
def test_a_body_of_no_size_that_a_request_has_is_refused(served, size):
    assert call(served.responder, body=b"0" * size).body == bytes.fromhex("30030a0101")


def test_the_memo_is_bounded_and_forgets_what_changed(world, tmp_path):
    rows = [world.issue() for _ in range(6)]
    presigning.presign([row.id for row in rows])
    with Publisher(tmp_path / "ocsp") as publisher:
        publisher.look()
        responder = Responder(tmp_path / "ocsp", memo=4)
        for _ in range(3):
            for row in rows:
                assert call(responder, body=request_for(row)).ocsp.certificate_status.name == "GOOD"
        assert len(responder._posts) <= 4
        revoke(*rows)
        publisher.look()
        for row in rows:
            assert call(responder, body=request_for(row)).ocsp.response_status == Status.TRY_LATER


def test_health_says_how_old_the_answers_are(world, served, monkeypatch):
    assert call(served.responder, "GET", "/healthz/live").status == "200 OK"
    served.publisher.look()
    fresh = call(served.responder, "GET", "/healthz/ready")
    assert (fresh.status, b'"ok"' in fresh.body) == ("200 OK", True)
    served.publisher.writer.followed(served.responder._store.index().followed_at - 3600)
    late = call(served.responder, "GET", "/healthz/ready")
    assert late.status == "200 OK"
    assert b'"degraded"' in late.body
    served.publisher.writer.followed(served.responder._store.index().followed_at - 8 * 3600)
    old = call(served.responder, "GET", "/healthz/ready")
    assert (old.status, old.headers["Content-Type"]) == ("503 Service Unavailable", "application/problem+json")


def test_without_a_store_it_says_try_later_and_is_not_ready(world, tmp_path):
    responder = Responder(tmp_path / "none")
    assert call(responder, "GET", "/healthz/ready").status == "503 Service Unavailable"
    assert call(responder, body=request_for(world.issue())).ocsp.response_status == Status.TRY_LATER  # no stranger is known yet
    with Publisher(tmp_path / "none") as publisher:
        publisher._publish_routes()
        responder = Responder(tmp_path / "none")
        assert call(responder, body=request_for(world.issue())).ocsp.response_status == Status.TRY_LATER


def test_a_new_ca_is_answered_for(world, served, monkeypatch):
    monkeypatch.setattr(routing, "_LOOK_EACH", 0.0)
    third = world.authority("third", "DEMO third CA", world.keys.first, world.root)
    asked = "sha256", bytes.fromhex(third.name_sha256), bytes.fromhex(third.key_sha256)
    assert served.responder._routes.find(*asked) is None
    served.publisher.look()
    assert served.responder._routes.find(*asked) == (third.id, False, False)


def test_a_crl_waits_until_the_responder_knows_what_it_tells(world, served, settings, monkeypatch):
    settings.PKI_OCSP_STORE_DIR = served.folder
    # As long as it takes: seconds in which a busy machine does something else are none that the store was behind.
    monkeypatch.setattr(store_sync, "WAIT", 200.0)
    row = world.issue()
    presigning.presign([row.id])
    served.publisher.look()
    revoke(row)

    def publish():
        building.publish_crl(world.first.id)
        connection.close()

    thread = threading.Thread(target=publish)
    thread.start()
    thread.join(1)
    assert thread.is_alive()
    assert not building.crl_path(world.first).exists()
    assert served.told(request_for(row)) == "GOOD"
    served.publisher.look()
    assert served.told(request_for(row)) != "GOOD"
    thread.join(150)
    assert building.crl_path(world.first).exists()


def test_a_crl_does_not_wait_for_good_for_a_publisher_that_hangs(world, served, settings, monkeypatch):
    settings.PKI_OCSP_STORE_DIR = served.folder
    monkeypatch.setattr(store_sync, "WAIT", 0.5)
    served.publisher.writer.followed(clock.now().timestamp() - 60)
    assert not store_sync.await_store()  # this process has the lock, and does not look
    building.publish_crl(world.first.id)
    assert building.crl_path(world.first).exists()
    settings.PKI_OCSP_STORE_DIR = served.folder / "none"
    assert store_sync.await_store()


def test_who_makes_a_crl_brings_up_a_store_that_nobody_writes(world, served, settings, monkeypatch):
    """Before the list is there, and hands the store back to a publisher."""
    settings.PKI_OCSP_STORE_DIR = served.folder
    rows, before = [world.issue() for _ in range(3)], []
    presigning.presign([row.id for row in rows])
    served.publisher.look()
    served.publisher.writer.close()
    revoke(*rows[:2])
    presigning.presign([rows[0].id])
    assert [served.told(request_for(row)) for row in rows] == ["GOOD"] * 3
    publish = crl_files.publish

    def look_first(built, path):
        before.append((path.exists(), [served.told(request_for(row)) for row in rows]))
        publish(built, path)

    monkeypatch.setattr(crl_files, "publish", look_first)
    building.publish_crl(world.first.id)
    assert before == [(False, ["REVOKED", "TRY_LATER", "GOOD"])]
    with Publisher(served.folder) as again:
        assert again.look() == 0


def test_a_store_that_was_followed_in_the_future_is_not_taken_to_know_what_is_committed_now(world, served, settings):
    """The clock was ahead, and nobody writes the store since."""
    settings.PKI_OCSP_STORE_DIR = served.folder
    row = world.issue()
    presigning.presign([row.id])
    served.publisher.look()
    served.publisher.writer.followed(clock.now().timestamp() + 3)
    served.publisher.writer.close()
    revoke(row)
    assert store_sync.await_store()
    assert served.told(request_for(row)) == "TRY_LATER"


def test_a_store_that_cannot_be_written_holds_no_list_up(world, served, settings, monkeypatch):
    settings.PKI_OCSP_STORE_DIR = served.folder
    monkeypatch.setattr(store_sync, "WAIT", 100.0)  # nothing else takes as long
    served.publisher.writer.close()
    (served.folder / "lock").unlink()
    (served.folder / "lock").mkdir()
    started = time.monotonic()
    assert not store_sync.await_store()
    assert time.monotonic() - started < store_sync.WAIT
    building.publish_crl(world.first.id)
    assert building.crl_path(world.first).exists()


# --- never issued -----------------------------------------------------------------------------------------------------------


def serve_requests(served):
    """Lets the publisher and the worker handle the responder's refresh requests."""
    served.responder._refresh_requests._write()
    served.publisher.grant()
    done = ocsp_unknown.sign()
    served.publisher.look()
    return done


def test_a_never_issued_serial_gets_a_signed_unknown_that_is_short_lived(world, served):
    row = world.issue()
    for algorithm in ALGORITHMS:
        assert served.told(request_for(row, algorithm, serial=4711)) == "UNAUTHORIZED"
    assert serve_requests(served) == 1
    for algorithm in ALGORITHMS:
        response = served.post(request_for(row, algorithm, serial=4711))
        assert response.certificate_status.name == "UNKNOWN"
        assert response.serial_number == 4711
        assert response.next_update_utc - response.this_update_utc == dt.timedelta(minutes=5)
        signer = OcspSigner.objects.get(ca=world.first)
        assert bytes(signer.certificate_der) == response.certificates[0].public_bytes(presigning.Encoding.DER)
    with clock.moved_to(response.next_update_utc):
        assert served.told(request_for(row, serial=4711)) == "UNAUTHORIZED"


def test_a_serial_that_has_a_row_is_never_called_unknown(world, served):
    rows = [world.issue(status=state) for state in ("reserved", "failed")]
    for row in rows:
        assert served.told(request_for(row)) == "UNAUTHORIZED"
    assert serve_requests(served) == 0
    assert OcspUnknown.objects.count() == 0
    assert [served.told(request_for(row)) for row in rows] == ["UNAUTHORIZED"] * 2


def test_a_serial_that_is_issued_after_all_is_no_longer_unknown(world, served):
    other = world.issue()
    served.told(request_for(other, serial=0x4711))
    serve_requests(served)
    assert served.told(request_for(other, serial=0x4711)) == "UNKNOWN"
    row = Certificate.objects.create(
        ca=other.ca, serial="4711", status="issued", not_before=clock.now(), not_after=other.not_after, created_at=clock.now()
    )
    served.publisher.look()
    assert served.told(request_for(other, serial=0x4711)) == "TRY_LATER"
    presigning.presign([row.id])
    served.publisher.look()
    assert served.told(request_for(other, serial=0x4711)) == "GOOD"


def test_unknown_is_bounded(world, served, monkeypatch):
    monkeypatch.setattr(ocsp_unknown, "LIMIT", 10)
    row = world.issue()
    for serial in range(1, 40):
        served.told(request_for(row, serial=serial))
    assert serve_requests(served) == 5
    assert serve_requests(served) == 0
    said = {served.told(request_for(row, serial=serial)) for serial in range(1, 40)}
    assert said == {"UNKNOWN", "UNAUTHORIZED"}
    later = clock.now() + dt.timedelta(minutes=6)
    with clock.moved_to(later):
        ocsp_unknown.sign()
    assert OcspUnknown.objects.count() == 0


def test_a_ca_that_cannot_sign_unknown_keeps_no_other_from_it(world, served, monkeypatch):
    """Neither in the worker's turns, nor by taking all the room there is."""
    monkeypatch.setattr(ocsp_unknown, "EACH_TURN", 6)
    monkeypatch.setattr(ocsp_unknown, "LIMIT", 20)
    OcspSigner.objects.filter(ca=world.first).update(not_after=clock.now())
    assert ocsp_unknown.ask((world.first.id, serial) for serial in range(1, 40)) == 10
    assert ocsp_unknown.ask((world.second.id, serial) for serial in range(1, 8)) == 7
    assert [ocsp_unknown.sign() for _ in range(4)] == [3, 3, 1, 0]


def test_unknown_that_was_signed_while_the_clock_was_ahead_is_signed_anew(world, served):
    row = world.issue()
    with clock.moved_to(clock.now() + dt.timedelta(days=3)):
        served.told(request_for(row, serial=99))
        serve_requests(served)
        assert served.told(request_for(row, serial=99)) == "UNKNOWN"
    served.publisher.look()
    served.responder._refresh_requests._sent_at.clear()  # it was requested a moment ago
    assert served.told(request_for(row, serial=99)) == "UNAUTHORIZED"
    assert serve_requests(served) == 1
    assert served.told(request_for(row, serial=99)) == "UNKNOWN"


def test_unknown_that_ended_leaves_the_store(world, served):
    row = world.issue()
    served.told(request_for(row, serial=99))
    serve_requests(served)
    count = served.publisher.writer.count
    served.publisher._forget(int(clock.now().timestamp()) - 2)  # a look that began before it was signed
    assert served.publisher.writer.count == count
    served.publisher._forget(int(clock.now().timestamp()) + 301)
    assert served.publisher.writer.count == count - 1
    assert served.told(request_for(row, serial=99)) == "UNAUTHORIZED"


def test_a_stranger_and_a_ca_without_responder_have_nothing_signed(world, served, monkeypatch):
    OcspSigner.objects.filter(ca=world.second).update(retired_at=clock.now())
    monkeypatch.setattr(routing, "_LOOK_EACH", 0.0)
    served.publisher.look()
    row = world.issue(world.second)
    assert served.told(request_for(row, serial=77)) == "UNAUTHORIZED"
    row.ca.key_sha256 = "00" * 32
    assert served.told(request_for(row, serial=77)) == "UNAUTHORIZED"
    assert serve_requests(served) == 0


def test_a_ca_for_which_nobody_signs_any_more_has_nothing_promised(world, served, monkeypatch):
    monkeypatch.setattr(routing, "_LOOK_EACH", 0.0)
    row, stored = world.issue(), world.issue()
    presigning.presign([stored.id])
    served.publisher.look()
    assert served.post(request_for(row)).response_status == Status.TRY_LATER
    CertificateAuthority.objects.filter(id=world.first.id).update(state="compromised")
    served.publisher.look()
    for body in (request_for(row), request_for(row, serial=4711)):
        assert served.told(body) == "UNAUTHORIZED"
        assert reference(body) == served.post(body).public_bytes(presigning.Encoding.DER)
    assert served.told(request_for(stored)) == "GOOD"  # till it ends: that CA's own certificate says more
    assert serve_requests(served) == 0


def test_a_missing_answer_is_asked_for_by_the_queue(world, served, monkeypatch):
    woken = []
    monkeypatch.setattr("siths_portal.lib.processes.jobs._wake", lambda name, queue, ids: woken.append((name, queue, ids)))
    row = world.issue()
    served.publisher.look()
    for _ in range(50):
        assert served.told(request_for(row)) == "TRY_LATER"
    served.responder._refresh_requests._write()
    served.publisher.grant()
    assert woken == [("pki.presign", "pki", {"certificate_ids": [str(row.id)]})]


# --- garbage ----------------------------------------------------------------------------------------------------------------


@pytest.mark.soak
def test_garbage_gets_no_error_of_ours_and_no_good_for_what_was_not_issued(world, served):
    """Each answer is one that the oracle allows, and the bytes of the stored one where it is signed."""
    rows = [world.issue() for _ in range(4)]
    silent = [world.issue(status="reserved"), world.issue(status="failed")]
    revoke(rows[3])
    presigning.presign_due()
    served.publisher.look()
    oracle, dice, stored = Oracle(), random.Random(9), set()
    nonces = (None, b"n", b"n" * 32, b"n" * 128)
    base = [request_for(row, algorithm, nonce=nonce) for row in rows for algorithm in ALGORITHMS for nonce in nonces]
    base += [request_for(row, algorithm) for row in silent for algorithm in ALGORITHMS]
    stream = [*base, *(request_for(rows[0], serial=serial) for serial in (1, 4711, 1 << 119, (1 << 159) - 1, 1 << 159))]
    for turn, der in enumerate(itertools.chain(stream, mutations(500_000 if LONG else 4000, base))):  # each by POST and by GET
        if turn % 2 and turn > len(stream):
            data = bytearray(dice.choice(base))
            for _ in range(dice.choice((1, 1, 2, 4))):
                data[dice.randrange(len(data))] = dice.randrange(256)
            der = bytes(data)
        tail = base64.b64encode(der).decode()
        for answer in (call(served.responder, body=der), call(served.responder, "GET", f"/ocsp/{tail}")):
            oracle.judge(der, answer.body)
            if answer.ocsp.response_status == Status.SUCCESSFUL and answer.body not in stored:
                assert answer.body == reference(der)
                stored.add(answer.body)
    assert min(oracle.said[each] for each in ("GOOD", "REVOKED", "UNAUTHORIZED", "MALFORMED_REQUEST")) > 50
    assert set(oracle.said) == {"GOOD", "REVOKED", "UNAUTHORIZED", "MALFORMED_REQUEST"}


def test_a_snapshot_is_read_as_it_is_written():
    snapshot = ocsp_feed.Snapshot.from_text("10:20:12,15")
    assert snapshot == (20, (12, 15))
    assert ocsp_feed.Snapshot.from_text(snapshot.text) == snapshot
    assert ocsp_feed.Snapshot.from_text("10:10:") == (10, ())


# --- commands ---------------------------------------------------------------------------------------------------------------


def test_the_publisher_by_hand(world, served, settings, capsys):
    settings.PKI_OCSP_STORE_DIR = served.folder
    presigning.presign_due()
    with pytest.raises(CommandError, match="skrivs redan av en annan process") as taken:
        call_command("pki_ocsp_publish", "--once")
    assert taken.value.returncode == 1
    served.publisher.writer.close()
    call_command("pki_ocsp_publish", "--once")
    assert capsys.readouterr().out.startswith(f"{Certificate.objects.count()} serienummer i ")


@pytest.mark.parametrize("wrong", [["--bind", "8003"], ["--bind", ":8003"], ["--bind", "x:99999"], ["--workers", "0"]])
def test_wrong_use_of_the_responders_command(wrong):
    with pytest.raises(CommandError) as refused:
        call_command("pki_ocspd", *wrong)
    assert refused.value.returncode == 2
