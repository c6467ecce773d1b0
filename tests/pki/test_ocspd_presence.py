"""What the responder's processes tell of themselves: signs of life beside the store, and answers that were of an older state."""

import datetime as dt
import json
import os
import stat

import pytest
from prometheus_client import REGISTRY

from pki import health, status_measures
from pki.findings import Severity
from pki.models import StatusReport
from pki.ocsp_publishing import Publisher
from pki.ocspd import layout, presence, telling
from pki.ocspd.presence import Presence
from pki.ocspd.telling import Counts, Teller
from siths_portal.lib import clock

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
    made.answered[layout.ANSWER] = answered
    made.errors[6] = errors
    return made


def finding(subject):
    return next((each for each in health.responder() if each.subject == subject), None)


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
    Presence(folder, counts(1)).tell()
    with clock.moved_to(clock.now() + 29 * SECOND):
        assert len(presence.processes(folder)) == 1
    with clock.moved_to(clock.now() + 31 * SECOND):
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
    assert list(health.responder()) == []
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
    teller = Teller(told, folder)
    telling.counters()
    before = {name: value("ocspd_requests_total", said=name) for name in ("answered", "unauthorized")}
    stale = value("ocsp_stale_served_total")
    teller.tell()
    assert value("ocspd_requests_total", said="answered") == before["answered"] + 3
    assert value("ocspd_requests_total", said="unauthorized") == before["unauthorized"] + 2
    assert value("ocsp_stale_served_total") == stale
    told.answered[layout.ANSWER] += 4
    told.errors[6] += 1
    with clock.moved_to(clock.now() + 60 * SECOND):
        teller.tell()
        teller.tell()
    assert value("ocspd_requests_total", said="answered") == before["answered"] + 7
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
