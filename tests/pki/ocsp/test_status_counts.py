"""The status face counts what it says as the responder does, so that alarms hold while it stands in for it (ADR 0216)."""

import os
import re
import signal
import subprocess
import sys
import urllib.request

import pytest
from django.conf import settings
from django.test import Client
from prometheus_client import REGISTRY

from pki.models import OcspResponse
from pki.ocsp import presigning
from tests.pki.ocsp.test_status_face import request_for, revoke, status_urls  # noqa: F401  (a fixture for each test)
from tests.pki.ocsp.test_status_wire import status_face

FIRST = "person-hsaid-3:1"


def counted(ca: str, said: str) -> float:
    return REGISTRY.get_sample_value("ocsp_requests_total", {"ca": ca, "status": said}) or 0


def ask(body: bytes):
    client = Client(raise_request_exception=False)
    return client.post("/ocsp", body, content_type="application/ocsp-request")


@pytest.fixture
def row(world):
    made = world.issue()
    presigning.presign([made.id])
    return made


def test_good_and_revoked_by_ca(row):
    before = counted(FIRST, "good"), counted(FIRST, "revoked")
    ask(request_for(row))
    assert (counted(FIRST, "good"), counted(FIRST, "revoked")) == (before[0] + 1, before[1])
    revoke(row)
    presigning.presign([row.id])
    ask(request_for(row))
    assert (counted(FIRST, "good"), counted(FIRST, "revoked")) == (before[0] + 1, before[1] + 1)


def _unsigned(row) -> bytes:
    OcspResponse.objects.filter(certificate=row).delete()
    return request_for(row)


def _damaged(row) -> bytes:
    OcspResponse.objects.filter(certificate=row).update(der=b"damaged")
    return request_for(row)


@pytest.mark.parametrize(
    ("said", "made", "status"),
    [
        ("malformed", lambda _row: b"x", 200),
        ("unauthorized", lambda row: request_for(row, serial=4711), 200),
        ("try_later", _unsigned, 200),
        ("internal", _damaged, 500),
    ],
    ids=["malformed", "unauthorized", "try_later", "internal"],
)
def test_each_error_without_a_ca(row, said, made, status):
    before = counted("", said)
    assert ask(made(row)).status_code == status
    assert counted("", said) == before + 1


def test_a_server_without_database_and_pin_shows_what_the_process_counted(world, tmp_path):
    """As the two containers have it: the folder is all that they share."""
    folder = {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path / "metrics")}
    blind = {"DATABASE_URL": "postgres://nobody@nowhere/none", "DATABASE_OWNER_URL": "", "PKCS11_PIN_FILE": ""}
    command = [sys.executable, "manage.py", "metrics", "--bind", "127.0.0.1:0"]
    with status_face(tmp_path, **folder) as url:
        asked = urllib.request.Request(f"{url}/ocsp", b"x", {"Content-Type": "application/ocsp-request"})
        urllib.request.urlopen(asked, timeout=60).close()
        environment = os.environ | folder | blind
        server = subprocess.Popen(command, env=environment, cwd=settings.BASE_DIR, stdout=subprocess.PIPE, text=True)
        try:
            assert server.stdout is not None
            address = re.search(r"http://\S+", server.stdout.readline())
            assert address
            text = urllib.request.urlopen(address[0], timeout=60).read().decode()
        finally:
            server.send_signal(signal.SIGTERM)
            server.communicate(timeout=120)
    assert 'ocsp_requests_total{ca="",status="malformed"} 1.0' in text
