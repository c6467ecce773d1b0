"""The token alone is gone: the store follows, stored answers hold, and health and an alarm tell that nothing new is signed."""

import datetime as dt
import json
import threading

import pytest
from django.db import connection
from prometheus_client import REGISTRY

from pki.ocsp import presigning, signer_checks
from pki.ocspd import signer_health
from pki.operators import status_measures
from siths_portal.lib import clock
from tests.pki.health.test_alarms import firing
from tests.pki.ocsp import outages
from tests.pki.ocsp.test_status_face import request_for, revoke
from tests.pki.ocspd.ocspd_stage import Served, call
from tests.waiting import wait_for

SECOND = dt.timedelta(seconds=1)


@pytest.fixture
def served(world, tmp_path, settings):
    settings.PKI_OCSP_STORE_DIR = tmp_path / "ocsp"
    made = Served(settings.PKI_OCSP_STORE_DIR)
    yield made
    made.close()


def health(served) -> tuple[str, str, str]:
    """HTTP status, the whole, and what is said of signing."""
    answer = call(served.responder, "GET", "/healthz/ready")
    body = json.loads(answer.body)
    assert body["checks"]["store"] == "ok"
    return answer.status, body["status"], body["checks"]["signing"]


def tell(folder) -> str:
    """As the worker does each few seconds."""
    why = signer_checks.look()
    signer_health.tell(folder, why, clock.now().timestamp())
    return why


def measured() -> float:
    status_measures.measure()
    return REGISTRY.get_sample_value("ocsp_not_signable_seconds")


def test_with_the_token_alone_gone_answers_stay_and_health_says_what_does_not_work_and_since_when(world, served):
    good, late = world.issue(), world.issue()
    presigning.presign_due()
    served.publisher.look()
    assert tell(served.folder) == ""
    assert health(served) == ("200 OK", "ok", "ok")
    assert (measured(), "OcspNotSignable" in firing()) == (0, False)
    gone_at = clock.now()
    with outages.token_gone():
        revoke(late)
        for seconds in (0, 20, 90):
            with clock.moved_to(gone_at + seconds * SECOND):
                assert tell(served.folder) in ("HsmUnavailable", "HsmConfigError")
                served.publisher.look()
                status, whole, said = health(served)
                assert (status, whole) == ("200 OK", "degraded")
                assert f"inga nya svar kan signeras sedan {gone_at:%Y-%m-%dT%H:%M:%SZ} (Hsm" in said
                assert served.told(request_for(good)) == "GOOD"
                assert served.told(request_for(late)) == "TRY_LATER"
                assert measured() == pytest.approx(seconds, abs=0.001)
                assert ("OcspNotSignable" in firing()) == (seconds > 60)
    wait_for(lambda: tell(served.folder) == "")
    assert health(served) == ("200 OK", "ok", "ok")
    assert measured() == 0
    wait_for(lambda: presigning.presign_due() == 1 or presigning.backlog() == {})
    served.publisher.look()
    assert [served.told(request_for(row)) for row in (good, late)] == ["GOOD", "REVOKED"]


def test_a_worker_that_is_silent_signs_nothing(world, served):
    tell(served.folder)
    told_at = clock.now()
    for seconds, whole in ((29, "ok"), (32, "degraded")):
        with clock.moved_to(told_at + seconds * SECOND):
            served.publisher.look()
            status, found, said = health(served)
            assert (status, found, "ingen signerar" in said) == ("200 OK", whole, seconds > 30)
            assert (measured() > 0) == (seconds > 30)


def test_where_nobody_has_told_nothing_is_said(world, served):
    assert health(served) == ("200 OK", "ok", "ok")
    (served.folder / signer_health.FILE).write_text("{")
    assert health(served) == ("200 OK", "ok", "ok")
    assert measured() == 0


def test_the_thread_tells_until_the_block_ends(world, served):
    path = served.folder / signer_health.FILE
    with signer_checks.told(served.folder):
        wait_for(path.exists)
    wait_for(lambda: "ocsp-signable" not in {thread.name for thread in threading.enumerate()})
    assert signer_health.fault(served.folder, clock.now().timestamp()) is None


def test_without_the_database_it_is_said_and_nothing_is_raised(world, monkeypatch):
    with outages.database_stopped():
        assert signer_checks.look() in ("OperationalError", "InterfaceError")
    connection.close()
    assert signer_checks.look() == ""
