"""Reports of a broken Content-Security-Policy: logged without what addresses hold, never answered with a fault, never a flood."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from playwright.sync_api import Browser
from structlog.testing import capture_logs

from siths_portal.lib import clock
from siths_portal.lib.http import csp
from tests.lib.faces import serving


@pytest.fixture(autouse=True)
def fresh_minute() -> Iterator[None]:
    csp._Minute.start, csp._Minute.lines = clock.now(), 0
    yield
    csp._Minute.lines = 0


def told(report: Any, **headers: Any) -> list[Any]:
    body = report if isinstance(report, bytes) else json.dumps({"csp-report": report}).encode()
    with capture_logs() as lines:
        answer = Client(enforce_csrf_checks=True).post("/csp-rapport/", body, content_type="application/csp-report", **headers)
    assert answer.status_code == 204
    return [line for line in lines if line["event"] == "page.csp_violated"]


@pytest.mark.parametrize(
    ("blocked", "logged"),
    [
        ("inline", "inline"),
        ("https://evil.example/18900101-9802?x=1", "https://evil.example"),
        ("data:text/html;Provsson", "data:"),
        ("https://[::1", ""),
        ("https://evil.example\n{}", ""),
    ],
)
def test_a_report_is_a_line_without_paths(blocked: str, logged: str) -> None:
    report = {
        "document-uri": "https://portal.example/sok/person/1/?18900101-9802",
        "effective-directive": "script-src-elem",
        "blocked-uri": blocked,
        "script-sample": "Provsson",
    }
    (line,) = told(report)
    assert (line["directive"], line["blocked"]) == ("script-src-elem", logged)
    assert "1890" not in str(line)
    assert "Provsson" not in str(line)


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"null", b'{"csp-report": 1}', b"\xff", b"[" * 9000, b'{"csp-report": []}'])
def test_nonsense_is_nothing(body: bytes) -> None:
    assert told(body) == []


def test_large_and_many_reports_are_not_logged() -> None:
    report = {"effective-directive": "script-src", "blocked-uri": "inline"}
    assert told(report | {"padding": "x" * csp.LARGEST}) == []
    with clock.moved_to(clock.now()):  # the minute lasts, however long they take
        assert sum(len(told(report)) for _ in range(csp.LINES_PER_MINUTE + 5)) == csp.LINES_PER_MINUTE


def test_a_browser_sends_its_report_there(django_db_setup: None, browser: Browser, tmp_path: Any) -> None:
    assert settings.SECURE_CSP["report-uri"] == [f"/{csp.PATH}"]
    with serving("portal", tmp_path / "log") as url:
        page = browser.new_page()
        page.goto(url)
        with page.expect_response(f"{url}/csp-rapport/") as answered:
            page.evaluate("() => { const s = document.createElement('script'); s.textContent = '1'; document.body.append(s); }")
        assert answered.value.status == 204
        page.close()
    lines = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines() if "csp_violated" in line]
    assert [(line["directive"], line["blocked"]) for line in lines] == [("script-src-elem", "inline")]
