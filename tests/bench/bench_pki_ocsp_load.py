"""`pki_ocspd` in a house with a database, a publisher and a signer: while revocations come, under floods, beside issuance.

The store is what the publisher made of the database. `BENCH_OCSP_SERIALS` makes it smaller; see `tests.bench.load` for the rest.
"""

import contextlib
import json
import os
import statistics
import subprocess
import time
import urllib.parse
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from tests.bench import ocsp_peers
from tests.bench.bench_pki_issuance import EC, ISSUERS
from tests.bench.durable import PYTHON, ROOT, House, durable
from tests.bench.load import ROUNDS, SECONDS, WARM_UP, Run, Server, against, load, ratio, told, used_by
from tests.bench.ocsp_corpus import SERIALS, Corpus
from tests.bench.processes import Workers
from tests.pki.ocspd import ocspd_stage
from tests.waiting import wait_for

pytestmark = pytest.mark.timeout(3600)
CA = "function"
UNKNOWN = 1000
REVOCATIONS = 50  # a second
PACE = 500  # requests a second, as F18 has it
PROMISE_MS = 300  # 99 of 100 answers (rules/pki 5.6), at 200 a second
OVERLOAD_MS = 50

Report = Callable[..., float]

ROWS = f"""
SET session_replication_role = replica;
INSERT INTO pki_certificate (id, ca_id, serial, status, tbs_sha256, spki_sha256, subject_ref, carrier_ref, unit_ref, client_ref,
    not_before, not_after, created_at, issued_at, reason, status_version, presigned_version, signing_attempts, failure)
SELECT ('00000000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid,
    (SELECT id FROM pki_certificateauthority WHERE slug = '{CA}'), upper('5' || substr(md5(n::text), 2)),
    'issued', '', '', '', '', '', '', now(), now() + interval '2 years', now(), now(), '', 0, -1, 0, ''
FROM generate_series(1, {SERIALS}) n
"""


@dataclass
class Scene:
    """What runs, and what is asked."""

    house: House
    worker: Workers
    server: Server
    unknown: Path
    drawn: Path
    publisher: int
    """Its process."""

    def cpu(self) -> dict[str, float]:
        """Seconds of processor that those have used who revoke, sign, store and publish."""
        postmaster = int((self.house.postgres.data / "postmaster.pid").read_text().split()[0])
        found = {"revoking and signing": self.worker.pids[0], "PostgreSQL": postmaster, "the publisher": self.publisher}
        return {name: used_by(pid) for name, pid in found.items()}

    def do(self, do: str, **arguments: Any) -> dict[str, Any]:
        """What the signer answers."""
        return self.worker.ask(do, **arguments)[0]


@pytest.fixture(scope="module")
def scene() -> Iterator[Scene]:
    """A P-256 issuer with live certificates, all answers signed, the publisher and two workers of the responder."""
    with contextlib.ExitStack() as stack:
        house = stack.enter_context(durable())
        house.perform({"root": "ec-p256", CA: "ec-p256", EC: "ec-p256"})
        house.postgres.psql(ROWS, database="siths")
        house.postgres.psql("VACUUM ANALYZE pki_certificate", database="siths")
        worker = Workers("tests.bench.status_worker", house.environ, 1)
        stack.callback(worker.end)
        assert worker.ask("presign", ca=CA)[0]["signed"] >= SERIALS
        files = {name: house.folder / name for name in ("known", "unknown", "drawn")}
        worker.ask("requests", ca=CA, count=UNKNOWN, **{name: str(path) for name, path in files.items()})
        store, log = house.folder / "ocsp", house.folder / "log"
        publisher = stack.enter_context(ocspd_stage.publisher(store, log, **house.environ | {"PKI_OCSP_STORE_DIR": str(store)}))
        wait_for(lambda: (store / "current").exists(), seconds=300)
        url, process = stack.enter_context(ocspd_stage.ocspd(store, log))
        server = Server(url, process.pid, files["known"])
        first = bytes.fromhex(files["known"].open().readline()[2:])
        wait_for(lambda: ocspd_stage.told(url, first) == "GOOD")
        yield Scene(house, worker, server, files["unknown"], files["drawn"], publisher.pid)


def told_revoked(scene: Scene, revoked: list[dict[str, str]]) -> float:
    """Each of them is told to be, by every worker in turn; how many seconds after the last signature the last one was."""
    began = time.monotonic()
    requests = [bytes.fromhex(each["request"]) for each in revoked]
    wait_for(lambda: ocspd_stage.told(scene.server.url, requests[-1]) == "REVOKED")
    took = time.monotonic() - began
    for request in requests:
        wait_for(lambda request=request: {ocspd_stage.told(scene.server.url, request) for _ in range(4)} == {"REVOKED"})
    return took


def test_post_while_revocations_come(scene: Scene, report: Report, tmp_path: Path) -> None:
    """Beside our own rate while nothing happens, and beside what a responder does that has nothing to follow."""
    folder = scene.house.folder
    mixed = replace(scene.server, rare=scene.unknown)
    quiet: list[Run] = []
    busy: list[Run] = []
    others: list[Run] = []
    came = Came()
    with ocsp_peers.cfssl(Corpus(tmp_path)) as peer:
        with Came().at(scene):  # of which the first run would else sign the unknown ones, all at once
            load(mixed, folder, WARM_UP)
        load(peer, folder, WARM_UP)
        for _ in range(ROUNDS):
            quiet.append(load(scene.server, folder))
            with came.at(scene):
                busy.append(load(mixed, folder))
            others.append(load(peer, folder))
    what = f"OCSP by POST in a house, {SERIALS:,} serials, both hashes"
    report("pki", what, "nothing else happens", [run.rate for run in quiet], told(quiet))
    note = f"{told(busy)}; {ratio(busy, quiet):.2f} x quiet (floor 0.8); {came.note}"
    report("pki", what, f"{REVOCATIONS} revocations/s, 1 in 100 of {UNKNOWN} unknown", [run.rate for run in busy], note)
    ratios = against(quiet, others, 3, 4), against(busy, others, 2.4, 3.2)
    note = f"{told(others)}; while nothing else happens {ratios[0]}; while revocations come {ratios[1]}"
    report("pki", what, "cfssl ocspserve, nothing else happens", [run.rate for run in others], note)


class Came:
    """The revocations of all rounds: how many in how long, what they cost whom, and how late the last one was told."""

    def __init__(self) -> None:
        self._count, self._seconds = 0, 0.0
        self._waits: list[float] = []
        self._cpu: Counter[str] = Counter()

    @contextlib.contextmanager
    def at(self, scene: Scene) -> Iterator[None]:
        """They come meanwhile, and each of them is told to be revoked."""
        scene.do("begin", ca=CA, each_second=REVOCATIONS)
        before = scene.cpu()
        yield
        after = scene.cpu()
        done = scene.do("end")
        self._cpu.update({name: seconds - before[name] for name, seconds in after.items()})
        self._count += len(done["revoked"])
        self._seconds += done["seconds"]
        self._waits.append(told_revoked(scene, done["revoked"]))

    @property
    def note(self) -> str:
        """For the table."""
        each = ", ".join(f"{seconds / self._count * 1000:.1f} ms {name}" for name, seconds in self._cpu.items())
        pace = (
            f"{self._count / self._seconds:.0f} revoked a second, the last one told {max(self._waits):.1f} s after its signature"
        )
        return f"{pace}; CPU a revocation: {each}"


# --- how long answers take ---------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def paced(scene: Scene, seconds: float) -> Iterator[dict[str, float]]:
    """Asks for known serials at the pace meanwhile; the figures are there at the end."""
    where = urllib.parse.urlsplit(scene.server.url)
    command = [*PYTHON, "-m", "tests.bench.paced", where.hostname, where.port, scene.server.requests, PACE, seconds]
    figures: dict[str, float] = {}
    with subprocess.Popen([*map(str, command)], cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        yield figures
        out, _ = process.communicate(timeout=seconds + 120)
    assert process.returncode == 0
    figures |= json.loads(out)


def reported(report: Report, what: str, by: str, rounds: list[dict[str, float]], promise: float, note: str = "") -> None:
    """A line with the latencies of the rounds: medians, and the worst round's."""
    p50, p99, longest = (statistics.median(each[name] for each in rounds) for name in ("p50", "p99", "longest"))
    worst = max(each["p99"] for each in rounds)
    text = f"p50 {p50:.1f} ms, p99 {p99:.1f} ms (worst round {worst:.1f}, at most {promise:g}), longest {longest:.0f} ms"
    if later := sum(each["later"] for each in rounds):
        text += f"; {later / sum(each['asked'] for each in rounds):.1%} just revoked (tryLater)"
    report("pki", what, by, [each["asked"] / SECONDS for each in rounds], text + note)
    assert not any(each["wrong"] for each in rounds)


def test_known_serials_while_unknown_ones_flood(scene: Scene, report: Report) -> None:
    """Unknown serials are drawn anew for each request by 64 connections that never pause."""
    flood = replace(scene.server, requests=scene.drawn)
    quiet: list[dict[str, float]] = []
    flooded: list[dict[str, float]] = []
    floods: list[Run] = []
    for _ in range(ROUNDS):
        with paced(scene, SECONDS) as figures:
            pass
        quiet.append(figures)
        with paced(scene, SECONDS) as figures:
            floods.append(load(flood, scene.house.folder, SECONDS + 2))
        flooded.append(figures)
    what = f"OCSP, {PACE} known serials a second"
    reported(report, what, "nothing else happens", quiet, OVERLOAD_MS)
    rate = statistics.median(run.rate for run in floods)
    reported(report, what, "unknown serials flood", flooded, OVERLOAD_MS, f"; flood {rate:,.0f}/s, {told(floods)}")


def test_f18_ten_times_the_load_leaves_ocsp_within_its_promise(scene: Scene, report: Report) -> None:
    """Two workers issue as fast as they can, 2,000 certificates are revoked in one act, and a stranger's flood comes on top."""
    issuers = Workers("tests.bench.issuance_worker", scene.house.environ, 2)
    rounds: list[dict[str, float]] = []
    issued = 0
    try:
        for _ in range(ROUNDS):
            issuers.ask("prepare", ca=EC, profiles=ISSUERS[EC][1], count=min(6000, 600 * SECONDS))
            issuers.send("issue", seconds=SECONDS, batch=100, answers=True)
            with paced(scene, SECONDS) as figures:
                scene.do("revoke_at_once", ca=CA, count=min(2000, SERIALS // 20))
                load(replace(scene.server, requests=scene.drawn), scene.house.folder, max(1, SECONDS // 2))
            issued += sum(each["issued"] for each in issuers.answers())
            rounds.append(figures)
    finally:
        issuers.end()
    note = f"; {issued / (ROUNDS * SECONDS):,.0f} certificates issued a second meanwhile; {os.cpu_count()} cores"
    reported(report, f"OCSP, {PACE} known serials a second", "issuance, 2,000 revoked, flood (F18)", rounds, PROMISE_MS, note)
