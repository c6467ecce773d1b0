"""One worker at a time makes a list: leases, numbers that are never used twice, cuts at every point, and when a list is due."""

import datetime as dt
import hashlib
import resource
import signal
import threading

import pytest
from django.db import connection

from pki.crl import building
from pki.crl import scopes as crl_scopes
from pki.models import Certificate, CertificateAuthority, Crl, CrlScope, Event
from siths_portal.celery import SCHEDULE
from siths_portal.lib import clock
from siths_portal.lib.errors import NotFound
from tests.forking import forked
from tests.pki.crl.crl_world import number, published, revoke, serials_of, sharded

MINUTE, SECOND = dt.timedelta(minutes=1), dt.timedelta(seconds=1)
BEFORE_RENAME = ["after-draw", "after-entries", "after-signature", "before-rename"]
AFTER_RENAME = ["after-rename", "after-commit"]


def many(ca, count) -> None:
    moment = clock.now()
    Certificate.objects.bulk_create(
        Certificate(
            ca=ca,
            serial=f"01{index:028X}",
            status="revoked",
            reason="superseded",
            revoked_at=moment,
            not_before=moment,
            not_after=moment + dt.timedelta(days=100),
            created_at=moment,
        )
        for index in range(count)
    )


def accounted(ca) -> list[int]:
    """Every number that became a list or that an event tells of as abandoned, in order; each once."""
    told = Event.objects.filter(action="crl.abandoned", subject_ref=str(ca.id)).values_list("facts__number", flat=True)
    listed = Crl.objects.filter(ca=ca).values_list("number", flat=True)
    numbers = sorted([*told, *listed])
    assert len(set(numbers)) == len(numbers)
    return numbers


def entries(ca) -> list[int]:
    """The serials of the published list, one of them twice if it is there twice."""
    return [entry.serial_number for entry in published(ca)]


def whole(ca, shard=None) -> None:
    """What lies there is the newest list, whole, with nothing beside it."""
    scope = CrlScope.objects.get(ca=ca, shard=shard)
    content = building.crl_path(ca, shard).read_bytes()
    assert scope.newest.sha256 == hashlib.sha256(content).hexdigest()
    assert scope.newest.number == number(published(ca, shard)) == scope.number
    assert scope.lease is None
    assert not list(building.crl_path(ca).parent.glob(".*"))


def test_eight_at_once_get_a_number_each(world):
    """No number twice, none that nothing tells of, and each list is the newest when its turn is over."""
    rows = [world.issue() for _ in range(5)]
    revoke(*rows)
    drawn, made, failures = [], [], []
    take = crl_scopes._take

    def noted(*scope):
        draft = take(*scope)
        if draft is not None:
            drawn.append(draft.number)
        return draft

    def work():
        try:
            made.append(building.publish_crl(world.first.id).number)
        except Exception as error:  # noqa: BLE001
            failures.append(error)
        finally:
            connection.close()

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(crl_scopes, "_take", noted)
        threads = [threading.Thread(target=work) for _ in range(8)]
        [thread.start() for thread in threads]
        [thread.join() for thread in threads]
    assert failures == []
    assert len(set(made)) == 8
    assert sorted(drawn) == accounted(world.first) == sorted(made)
    assert drawn == sorted(drawn)
    moments = list(Crl.objects.order_by("number").values_list("this_update", flat=True))
    assert moments == sorted(moments)
    whole(world.first)


def test_eight_at_once_with_failures_account_for_every_number(world, monkeypatch):
    """Half of them find a token that fails: their numbers are told of, and the others' lists are whole."""
    check, failing = building.crl_files.check, threading.local()

    def sometimes(built, expected, hash_name):
        if getattr(failing, "now", False):
            raise building.SelfCheckFailed("as the test wants")
        check(built, expected, hash_name)

    monkeypatch.setattr(building.crl_files, "check", sometimes)
    ends = []

    def work(fails):
        failing.now = fails
        try:
            building.publish_crl(world.first.id)
            ends.append("made")
        except building.SelfCheckFailed:
            ends.append("failed")
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=[bool(index % 2)]) for index in range(8)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert sorted(ends) == ["failed"] * 4 + ["made"] * 4
    assert len(accounted(world.first)) == 8
    assert Crl.objects.count() == 4
    assert not list(building.crl_path(world.first).parent.glob(".*"))


def test_sweepers_at_once_make_each_list_once(world):
    """Also those that one found due and another has made meanwhile."""
    sharded(world.first, 8)
    barrier, outcomes = threading.Barrier(3), []

    def sweep():
        try:
            barrier.wait()
            outcomes.extend(building.publish_due())
        finally:
            connection.close()

    threads = [threading.Thread(target=sweep) for _ in range(3)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert {each.error for each in outcomes} == {""}
    made = sorted((each.ca.slug, -1 if each.shard is None else each.shard) for each in outcomes)
    assert made == [("function", -1), *(("person-hsaid-3", shard) for shard in range(-1, 8))]
    assert Crl.objects.count() == 10


@pytest.mark.parametrize("point", BEFORE_RENAME + AFTER_RENAME)
def test_a_cut_at_each_point(world, armed, point, tally):
    """kill -9: the old list or the new one lies there, whole; the next has a higher number, and holds what was revoked."""
    row = world.issue()
    building.publish_crl(world.first.id)
    before = building.crl_path(world.first).read_bytes()
    old = number(published(world.first))
    revoke(row)
    (armed / f"pki.crl.building.{point}").touch()
    assert forked(lambda: building.publish_crl(world.first.id), armed) == -signal.SIGKILL
    cut = CrlScope.objects.get(ca=world.first).number
    assert cut > old
    left = building.crl_path(world.first).read_bytes()
    assert (left == before) == (point in BEFORE_RENAME)
    assert number(published(world.first)) == (old if point in BEFORE_RENAME else cut)
    if point == "after-commit":
        whole(world.first)
    else:
        assert [each.ca for each in building.publish_due()] == [world.second]  # its lease keeps others away
        with pytest.raises(building.CrlBusy):
            crl_scopes.take(world.first.id, None, wait=dt.timedelta())
    with clock.moved_to(clock.now() + crl_scopes.LEASE + SECOND):
        errors = [each.error for each in building.publish_due() if each.ca == world.first]
        assert errors == ([] if point == "after-commit" else [""])
        newest = building.publish_crl(world.first.id)
    assert serials_of(published(world.first)) == {int(row.serial, 16)}
    assert accounted(world.first)[0] == old
    assert cut in accounted(world.first)
    assert newest.number > cut
    whole(world.first)
    tally.run([int(row.serial, 16)], entries(world.first), "revoked serials")


def test_repeated_cuts_never_use_a_number_twice(world, armed, tally):
    revoke(world.issue())
    seen = []
    start = clock.now()
    for turn, point in enumerate(BEFORE_RENAME + AFTER_RENAME):
        (armed / f"pki.crl.building.{point}").touch()
        with clock.moved_to(start + turn * (crl_scopes.LEASE + SECOND)):
            assert forked(lambda: building.publish_crl(world.first.id), armed) == -signal.SIGKILL
        seen.append(CrlScope.objects.get(ca=world.first).number)
    assert seen == sorted(set(seen))
    with clock.moved_to(start + 10 * crl_scopes.LEASE):
        building.publish_crl(world.first.id)
    assert set(seen) < set(accounted(world.first))
    whole(world.first)
    tally.run(seen, [each for each in accounted(world.first) if each in seen], "numbers of CRLs")


def test_a_worker_that_was_too_slow_publishes_nothing(world, monkeypatch):
    make, numbers = building._make, []

    def slow(draft):
        built = make(draft)
        if not numbers:
            numbers.append(draft.number)
            with clock.moved_to(clock.now() + crl_scopes.LEASE + SECOND):
                numbers.append(building.publish_crl(world.first.id).number)
        return built

    monkeypatch.setattr(building, "_make", slow)
    with pytest.raises(building.LeaseLost):
        building.publish_crl(world.first.id)
    assert number(published(world.first)) == numbers[1] > numbers[0]
    (told,) = Event.objects.filter(action="crl.abandoned")
    assert (told.facts["number"], told.facts["why"]) == (numbers[0], "lease ran out")
    whole(world.first)


def test_a_full_disk_leaves_the_old_list(world, tally):
    """F08: nothing is counted as published that was not written, and the list is made once there is room."""
    building.publish_crl(world.first.id)
    before = building.crl_path(world.first).read_bytes()
    many(world.first, 2_000)

    def work() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, 30_000))
        (outcome,) = building.publish_each([world.first])
        assert (outcome.error, outcome.crl) == ("OSError", None)

    assert forked(work) == 0
    assert building.crl_path(world.first).read_bytes() == before
    assert Crl.objects.count() == 1
    assert len(accounted(world.first)) == 2
    assert not list(building.crl_path(world.first).parent.glob(".*"))
    assert building.publish_crl(world.first.id).entries == 2_000
    whole(world.first)
    serials = Certificate.objects.filter(ca=world.first, status="revoked").values_list("serial", flat=True)
    tally.run([int(serial, 16) for serial in serials], entries(world.first), "revoked serials")


def test_what_a_dead_process_left_is_removed(world):
    folder = building.crl_path(world.first).parent
    folder.mkdir(parents=True)
    left = folder / f".{building.crl_path(world.first).name}.0123456789abcdef.tmp"
    others = folder / f".{building.crl_path(world.second).name}.0123456789abcdef.tmp"
    for path in (left, others):
        path.write_bytes(b"half")
    building.publish_crl(world.first.id)
    assert (left.exists(), others.exists()) == (False, True)


def test_an_unknown_scope_is_refused(world):
    for ca_id, shard in ((0, None), (world.first.id, 0), (world.first.id, 7)):
        with pytest.raises(NotFound):
            building.publish_crl(ca_id, shard)
    assert not CrlScope.objects.exists()


# --- when ---------------------------------------------------------------------------------------------------------------


def due(world, start, minutes) -> list[tuple[str, int | None]]:
    with clock.moved_to(start + dt.timedelta(minutes=minutes)):
        return [(found.ca.slug, found.shard) for found in crl_scopes.find_due([world.first], clock.now())]


def revoked_at(world, start, minutes):
    with clock.moved_to(start + dt.timedelta(minutes=minutes)):
        row = world.issue()
        revoke(row)
    return row


WHOLE = [("person-hsaid-3", None)]


def test_a_revocation_is_listed_when_none_follows(world):
    start = clock.now()
    building.publish_crl(world.first.id)
    revoked_at(world, start, 10)
    assert due(world, start, 10.4) == []
    assert due(world, start, 10.5) == WHOLE
    assert due(world, start, 59) == WHOLE


def test_lists_come_no_closer_than_five_minutes_for_revocations(world):
    start = clock.now()
    with clock.moved_to(start):
        building.publish_crl(world.first.id)
    revoked_at(world, start, 1)
    assert due(world, start, 4.9) == []
    assert due(world, start, 5.1) == WHOLE


def test_revocations_that_never_pause_are_listed_after_five_minutes(world):
    start = clock.now()
    building.publish_crl(world.first.id)
    for step in range(21):
        revoked_at(world, start, 20 + step / 4)
        assert due(world, start, 20 + step / 4 + 0.1) == (WHOLE if step == 20 else [])


def test_what_was_issued_makes_no_list_due(world):
    start = clock.now()
    with clock.moved_to(start):
        building.publish_crl(world.first.id)
    world.issue()
    CertificateAuthority.objects.filter(id=world.first.id).update(status_version=1000)
    assert due(world, start, 59) == []
    assert due(world, start, 60.1) == WHOLE


def test_a_revocation_makes_its_own_shard_due_and_the_whole(world):
    start, ca = clock.now(), sharded(world.first, 4)
    assert due(world, start, 0) == [*WHOLE, *(("person-hsaid-3", shard) for shard in range(4))]
    building.publish_all(ca)
    row = revoked_at(world, start, 10)
    assert due(world, start, 11) == [*WHOLE, ("person-hsaid-3", int(row.serial, 16) % 4)]


def test_the_sweeper_waits_longer_after_each_failure(world):
    start = clock.now()
    CertificateAuthority.objects.filter(id=world.first.id).update(key_id="00" * 20)
    tried = []
    for seconds in range(0, 75, 5):
        with clock.moved_to(start + seconds * SECOND):
            tried += [seconds for each in building.publish_due() if each.ca == world.first]
    assert tried == [0, 10, 30, 70]
    assert CrlScope.objects.get(ca=world.first).failures == 4
    CertificateAuthority.objects.filter(id=world.first.id).update(key_id=world.first.key_id)
    with clock.moved_to(start + 75 * SECOND):
        building.publish_crl(world.first.id)  # on order at once
    assert CrlScope.objects.get(ca=world.first).failures == 0


def test_the_sweeper_looks_often_enough_for_the_pause(world):
    task, seconds, queue = SCHEDULE["pki.publish_due_crls"]
    assert (task, queue) == ("pki.publish_due_crls", "pki")
    assert dt.timedelta(seconds=seconds) <= crl_scopes.QUIET
