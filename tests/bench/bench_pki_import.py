"""Import of many certificates with signature checks into a durable PostgreSQL: rate, processor time and memory (issue 5)."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from siths_portal.dev.private_services import APP_ROLE, OWNER_ROLE, PrivatePostgres

ROOT = Path(__file__).resolve().parent.parent.parent
CERTIFICATES = int(os.environ.get("BENCH_IMPORT_CERTIFICATES", "1000000"))
# Signing with RSA-4096 takes long, and what is measured is verifying.
COUNTS = {"ec": CERTIFICATES, "rsa": max(5000, CERTIFICATES // 50)}
GROWTH = 60.0  # MiB from a fifth of the way to the end
pytestmark = pytest.mark.timeout(7200)


@pytest.fixture(scope="module")
def house() -> Iterator[tuple[Path, dict[str, str]]]:
    """A durable PostgreSQL with our tables."""
    folder = Path(tempfile.mkdtemp(prefix="siths-bench-", dir="/tmp"))
    folder.chmod(0o755)
    postgres = PrivatePostgres(folder / "pg" / "data", folder / "pg", fsync=True)
    postgres.create()
    postgres.start()
    try:
        postgres.provision()
        environ = os.environ | {"DATABASE_URL": postgres.url(APP_ROLE), "DATABASE_OWNER_URL": postgres.url(OWNER_ROLE)}
        subprocess.run([sys.executable, "-W", "ignore", "manage.py", "migrate", "-v", "0"], cwd=ROOT, env=environ, check=True)
        yield folder, environ
    finally:
        postgres.stop()
        shutil.rmtree(folder, ignore_errors=True)


def work(environ: dict[str, str], *arguments: object) -> str:
    command = [sys.executable, "-W", "ignore", "-m", "tests.bench.import_worker", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, env=environ, check=True, capture_output=True, text=True).stdout


@pytest.mark.parametrize("kind", ["ec", "rsa"])
def test_import(kind: str, house: tuple[Path, dict[str, str]], report: Callable[..., float]) -> None:
    folder, environ = house
    given = folder / kind
    work(environ, kind, COUNTS[kind], given, 1)  # makes the folder
    took: dict[str, Any] = json.loads(work(environ, kind, COUNTS[kind], given, os.process_cpu_count() or 1).splitlines()[-1])
    assert (took["new"], took["findings"]) == (COUNTS[kind], {})
    cpu = took["cpu"] + took["children_cpu"]
    what = f"import of {COUNTS[kind]:,} certificates with signature checks, {'P-256' if kind == 'ec' else 'RSA-4096'} CA"
    note = f"{COUNTS[kind] / cpu:.0f} a second of our CPU; peak {took['peak']:.0f} MiB, {took['fifth']:.0f} at a fifth of the way"
    report("pki", what, "pki_import, PostgreSQL", [COUNTS[kind] / took["seconds"]], note=note)
    assert took["peak"] - took["fifth"] < GROWTH
