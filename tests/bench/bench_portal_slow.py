"""Pages behind the reverse proxy while 500 slow clients hold connections: the portal, its proxy and the simulators of `make run`.

Alone: `make bench AREA=portal PYTEST_ARGS="-k slow_clients"`, about two minutes.
"""

import contextlib
import itertools
import json
import os
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urljoin

import pytest
import requests

from siths_portal.demo.browsing import Browser
from siths_portal.dev import programs
from tests.e2e.outside import FIRST_CLERK, SECOND_CLERK, clerk, name_of
from tests.e2e.stage import ROOT, Stage, started

SLOW = int(os.environ.get("BENCH_SLOW_CLIENTS", "500"))
WARM_UP = 5
SECONDS = 25  # longer than two time-outs of the proxy, so that it ends slow clients and gets new ones while it is measured
LIMIT = 1.0
PROGRAMS = {"portal", "people-front", "directory", "idp"}
pytestmark = pytest.mark.timeout(900)

Times = dict[str, list[float]]


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    """The portal of `make run` behind its proxy, with demo people who can log in and without any card."""
    with started(lambda house: [each for each in programs.application_programs(house) if each.name in PROGRAMS]) as made:
        yield made


def logged_in(stage: Stage, index: int) -> dict[str, str]:
    """Returns the cookies of a clerk's session."""
    browser, one = Browser(), clerk(index)
    page = browser.open(stage.portal).press("Logga in").press(f"Logga in som {name_of(one)}")
    if page.has_button("Fortsätt"):
        page = page.form("Fortsätt").choose(one.posts[0].hsa_id).send()
    assert page.has_button("Logga ut"), page.text
    return browser.cookies(stage.portal)


def stylesheet(stage: Stage) -> str:
    """Returns the path of the largest stylesheet of the log-in page."""
    page = requests.get(stage.portal, timeout=60).text
    return max(re.findall(r'href="(/static/[^"]+\.css)"', page), key=lambda path: len(get(stage, path).content))


def get(stage: Stage, path: str, cookies: dict[str, str] | None = None) -> requests.Response:
    """Requests a page over a connection of its own, which a kept one would spare."""
    response = requests.get(urljoin(stage.portal, path), cookies=cookies, headers={"Connection": "close"}, timeout=60)
    assert response.status_code == 200, (path, response.status_code)
    return response


def visits(stage: Stage, sessions: list[dict[str, str]], file: str, seconds: float = SECONDS) -> Times:
    """Returns the seconds of each request by page, while each session's user visits one page after the other."""
    pages = {"log-in page": ("/", False), "search page": ("/sok/", True), "static file": (file, False)}
    end = time.monotonic() + seconds

    def visit(cookies: dict[str, str]) -> list[tuple[str, float]]:
        found = []
        for name in itertools.cycle(pages):
            if time.monotonic() > end:
                return found
            path, as_clerk = pages[name]
            began = time.perf_counter()
            get(stage, path, cookies if as_clerk else None)
            found.append((name, time.perf_counter() - began))
        raise AssertionError

    times: Times = {name: [] for name in pages}
    with ThreadPoolExecutor(len(sessions)) as users:
        for name, took in itertools.chain.from_iterable(users.map(visit, sessions)):
            times[name].append(took)
    return times


@contextlib.contextmanager
def slow_clients(stage: Stage, file: str) -> Iterator[list[str]]:
    """Keeps SLOW slow clients connected while the block runs. Afterwards the list holds a sentence about them."""
    command = [sys.executable, "-m", "tests.bench.slow_clients", str(stage.house.port("portal")), str(SLOW), file]
    said: list[str] = []
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdin
        first = json.loads(process.stdout.readline())
        assert sum(first["connected"].values()) == SLOW, first
        yield said
        process.stdin.close()
        last = json.loads(process.stdout.readline())
    said.append(f"{sum(last['connected'].values())} connected at the end, {last['closed']} ended by the proxy and replaced")


def p95(times: list[float]) -> float:
    """Returns the 95th percentile."""
    return statistics.quantiles(times, n=20)[-1]


def test_others_do_not_notice_500_slow_clients(stage: Stage, report: Callable[..., float]) -> None:
    sessions, file = [logged_in(stage, index) for index in (FIRST_CLERK, SECOND_CLERK)], stylesheet(stage)
    visits(stage, sessions, file, WARM_UP)
    measured = {"nobody else": visits(stage, sessions, file)}
    with slow_clients(stage, file) as said:
        measured[f"{SLOW} slow clients"] = visits(stage, sessions, file)
    load = f"load average {os.getloadavg()[0]:.1f}"
    for beside, found in measured.items():
        for page, times in found.items():
            note = f"p50 {statistics.median(times) * 1000:.0f} ms, p95 {p95(times) * 1000:.0f} ms; {load}"
            slow = f"; {said[0]}" if beside != "nobody else" else ""
            report("portal", f"{page} beside {beside}", "portal behind nginx", [len(times) / SECONDS], note + slow)
    assert max(p95(times) for times in measured[f"{SLOW} slow clients"].values()) < LIMIT
