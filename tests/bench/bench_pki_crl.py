"""A CRL of many entries out of a durable PostgreSQL, from the service call to rename and fsync, beside `openssl ca -gencrl`."""

import contextlib
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.bench.durable import ROOT, House, durable

ENTRIES, CA = int(os.environ.get("BENCH_CRL_ENTRIES", "1000000")), "function"
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))
pytestmark = pytest.mark.timeout(1800)
SUBJECT = ["/C=SE/O=Demo AB", "/CN=DEMO CRL"]

# Serials of 127 bits, times over four years, each entry with a reason that `openssl ca` knows.
# In the order of the serials, and with no foreign keys looked up, since making them is not what is measured.
ROWS = f"""
SET session_replication_role = replica;
INSERT INTO pki_certificate (id, ca_id, serial, status, tbs_sha256, spki_sha256, subject_ref, carrier_ref, unit_ref, client_ref,
    not_before, not_after, created_at, revoked_at, reason, status_version, presigned_version, signing_attempts, failure)
SELECT ('00000000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid,
    (SELECT id FROM pki_certificateauthority WHERE slug = '{CA}'), upper('5' || substr(md5(n::text), 2)),
    'revoked', '', '', '', '', '', '', moment, moment + interval '5 years', moment, moment,
    (array['keyCompromise', 'affiliationChanged', 'superseded', 'cessationOfOperation'])[1 + n % 4],
    n, n, 0, ''
FROM (SELECT n, date_trunc('second', now()) - interval '4 years' * random() AS moment FROM generate_series(1, {ENTRIES}) n) made
ORDER BY 3
"""
# The same rows as openssl's index file has them.
INDEX = """
COPY (
  SELECT 'R', to_char(not_after AT TIME ZONE 'UTC', 'YYMMDDHH24MISS"Z"'),
    to_char(revoked_at AT TIME ZONE 'UTC', 'YYMMDDHH24MISS"Z"') || ',' || reason, serial, 'unknown', '/CN=x'
  FROM pki_certificate WHERE status = 'revoked' ORDER BY serial
) TO STDOUT
"""
CONFIG = """
[ca]
default_ca = this
[this]
database = {folder}/index.txt
crlnumber = {folder}/crlnumber
default_md = sha256
default_crl_days = 2
unique_subject = no
crl_extensions = extensions
[extensions]
authorityKeyIdentifier = keyid
[req]
distinguished_name = req
"""


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    """A durable PostgreSQL with the rows, a P-256 CA; and openssl's CA with the same rows."""
    with durable() as made:
        made.perform({"root": "ec-p256", CA: "ec-p256"})
        made.postgres.psql(ROWS, database="siths")
        made.postgres.psql("VACUUM ANALYZE pki_certificate", database="siths")
        (made.folder / "index.txt").write_text(made.postgres.psql(INDEX, database="siths") + "\n")
        _found_openssl(made.folder)
        yield made


def _found_openssl(folder: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "ca.key").write_bytes(key)
    (folder / "openssl.cnf").write_text(CONFIG.format(folder=folder))
    (folder / "crlnumber").write_text("1000\n")
    command = ["openssl", "req", "-x509", "-new", "-key", folder / "ca.key", "-subj", "".join(SUBJECT), "-out", folder / "ca.pem"]
    subprocess.run([*command, "-config", folder / "openssl.cnf"], check=True, capture_output=True)


def ours(environ: dict[str, str]) -> dict[str, Any]:
    """One list by a worker of its own."""
    command = [sys.executable, "-W", "ignore", "-m", "tests.bench.crl_worker", CA]
    done = subprocess.run(command, cwd=ROOT, env=environ, check=True, capture_output=True, text=True)
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def openssl(folder: Path) -> dict[str, Any]:
    """One list by openssl, from the start of its process to its end."""
    command = ["openssl", "ca", "-gencrl", "-config", folder / "openssl.cnf", "-keyfile", folder / "ca.key"]
    command += ["-cert", folder / "ca.pem", "-out", folder / "openssl.crl"]
    started = time.perf_counter()
    peak = 0.0
    with (folder / "openssl.log").open("wb") as said:
        process = subprocess.Popen([*map(str, command)], stderr=said)
    while True:
        ended, status, used = os.wait4(process.pid, os.WNOHANG)
        if ended:
            break
        with contextlib.suppress(OSError, ValueError):  # the process may have just ended
            (line,) = (line for line in Path(f"/proc/{process.pid}/status").read_text().splitlines() if line.startswith("VmHWM:"))
            peak = int(line.split()[1]) / 1024
        time.sleep(0.01)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, (folder / "openssl.log").read_text()
    return {"seconds": time.perf_counter() - started, "cpu": used.ru_utime + used.ru_stime, "peak": peak}


def test_a_crl_of_a_million(house: House, report: Callable[..., float]) -> None:
    folder, environ = house.folder, house.environ
    rounds = [(openssl(folder), ours(environ)) for _ in range(ROUNDS)]
    what = f"CRL of {ENTRIES:,} entries (entries/s)"
    for index, name in enumerate(("openssl ca -gencrl", "PostgreSQL, pki.crl.building, SoftHSM")):
        answers = [each[index] for each in rounds]
        seconds, cpu, peak = (statistics.median(each[key] for each in answers) for key in ("seconds", "cpu", "peak"))
        note = f"{seconds:.2f} s, {cpu:.2f} s CPU, peak {peak:.0f} MiB"
        if "before" in answers[0]:
            ratio = statistics.median(a["seconds"] / b["seconds"] for a, b in rounds)
            note += f" ({answers[0]['before']:.0f} at the call); {ratio:.1f} x openssl (floor 3, goal 4)"
            note += f"; {answers[0]['size'] / 1e6:.1f} MB"
        report("pki", what, name, [ENTRIES / each["seconds"] for each in answers], note=note)
    assert all(mine["entries"] == ENTRIES for _, mine in rounds)
    assert all(mine["peak"] < 100 for _, mine in rounds)
    listed = subprocess.run(
        ["openssl", "crl", "-in", folder / "openssl.crl", "-outform", "DER"], check=True, capture_output=True
    ).stdout
    assert abs(len(listed) - rounds[0][1]["size"]) < 10_000
