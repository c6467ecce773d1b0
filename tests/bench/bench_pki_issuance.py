"""Issuance in two `pki` worker processes on a durable PostgreSQL, beside what the token alone does in the same two processes."""

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from pki.issuing import signing
from tests.bench.durable import House, durable
from tests.bench.processes import Workers

PROCESSES = 2
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))
SECONDS = min(3.0, float(os.environ.get("BENCH_SECONDS", "3")))
RSA, EC = "person-hsaid-3", "person-id-3"
ISSUERS = {
    RSA: ("RSA-4096", ["person-hsaid-auth", "person-hsaid-sign"], 2000),
    EC: ("P-256", ["person-id-auth", "person-id-sign"], 6000),
}

Report = Callable[..., float]


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    """A root and one issuer of each kind over a durable PostgreSQL."""
    with durable() as made:
        made.perform({"root": "rsa-4096", RSA: "rsa-4096", EC: "ec-p256"})
        yield made


@pytest.mark.parametrize("slug", list(ISSUERS))
def test_certificates(house: House, report: Report, slug: str) -> None:
    postgres, environ = house.postgres, house.environ
    key, profiles, stock = ISSUERS[slug]
    count = "SELECT count(*) FROM pki_certificateblob"
    before = int(postgres.psql(count, database="siths"))
    workers = Workers("tests.bench.issuance_worker", environ, PROCESSES)
    rates: dict[str, list[float]] = {"token": [], "issued": [], "answered": []}
    shares: dict[str, list[dict[str, Any]]] = {"issued": [], "answered": []}
    issued = 0
    try:
        for turn in range(-1, ROUNDS):  # the first warms up and is not counted
            raw = sum(each["rate"] for each in workers.ask("raw", ca=slug, seconds=1.0 if turn < 0 else SECONDS))
            if turn >= 0:
                rates["token"].append(raw)
            for what in ("issued", "answered"):
                workers.ask("prepare", ca=slug, profiles=profiles, count=200 if turn < 0 else stock)
                answers = workers.ask("issue", seconds=SECONDS, batch=signing.BATCH, answers=what == "answered")
                issued += sum(each["issued"] for each in answers)
                if turn >= 0:
                    rates[what].append(sum(each["rate"] for each in answers))
                    shares[what] += answers
    finally:
        workers.end()
    name = f"certificates, {key} issuer, {PROCESSES} processes"
    raw = report("pki", name, "the token alone", rates["token"])
    for what, by in (("issued", "planned, signed, stored"), ("answered", "and answered for (OCSP)")):
        report("pki", name, by, rates[what], note=note(rates, what, shares[what]))
    assert raw
    assert int(postgres.psql(count, database="siths")) - before == issued


def note(rates: dict[str, list[float]], what: str, answers: list[dict[str, Any]]) -> str:
    """The ratio to the token's rate in the same round, and where the processes' time went."""
    ratios = sorted(mine / raw for mine, raw in zip(rates[what], rates["token"], strict=True))
    token, database = (sum(each[part] for each in answers) / len(answers) for part in ("token", "database"))
    spent = f"token {token:.0%}, database {database:.0%}, our code {1 - token - database:.0%}"
    return f"{ratios[len(ratios) // 2]:.2f} x token; {spent}"
