"""Database, Redis, token and worker are taken away in turn, and for a whole night: answers stay right, and all that was missed
is made good without anybody's help (rules/pki 5.1, 5.2; F02-F04, F18).
"""

import contextlib
import datetime as dt
import json
import os
import threading
import urllib.request
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from pki.crl import building
from pki.models import CrlScope
from pki.ocsp import presigning
from pki.ocspd.metrics import GIVEN_UP
from siths_portal.lib import clock
from tests.pki.ocsp import outages
from tests.pki.ocsp.test_status_face import request_for, revoke
from tests.pki.ocspd.ocspd_stage import Served, Status, ask, call, ocspd, publisher, told
from tests.pki.workers import Workers
from tests.pki_fixtures import tampering
from tests.waiting import wait_for

pytestmark = pytest.mark.soak
ALGORITHMS = [hashes.SHA1(), hashes.SHA256()]
NOT_GOOD = {"TRY_LATER", "REVOKED"}


class House:
    """The publisher, two workers of the responder and a `pki` worker with the scheduler, as processes on the real services."""

    def __init__(self, folder: Path) -> None:
        store = folder / "ocsp"
        self._workers = Workers(folder, PKI_OCSP_STORE_DIR=str(store))
        with contextlib.ExitStack() as stack:
            stack.callback(self._workers.end)
            self.start_worker()
            stack.enter_context(publisher(store, folder / "publisher.log"))
            self.url, self.responder = stack.enter_context(ocspd(store, folder / "ocspd.log"))
            self._stack = stack.pop_all()

    def __enter__(self) -> "House":
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.__exit__(*error)

    def start_worker(self) -> None:
        """As the supervisor starts it: of threads, with the signer of those who wait."""
        self._worker = self._workers.start("-P", "threads", "-c", "1", "-B")

    @contextlib.contextmanager
    def worker_killed(self):
        self._workers.kill(self._worker)
        yield
        self.start_worker()

    def told(self, row) -> set[str]:
        """What is said of the row by either hash, by connections that meet each process of the responder."""
        return {told(self.url, request_for(row, algorithm)) for algorithm in ALGORITHMS for _ in range(3)}

    def health(self) -> str:
        """What the responder says of itself while it is ready."""
        return self._ready()["status"]

    def checks(self) -> dict[str, str]:
        """The same of its parts."""
        return self._ready()["checks"]

    def _ready(self) -> dict:
        with urllib.request.urlopen(f"{self.url}/healthz/ready", timeout=60) as response:
            return json.load(response)


@pytest.fixture
def house(world, tmp_path):
    with House(tmp_path) as made:
        yield made


OUTAGES = {
    "database stopped": lambda house: outages.database_stopped(),
    "Redis stopped": lambda house: outages.redis_stopped(),
    "token gone": lambda house: outages.token_gone(),
    "worker killed": lambda house: house.worker_killed(),
}


# One in the short form; `make soak` takes all of them away.
LONG = bool(os.environ.get("SITHS_LONG"))
TAKEN = tuple(OUTAGES) if LONG else ("database stopped",)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("what", TAKEN)
def test_answers_stay_right_and_all_that_was_missed_is_made_good(house, world, what, tally):
    good, revoked, late = world.issue(), world.issue(), world.issue()
    revoke(revoked)
    wait_for(lambda: [house.told(row) for row in (good, revoked, late)] == [{"GOOD"}, {"REVOKED"}, {"GOOD"}])
    # Nobody is at work on a list: what a kill in the midst of one leaves is told by test_crl_leases.
    wait_for(lambda: CrlScope.objects.filter(ca=world.first, lease=None).exclude(newest=None).exists())
    with OUTAGES[what](house):
        if what == "database stopped":
            wait_for(lambda: house.health() == "degraded")
        else:
            revoke(late)
            wait_for(lambda: house.told(late) <= NOT_GOOD)
        for _ in range(20):
            assert house.told(good) == {"GOOD"}
            assert house.told(revoked) == {"REVOKED"}
            assert what == "database stopped" or house.told(late) <= NOT_GOOD
            assert told(house.url, request_for(good, serial=4711)) != "GOOD"
        if what in ("token gone", "worker killed"):
            wait_for(lambda: "inga nya svar kan signeras sedan" in house.checks()["signing"])
            assert house.checks()["store"] == "ok"
    if what == "database stopped":
        revoke(late)
    fresh = world.issue()
    old_enough_for_the_next_list(world.first)
    wait_for(lambda: house.told(late) == {"REVOKED"})
    wait_for(lambda: house.told(fresh) == {"GOOD"})
    assert house.told(good) == {"GOOD"}
    wait_for(lambda: listed(late))
    wait_for(lambda: presigning.backlog() == {})  # the signer of those who wait may have been first
    wait_for(lambda: house.health() == "ok")
    assert house.responder.poll() is None
    said = [answer for row in (good, fresh, revoked, late) for answer in house.told(row)]
    tally.run(["GOOD", "GOOD", "REVOKED", "REVOKED"], said, "answers")


def old_enough_for_the_next_list(ca) -> None:
    """As if its list were from two hours ago."""
    with tampering() as cursor:
        cursor.execute("UPDATE pki_crl SET this_update = this_update - interval '2 hours' WHERE ca_id = %s", [ca.id])


def listed(row) -> bool:
    found = x509.load_der_x509_crl(building.crl_path(row.ca).read_bytes())
    return found.get_revoked_certificate_by_serial_number(int(row.serial, 16)) is not None


# --- a night ----------------------------------------------------------------------------------------------------------------


def test_eight_hours_without_database_redis_and_token_and_health_says_so(world, tmp_path):
    """It begins when the oldest answers were about to be renewed. The clock moves; the three are really gone."""
    good, revoked, late = world.issue(), world.issue(), world.issue()
    revoke(revoked)
    presigning.presign_due()
    served = Served(tmp_path / "ocsp")
    begin = clock.now() + presigning.LIFETIME - presigning.REFRESH_BEFORE - dt.timedelta(minutes=1)
    with clock.moved_to(begin):
        assert presigning.presign_due() >= 0  # what is spread out comes early
        served.publisher.look()
        assert health(served) == (200, "ok")
    with outages.database_stopped(), outages.redis_stopped(), outages.token_gone():
        for hour in range(9):
            with clock.moved_to(begin + dt.timedelta(hours=hour)):
                served.publisher.turn()  # is told in the log, and ends nothing
                for algorithm in ALGORITHMS:
                    assert served.told(request_for(good, algorithm)) == "GOOD"
                    assert served.told(request_for(revoked, algorithm)) == "REVOKED"
                assert served.told(request_for(good, serial=4711)) == "UNAUTHORIZED"
                assert health(served) == ((200, "degraded") if hour else (200, "ok"))
        with clock.moved_to(begin + dt.timedelta(seconds=GIVEN_UP + 1)):
            assert health(served)[0] == 503
            assert served.told(request_for(good)) == "GOOD"
    end = begin + dt.timedelta(hours=8, minutes=1)
    with clock.moved_to(end):
        revoke(late)
        served.publisher.turn()
        assert served.told(request_for(late)) == "TRY_LATER"
        while presigning.presign_due():
            pass
        served.publisher.turn()
        assert [served.told(request_for(row)) for row in (good, revoked, late)] == ["GOOD", "REVOKED", "REVOKED"]
        assert health(served) == (200, "ok")
    with clock.moved_to(end + dt.timedelta(hours=8)):  # the new answers last another night
        assert served.told(request_for(good)) == "GOOD"
    served.close()


def health(served) -> tuple[int, str]:
    answer = call(served.responder, "GET", "/healthz/ready")
    return int(answer.status[:3]), str(json.loads(answer.body)["status"])


# --- ten times the load -----------------------------------------------------------------------------------------------------


def test_f18_answers_have_a_pool_of_their_own(world, tmp_path, tally):
    """With every connection of the database taken and strangers flooding, known serials get right answers all the time.

    How long they take under ten times the load is measured by `make bench` (bench_pki_ocsp_load.py).
    """
    good, revoked = world.issue(), world.issue()
    revoke(revoked)
    presigning.presign_due()
    store = tmp_path / "ocsp"
    with publisher(store, tmp_path / "publisher.log"), ocspd(store, tmp_path / "log") as (url, _):
        wait_for(lambda: (told(url, request_for(good)), told(url, request_for(revoked))) == ("GOOD", "REVOKED"))
        wrong, stop = [], threading.Event()

        def flood(first: int) -> None:
            for serial in range(first, first + 10_000):
                if stop.is_set():
                    return
                response = ask(url, request_for(good, serial=serial))
                if response.response_status == Status.SUCCESSFUL and response.certificate_status.name == "GOOD":
                    wrong.append(serial)

        strangers = [threading.Thread(target=flood, args=(number * 100_000 + 1,)) for number in range(8)]
        with outages.every_connection_taken():
            for stranger in strangers:
                stranger.start()
            said = [(told(url, request_for(good)), told(url, request_for(revoked))) for _ in range(300 if LONG else 60)]
            stop.set()
            for stranger in strangers:
                stranger.join()
        assert set(said) == {("GOOD", "REVOKED")}
        assert wrong == []
        tally.run([("GOOD", "REVOKED")] * len(said), said, "answers")
