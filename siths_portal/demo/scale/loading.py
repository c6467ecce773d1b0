"""Loads the national-scale people in batches, one transaction each, in several processes if there are many."""

import datetime as dt
import json
import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import closing

import psycopg2  # type: ignore[import-untyped]
from django.db import IntegrityError, connection, connections, transaction

from issuance.people.models.persons import Person
from pki import service as pki
from siths_portal.demo.history import BULK_CA
from siths_portal.demo.people import FIRST_OF_THE_COUNTRY
from siths_portal.demo.scale.cards import write_cards
from siths_portal.demo.scale.ids import row_id
from siths_portal.demo.scale.people import write_people
from siths_portal.demo.scale.tree import load_tree
from siths_portal.lib import clock
from siths_portal.lib.database.locks import lock_until_commit
from siths_portal.lib.errors import Conflict

RUN = 2_500
"""The number of people in a batch."""

PROCESSES = 2
_TAKEN = ("issuance_identifier_one_holder", "issuance_post_hsa_id")
"""Constraints that fail if a person was already loaded in another way."""


def load(count: int, say: Callable[[str], None], *, processes: int = PROCESSES) -> int:
    """Adds the missing national-scale people up to the number `count` and returns how many were new.

    Each batch is loaded atomically, so an interrupted load can be repeated, and two loads at once share the work. Raises Conflict
    if the people were loaded in another form, and as `require_issuer` does.
    """
    require_issuer()
    load_tree()
    runs = [range(start, min(start + RUN, count)) for start in range(FIRST_OF_THE_COUNTRY, count, RUN)]
    started, added = time.monotonic(), 0
    for number, new in enumerate(_written(runs, processes), start=1):
        added += new
        say(f"{number} av {len(runs)} omgångar, {added} nya personer, {time.monotonic() - started:.0f} s")
    if added:
        _tidy(say)
    return added


def require_issuer() -> None:
    """Raises Conflict if the CA of earlier cards is missing."""
    if not any(each.slug == BULK_CA for each in pki.authorities()):
        message = f"Utfärdaren {BULK_CA} finns inte. Genomför ceremonin innan fler än {FIRST_OF_THE_COUNTRY} personer läses in."
        raise Conflict("no-bulk-ca", message)


def write(run: range, *, now: dt.datetime) -> int:
    """Inserts the missing people of a batch with their cards, in one transaction, and returns how many.

    Raises Conflict if other people have their personal numbers.
    """
    try:
        with transaction.atomic(durable=True):
            lock_until_commit(f"demo.scale {run.start}")
            ids = {row_id("person", index): index for index in run}
            known = {str(pk) for pk in Person.objects.filter(pk__in=list(ids)).values_list("pk", flat=True)}
            people = write_people([index for id_, index in ids.items() if id_ not in known], now)
            write_cards(people, now)
    except IntegrityError as error:
        if not any(name in str(error) for name in _TAKEN):
            raise
        message = "Databasen har redan demopersoner i en annan form. Börja med en tom databas."
        raise Conflict("other-shape", message) from None
    return len(people)


def _written(runs: list[range], processes: int) -> Iterator[int]:
    """Yields the number of people that each batch added, in order of completion."""
    now = clock.now().replace(microsecond=0)
    if processes < 2 or len(runs) <= processes:
        yield from (write(run, now=now) for run in runs)
        return
    connections.close_all()  # a child must not inherit them
    reading, writing = os.pipe()
    fork = multiprocessing.get_context("fork")
    shares = [runs[first::processes] for first in range(processes)]
    children = [fork.Process(target=_work, args=(share, now, reading, writing), daemon=True) for share in shares]
    try:
        for child in children:
            child.start()
        os.close(writing)
        with os.fdopen(reading) as lines:
            for line in lines:
                new, refusal = json.loads(line)
                if refusal:
                    raise Conflict(*refusal)
                yield new
        for child in children:
            child.join()
            if child.exitcode:
                raise ChildProcessError(f"a process that loads ended with {child.exitcode}")
    finally:
        for child in children:
            child.terminate()
        for child in children:
            child.join()


def _work(runs: list[range], now: dt.datetime, reading: int, writing: int) -> None:
    """Writes batches in a child process and sends a line about each to the parent. SIGPIPE ends it if the parent is gone."""
    os.close(reading)
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    for run in runs:
        refusal = None
        new = 0
        try:
            new = write(run, now=now)
        except Conflict as refused:
            refusal = (refused.code, refused.message)
        os.write(writing, (json.dumps([new, refusal]) + "\n").encode())


def _tidy(say: Callable[[str], None]) -> None:
    """Vacuums and analyses the filled tables as their owner. Without DATABASE_OWNER_URL it leaves this to autovacuum."""
    url = os.environ.get("DATABASE_OWNER_URL", "")
    if not url:
        say("Tabellernas statistik kommer med autovacuum")
        return
    filled = [name for name in connection.introspection.table_names() if name.startswith(("issuance_", "pki_certificate"))]
    with closing(psycopg2.connect(url)) as owner:
        owner.autocommit = True
        with owner.cursor() as cursor:
            for table in sorted(filled):
                cursor.execute(f"VACUUM (ANALYZE) {connection.ops.quote_name(table)}")
    say("Tabellernas statistik är ny")
