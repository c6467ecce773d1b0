"""OCSP: answers signed ahead a second, and requests answered a second by `pki_ocspd` beside other responders, in turns.

`BENCH_OCSP_SERIALS` makes the store smaller; see `tests.bench.load` for the rest.
"""

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from pki.hsm import Algorithm, KeySpec, hsm_for
from tests.bench import ocsp_peers
from tests.bench.load import ROUNDS, Run, Server, against, interleaved, told
from tests.bench.ocsp_corpus import Corpus, Responder
from tests.pki.ocspd.ocspd_stage import ask, ocspd
from tests.pki_fixtures import make_token

pytestmark = pytest.mark.timeout(3600)
Report = Callable[..., float]


# --- signing ahead ----------------------------------------------------------------------------------------------------------

AT_ONCE = 500  # signatures between two looks at the clock
TURN = 0.5


def rate(operation: Callable[[], object]) -> float:
    """Operations a second of this process, over half a second."""
    done, began = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - began) < TURN:
        for _ in range(AT_ONCE):
            operation()
        done += AT_ONCE
    return done / elapsed


def test_answers_signed_ahead(report: Report) -> None:
    make_token("bench-ocsp")
    token = hsm_for("bench-ocsp")
    key = token.private_key(token.generate(KeySpec(Algorithm.EC_P256, "bench")).key_id)
    software, hardware, algorithm = Responder(), Responder(key), ec.ECDSA(hashes.SHA256())
    candidates: dict[str, Callable[[], object]] = {
        "template, software key": software.sign,
        "cryptography's builder, software key": software.build,
        "template, SoftHSM": hardware.sign,
        "SoftHSM's signature alone": lambda: key.sign(b"x" * 300, algorithm),
    }
    rates: dict[str, list[float]] = {name: [] for name in candidates}
    for turn in range(ROUNDS + 1):
        for name, operation in candidates.items():
            measured = rate(operation)
            if turn:  # the first warms up
                rates[name].append(measured)
    raw = statistics.median(
        ours / alone for ours, alone in zip(rates["template, SoftHSM"], rates["SoftHSM's signature alone"], strict=True)
    )
    notes = {
        "template, software key": "floor 20,000, goal 35,000",
        "template, SoftHSM": f"{raw:.2f} x the signature alone (floor 0.8)",
    }
    for name, measured_rates in rates.items():
        report("pki", "OCSP answers signed ahead, P-256, one process", name, measured_rates, notes.get(name, ""))


# --- answering --------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Corpus:
    return Corpus(tmp_path_factory.mktemp("ocsp"))


@pytest.fixture
def served(corpus: Corpus, tmp_path) -> Iterator[Server]:
    """`pki_ocspd` with two workers, asked by POST."""
    with ocspd(corpus.store, tmp_path / "log") as (url, process):
        checked(url, corpus)
        yield Server(url, process.pid, corpus.posts)


def checked(url: str, corpus: Corpus) -> None:
    """What is fast is also right: some of the answers are looked at."""
    for number in range(0, len(corpus.serials), max(1, len(corpus.serials) // 20)):
        for name in ("sha1", "sha256"):
            answer = ask(url, corpus.responder.request(name, corpus.serials[number]))
            assert answer.certificate_status.name == "GOOD"
            assert answer.serial_number == corpus.serials[number]
            assert answer.hash_algorithm.name == name


def beside(
    corpus: Corpus, ours: Server, peer: AbstractContextManager[Server], names: tuple[str, str], report: Report,
    floor: float | None, goal: float | None, what: str,
) -> None:  # fmt: skip
    """Measures both in turns, and reports the ratio beside the peer's rate."""
    with peer as theirs:
        runs = interleaved({names[0]: ours, names[1]: theirs}, corpus.folder)
    mine, other = (runs[name] for name in names)
    report("pki", what, names[0], [run.rate for run in mine], told(mine))
    report("pki", what, names[1], [run.rate for run in other], f"{told(other)}; {against(mine, other, floor, goal)}")


def test_get_beside_nginx_with_files(corpus: Corpus, served: Server, report: Report) -> None:
    asked = replace(served, requests=corpus.gets)
    names = "pki_ocspd", "nginx, static files"
    beside(corpus, asked, ocsp_peers.nginx(corpus), names, report, 0.5, 0.65, f"OCSP by GET, {corpus.what}")


PEERS = {
    "cfssl ocspserve": (ocsp_peers.cfssl, 3, 4),
    "django-ca, cached view": (ocsp_peers.django_ca, 8, 10),
    "bare function under granian": (ocsp_peers.bare, None, None),
}


@pytest.mark.parametrize("name", PEERS)
def test_post_beside(corpus: Corpus, served: Server, report: Report, name: str) -> None:
    peer, floor, goal = PEERS[name]
    beside(corpus, served, peer(corpus), ("pki_ocspd", name), report, floor, goal, f"OCSP by POST, {corpus.what}")


def test_post_beside_openssl_on_its_own_terms(corpus: Corpus, served: Server, report: Report) -> None:
    """It signs each answer, for a client that makes a connection a request; ours is asked both ways.

    What nginx does with one answer for all tells how much of such a rate is the client's and the kernel's.
    """
    alike = replace(served, close=True)
    with ocsp_peers.openssl(corpus) as theirs, ocsp_peers.fixed(corpus) as fixed:
        runs = interleaved({"pki_ocspd": served, "alike": alike, "openssl": theirs, "fixed": fixed}, corpus.folder)
    what = f"OCSP by POST, {corpus.what}"
    report("pki", what, "pki_ocspd", [run.rate for run in runs["pki_ocspd"]], told(runs["pki_ocspd"]))
    ratios = against(runs["pki_ocspd"], runs["openssl"], 3, 4), against(runs["alike"], runs["openssl"])
    note = f"{told(runs['openssl'])}; {ratios[0]}; by a client that does the same {ratios[1]}"
    once = "a connection a request"
    report("pki", what, f"openssl ocsp -multi 2, {once}", [run.rate for run in runs["openssl"]], note)
    note = f"{told(runs['alike'])}; CPU {cpu(runs['openssl']) / cpu(runs['alike']):.1f} x less than openssl"
    report("pki", what, f"pki_ocspd, {once}", [run.rate for run in runs["alike"]], note)
    note = f"{told(runs['fixed'])}; {against(runs['alike'], runs['fixed'])}"
    report("pki", what, f"nginx, one answer, {once}", [run.rate for run in runs["fixed"]], note)


def cpu(runs: list[Run]) -> float:
    """Median of the server's processor time a request, in µs."""
    return statistics.median(run.cpu_us for run in runs)
