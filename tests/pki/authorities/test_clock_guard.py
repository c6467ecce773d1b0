"""The clock guard: after a step back nothing is signed until time has caught up (rules/pki 8.1, F10.11)."""

import datetime as dt
import os
import subprocess
import sys

import pytest
import structlog
from cryptography import x509
from django.db import connection

from pki import service
from pki.authorities import clock_guard
from pki.authorities.clock_guard import ClockWentBack
from pki.crl import building
from pki.issuing import signing
from pki.models import Certificate, ClockMark, Crl, OcspResponse
from pki.ocsp import presigning
from siths_portal.lib import clock
from siths_portal.lib.audit import heads as audit_heads
from siths_portal.lib.errors import Unavailable
from siths_portal.wiring import heads
from tests.pki import orders

SECOND = dt.timedelta(seconds=1)
MINUTE = dt.timedelta(minutes=1)


@pytest.fixture
def signed(transactional_db):
    """Something was signed just now; that moment."""
    return clock_guard.check().replace(microsecond=0)


def test_what_was_signed_for_last_lies_in_the_database(signed):
    assert ClockMark.objects.get().produced_at == signed
    with clock.moved_to(signed + 3 * SECOND):
        clock_guard.check()
    assert ClockMark.objects.get().produced_at == signed + 3 * SECOND
    with clock.moved_to(signed + SECOND):
        clock_guard.check()  # within the tolerance, and the mark stays
    assert ClockMark.objects.get().produced_at == signed + 3 * SECOND


@pytest.mark.parametrize(("back", "refused"), [(0, False), (5, False), (6, True), (3600, True)])
def test_more_than_five_seconds_back_is_refused(signed, back, refused):
    with clock.moved_to(signed - back * SECOND):
        if not refused:
            assert clock_guard.check() == clock.now()
            assert clock_guard.require() == clock.now()
            return
        for _ in range(2):
            with pytest.raises(ClockWentBack), structlog.testing.capture_logs() as logs:
                clock_guard.check()
            assert [line["event"] for line in logs] == ["clock.went_back"]
            assert logs[0]["log_level"] == "error"
            assert logs[0]["seconds_to_wait"] == back - 5 + 1
        with pytest.raises(Unavailable):
            clock_guard.require()


def test_it_recovers_by_itself_when_time_has_caught_up(signed):
    with clock.moved_to(signed - MINUTE), pytest.raises(ClockWentBack):
        clock_guard.check()
    with clock.moved_to(signed - 6 * SECOND), pytest.raises(ClockWentBack):
        clock_guard.check()
    with clock.moved_to(signed - 5 * SECOND):
        clock_guard.check()


def test_another_process_is_held_to_it(signed):
    """The mark is outside of memory: a process that starts with a clock behind is refused at once."""
    program = (
        "import datetime as dt, django; django.setup()\n"
        "from pki.authorities import clock_guard\n"
        "from siths_portal.lib import clock\n"
        f"with clock.moved_to(dt.datetime.fromisoformat('{(signed - MINUTE).isoformat()}')):\n"
        "    clock_guard.check()\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=dict(os.environ), timeout=120)
    assert done.returncode == 1
    assert "ClockWentBack" in done.stderr


def test_a_mark_that_another_process_set_is_seen_within_a_second(signed):
    ClockMark.objects.update(produced_at=signed + MINUTE)
    with clock.moved_to(signed + SECOND), pytest.raises(ClockWentBack):
        clock_guard.check()


def test_a_clock_far_ahead_is_told_and_does_no_lasting_harm(signed):
    """It is no measure of time that has passed: put right, signing goes on at once."""
    with clock.moved_to(signed + dt.timedelta(hours=2)), structlog.testing.capture_logs() as logs:
        clock_guard.check()
    assert [line["event"] for line in logs] == ["clock.far_ahead"]
    assert abs(logs[0]["seconds"] - 7200) < 60
    assert ClockMark.objects.get().produced_at == signed
    with clock.moved_to(signed + SECOND), structlog.testing.capture_logs() as logs:
        clock_guard.check()
    assert logs == []


def test_the_first_of_all_may_be_far_ahead(transactional_db):
    with clock.moved_to(clock.now() + dt.timedelta(days=400)):
        clock_guard.check()
    clock_guard.check()


def test_the_same_second_asks_the_database_once(signed, django_assert_num_queries):
    with clock.moved_to(signed + 2 * SECOND):
        clock_guard.check()
    with django_assert_num_queries(0), clock.moved_to(signed + 2 * SECOND):
        for _ in range(100):
            clock_guard.check()


def test_a_start_with_a_clock_that_went_back_is_told(signed):
    with clock.moved_to(signed - MINUTE), structlog.testing.capture_logs() as logs:
        clock_guard.tell()
    assert [line["event"] for line in logs] == ["clock.went_back"]
    with structlog.testing.capture_logs() as logs:
        clock_guard.tell()
    assert logs == []


def test_a_crl_is_not_published(world):
    building.publish_online()
    before = building.crl_path(world.first).read_bytes()
    with clock.moved_to(clock.now() - MINUTE):
        with pytest.raises(ClockWentBack):
            building.publish_crl(world.first.id)
        assert [outcome.error for outcome in building.publish_online()] == ["ClockWentBack"] * 2
    assert building.crl_path(world.first).read_bytes() == before
    assert Crl.objects.count() == 2
    assert len(building.publish_online()) == 2  # and goes on
    assert Crl.objects.count() == 4


def test_no_ocsp_answer_is_signed(world):
    row = world.issue()
    presigning.presign([row.id])
    before = {answer.id: bytes(answer.der) for answer in OcspResponse.objects.all()}
    later = world.issue()
    with clock.moved_to(clock.now() - MINUTE):
        with pytest.raises(ClockWentBack):
            presigning.presign([row.id])
        assert presigning.presign_due() == 0
    assert {answer.id: bytes(answer.der) for answer in OcspResponse.objects.all()} == before
    assert presigning.presign_due() > 0
    assert OcspResponse.objects.filter(certificate=later).exists()


def test_no_certificate_is_planned_or_signed(demo_pki):
    clock_guard.check()
    with clock.moved_to(clock.now() - MINUTE), pytest.raises(Unavailable) as error:
        orders.plan(orders.order())
    assert error.value.code == "clock-went-back"
    assert not Certificate.objects.filter(subject_ref="person:1").exists()
    (id_,) = orders.plan(orders.order())
    with clock.moved_to(clock.now() - MINUTE):
        assert signing.sign_reserved([id_]) == 0
    row = Certificate.objects.get(id=id_)
    assert (row.status, row.signing_attempts) == ("reserved", 0)
    assert signing.sign_reserved([id_]) == 1
    (view,) = service.certificates([id_])
    assert x509.load_der_x509_certificate(view.der).not_valid_before_utc <= clock.now()


def test_no_head_is_signed(audit_token, transactional_db):
    heads.seal()
    with clock.moved_to(clock.now() - MINUTE), pytest.raises(ClockWentBack):
        heads.seal()
    assert [statement.number for statement in audit_heads.statements()] == [1]


def test_only_one_mark_can_be(signed):
    from django.db import IntegrityError

    with pytest.raises(IntegrityError), connection.cursor() as cursor:
        cursor.execute("INSERT INTO pki_clockmark (id, produced_at) VALUES (2, now())")
