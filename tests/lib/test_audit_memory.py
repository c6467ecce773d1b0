"""Walking a long chain takes no more memory than a short one: it is read in chunks."""

import os
import tracemalloc

import pytest
from django.db import connection

from pki.models import Event, EventSeal
from siths_portal import chains, tasks
from siths_portal.lib import audit_macs

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("audit_token")]
ROWS = 1_000_000 if os.environ.get("SITHS_LONG") else 12_000
# A thousand events and their seals at a time, with room; all of the short form's at once would take more.
MOST = 12_000_000


def fill(count):
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO pki_event (at, actor_ref, action, subject_type, subject_ref, facts) SELECT now(), 'system:test', "
            "'thing.done', 'thing', n::text, jsonb_build_object('text', repeat('x', 1000)) FROM generate_series(1, %s) n",
            [count],
        )


def test_memory_does_not_grow_with_the_chain():
    fill(ROWS)
    chains.seal_all()
    for _ in range(1 + ROWS // (50 * audit_macs.BLOCK)):
        tasks.mac()
    (chain,) = [each for each in chains.all_chains() if each.app == "pki"]
    tracemalloc.start()
    try:
        found = chains.verify(chain)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert found.ok, found.fault
    assert (found.checked, found.macs) == (ROWS, ROWS)
    assert peak < MOST, f"{peak} octets"


def test_the_limit_can_be_exceeded():
    """The short form's chain in one piece is more than the limit."""
    fill(ROWS)
    tracemalloc.start()
    try:
        kept = list(Event.objects.all()[:12_000]), list(EventSeal.objects.all()[:12_000])
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept
    assert peak > MOST
