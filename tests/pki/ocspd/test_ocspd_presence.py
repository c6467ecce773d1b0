"""What the responder's processes tell of themselves: signs of life beside the store, and answers that were of an older state."""

import datetime as dt
import json
import os
import stat

import pytest
from prometheus_client import REGISTRY

from pki.domain.findings import Severity
from pki.health import checks
from pki.models import StatusReport
from pki.ocsp import presigning
from pki.ocsp import unknown as ocsp_unknown
from pki.ocsp.publishing import Publisher
from pki.ocspd import metrics, presence
from pki.ocspd.metrics import Counts, MetricsReporter
from pki.ocspd.presence import Presence
from pki.operators import status_measures
from siths_portal.lib import clock
from tests.pki.ocsp.test_status_face import request_for, revoke
from tests.pki.ocspd.ocspd_stage import Served, call

SECOND = dt.timedelta(seconds=1)
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def folder(settings, tmp_path):
    """A store that a publisher has just written."""
    settings.PKI_OCSP_STORE_DIR = tmp_path / "ocsp"
    with Publisher(settings.PKI_OCSP_STORE_DIR) as publisher:
        publisher.look()
    return settings.PKI_OCSP_STORE_DIR


def counts(answered: int, errors: int = 0) -> Counts:
    made = Counts()
    made.answered[5 << metrics.STATUS_BITS | metrics.GOOD] = answered
    made.errors[6] = errors
    return made


def finding(subject):
    return next((each for each in checks.responder() if each.subject == subject), None)


def test_a_process_tells_its_number_its_state_and_its_counts(folder):
    told_by = Presence(folder, counts(7, 2))
    told_by.tell()
    told_by.tell()
    (told,) = presence.processes(folder)
    assert (told["pid"], told["answered"], told["errors"]) == (os.getpid(), 7, 2)
    assert told["generation"] == (folder / "current").read_text().strip()
    assert 0 <= clock.now().timestamp() - told["followed_at"] < 60
    assert [path.name for path in (folder / presence.FOLDER).iterdir()] == [f"{os.getpid()}.json"]


def test_who_has_not_told_for_half_a_minute_is_gone_and_forgotten_after_an_hour(folder):
    told_at = clock.now()
    with clock.moved_to(told_at):
        Presence(folder, counts(1)).tell()
    with clock.moved_to(told_at + 29 * SECOND):
        assert len(presence.processes(folder)) == 1
    with clock.moved_to(told_at + 31 * SECOND):
        assert presence.processes(folder) == []
    other = folder / presence.FOLDER / "1.json"
    other.write_text(json.dumps({"pid": 1}))
    with clock.moved_to(clock.now() + 3700 * SECOND):
        Presence(folder, counts(1)).tell()
    assert not other.exists()


def test_what_others_wrote_there_is_passed_over(folder):
    Presence(folder, counts(1)).tell()
    for number, text in enumerate(("", "{", "[]", "{}", '{"told_at": "x"}', "null")):
        (folder / presence.FOLDER / f"{number}.json").write_text(text)
    assert [told["pid"] for told in presence.processes(folder)] == [os.getpid()]


def test_without_a_store_the_process_tells_that(folder, tmp_path):
    (tmp_path / "none").mkdir()
    Presence(tmp_path / "none", counts(0)).tell()
    (told,) = presence.processes(tmp_path / "none")
    assert (told["generation"], told["followed_at"]) == ("", None)


def test_the_worker_keeps_what_it_saw_and_health_tells_of_it(folder):
    assert list(checks.responder()) == []
    Presence(folder, counts(7)).tell()
    status_measures.measure()
    report = StatusReport.objects.get()
    assert report.store["generation"] == (folder / "current").read_text().strip()
    assert [each["pid"] for each in report.processes] == [os.getpid()]
    assert (finding("ocsp-lager").severity, finding("ocsp-process").text) == (Severity.OK, "1 process svarar ur lagret")
    assert REGISTRY.get_sample_value("ocspd_processes") == 1
    assert REGISTRY.get_sample_value("ocsp_store_lag_seconds") < 60
    with clock.moved_to(clock.now() + 60 * SECOND):
        status_measures.measure()
    assert (finding("ocsp-lager").severity, finding("ocsp-process").severity) == (Severity.WARNING, Severity.WARNING)
    assert 59 < REGISTRY.get_sample_value("ocsp_store_lag_seconds") < 120
    with clock.moved_to(clock.now() + dt.timedelta(hours=9)):
        status_measures.measure()
    assert finding("ocsp-lager").severity == Severity.ERROR


def test_a_store_that_cannot_be_read_is_as_bad_as_one_that_nobody_follows(folder):
    (folder / "current").write_text("index-999")
    status_measures.measure()
    assert REGISTRY.get_sample_value("ocsp_store_lag_seconds") == float("inf")


def test_answers_of_an_older_state_are_counted_apart(folder):
    def value(name, **labels):
        return REGISTRY.get_sample_value(name, labels) or 0

    told = counts(3, 2)
    teller = MetricsReporter(told, folder)
    metrics.counters()
    good, unauthorized = {"ca": "person-x:2", "status": "good"}, {"ca": "", "status": "unauthorized"}
    (folder / "authorities.json").write_text(json.dumps([{"id": 5, "name": "person-x:2"}]))
    before = value("ocsp_requests_total", **unauthorized)
    stale = value("ocsp_stale_served_total")
    teller.tell()
    assert value("ocsp_requests_total", **good) == 3
    assert value("ocsp_requests_total", **unauthorized) == before + 2
    assert value("ocsp_stale_served_total") == stale
    told.answered[5 << metrics.STATUS_BITS | metrics.GOOD] += 4
    told.errors[6] += 1
    with clock.moved_to(clock.now() + 60 * SECOND):
        teller.tell()
        teller.tell()
    assert value("ocsp_requests_total", **good) == 7
    assert value("ocsp_stale_served_total") == stale + 4


def test_a_folder_that_cannot_be_written_stops_nothing(folder):
    """Told in a thread of its own, which ends."""
    place = folder / presence.FOLDER
    place.write_text("a file in its way")
    told_by = Presence(folder, counts(1))
    with pytest.raises(OSError):  # noqa: PT011  (which one differs by file system)
        told_by.tell()
    told_by._run()
    assert stat.S_ISREG(place.stat().st_mode)


@pytest.fixture
def served(world, tmp_path):
    made = Served(tmp_path / "served")
    yield made
    made.close()


def test_answers_are_counted_by_ca_and_status_whether_remembered_or_not(world, served):
    good, revoked = world.issue(), world.issue()
    revoke(revoked)
    presigning.presign([good.id, revoked.id])
    served.publisher.look()
    asked = [request_for(good)] * 3 + [request_for(revoked)] * 2 + [b"x"]
    for der in asked:
        call(served.responder, body=der)
    ca = good.ca_id
    totals = served.responder.counts.totals()
    assert {key: count for key, count in totals.items() if count} == {(ca, "good"): 3, (ca, "revoked"): 2, (0, "malformed"): 1}
    name = f"{good.ca.slug}:{good.ca.generation}"
    before = {status: REGISTRY.get_sample_value("ocsp_requests_total", {"ca": name, "status": status}) or 0
              for status in ("good", "revoked")}  # fmt: skip
    served.responder.teller.tell()
    for status, count in (("good", 3), ("revoked", 2)):
        assert REGISTRY.get_sample_value("ocsp_requests_total", {"ca": name, "status": status}) == before[status] + count


def test_a_signed_unknown_is_counted_as_that(world, served):
    served.publisher.look()
    unborn = world.issue()
    unborn.serial = "5A" * 15
    der = request_for(unborn)
    call(served.responder, body=der)
    assert ocsp_unknown.ask([(unborn.ca_id, int(unborn.serial, 16))]) == 1
    ocsp_unknown.sign()
    served.publisher.look()
    call(served.responder, body=der)
    assert served.responder.counts.totals()[unborn.ca_id, "unknown"] == 1
    assert served.responder.counts.totals()[0, "unauthorized"] == 1
