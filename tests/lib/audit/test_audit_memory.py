"""Walking a long chain takes no more memory than a short one: it is read in chunks."""

import os
import subprocess
import sys
import time
import tracemalloc

import pytest
from django.conf import settings
from django.db import connection

from pki.models import Event, EventSeal
from siths_portal import tasks
from siths_portal.lib.audit import macs
from siths_portal.wiring import chains

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("audit_token")]
LONG = bool(os.environ.get("SITHS_LONG"))
SHORT = 6_000
# A thousand events and their seals at a time, with room; all of the short chain's at once would take more.
MOST = 12_000_000
# What `audit_verify` is asked to walk, and how many kilobytes more it may take than for the short chain.
ROWS, MORE = 1_000_000 if LONG else 24_000, 16_000

# VmHWM is of this program alone; ru_maxrss remembers the process that started it.
VERIFY = """
import django, re
from pathlib import Path
django.setup()
from django.core.management import call_command
call_command("audit_verify", "--macs")
print(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1])
"""


def fill(count: int, octets: int = 2000) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO pki_event (at, actor_ref, action, subject_type, subject_ref, facts) SELECT now(), 'system:test', "
            "'thing.done', 'thing', n::text, jsonb_build_object('text', repeat('x', %s)) FROM generate_series(1, %s) n",
            [octets, count],
        )


def seal() -> None:
    """Seals and MACs all there is; the first MAC's key is an event too."""
    while chains.seal_all() or chains.mac_all():
        pass


def test_memory_does_not_grow_with_the_chain():
    fill(SHORT)
    chains.seal_all()
    for _ in range(1 + SHORT // (50 * macs.BLOCK)):
        tasks.mac()
    (chain,) = [each for each in chains.all_chains() if each.app == "pki"]
    tracemalloc.start()
    try:
        found = chains.verify(chain)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert found.ok, found.fault
    assert (found.checked, found.macs) == (SHORT, SHORT)
    assert peak < MOST, f"{peak} octets"


def test_the_limit_can_be_exceeded():
    """The short chain in one piece is more than the limit."""
    fill(SHORT)
    tracemalloc.start()
    try:
        kept = list(Event.objects.all()[:SHORT]), list(EventSeal.objects.all()[:SHORT])
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept
    assert peak > MOST


def verified() -> tuple[str, int]:
    """What `audit_verify` says in a process of its own, and the most memory that the process had, in kilobytes."""
    done = subprocess.run(
        [sys.executable, "-c", VERIFY], cwd=settings.BASE_DIR, env=os.environ | {"PKCS11_TOKEN": settings.PKCS11_TOKEN},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    *said, kilobytes = done.stdout.splitlines()
    return next(line for line in said if line.startswith("pki:")), int(kilobytes)


@pytest.mark.soak
@pytest.mark.timeout(5400 if LONG else 300)
def test_the_command_walks_a_million_rows_in_the_memory_of_a_few():
    """The long form has a million; both are one chain, whose first part is walked before the rest is there."""
    fill(SHORT, 100)
    seal()
    said, before = verified()
    assert said.startswith(f"pki: {EventSeal.objects.count()} sigill stämmer, {EventSeal.objects.count()} styrkta av HSM")
    fill(ROWS, 100)
    seal()
    start = time.monotonic()
    said, after = verified()
    print(f"{ROWS + SHORT} rows in {time.monotonic() - start:.0f} s: {before} kB, then {after} kB")
    sealed = EventSeal.objects.count()
    assert sealed >= ROWS + SHORT
    assert said.startswith(f"pki: {sealed} sigill stämmer, {sealed} styrkta av HSM")
    assert after < before + MORE
