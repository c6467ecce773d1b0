"""Loads the country's people, a run of them a transaction, in several processes where there are many."""

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
"""People a transaction."""

PROCESSES = 2
_TAKEN = ("issuance_identifier_one_holder", "issuance_post_hsa_id")
"""What refuses a person who is there already, loaded in another way."""


def load(count: int, say: Callable[[str], None], *, processes: int = PROCESSES) -> int:
    """Adds the country's people up to the number `count` who are not there; returns how many were new.

    Each run of people is whole or not there, so a load that was cut off goes on when it is begun again, and two at once share the
    work. Raises Conflict if the people were loaded in another shape, and as `require_issuer` does.
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
    """Passes if there is the CA of earlier cards. Raises Conflict."""
    if not any(each.slug == BULK_CA for each in pki.authorities()):
        message = f"Utfärdaren {BULK_CA} finns inte. Genomför ceremonin innan fler än {FIRST_OF_THE_COUNTRY} personer läses in."
        raise Conflict("no-bulk-ca", message)


def write(run: range, *, now: dt.datetime) -> int:
    """Inserts those of a run of people who are not there, with their cards, in one transaction; returns how many.

    Raises Conflict if others have their numbers.
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
    """How many each run added, in the order in which they are done."""
    now = clock.now().replace(microsecond=0)
    if processes < 2 or len(runs) <= processes:
        yield from (write(run, now=now) for run in runs)
        return
    connections.close_all()  # a child must not inherit them
    told, telling = os.pipe()
    fork = multiprocessing.get_context("fork")
    children = [
        fork.Process(target=_work, args=(runs[number::processes], now, told, telling), daemon=True) for number in range(processes)
    ]
    try:
        for child in children:
            child.start()
        os.close(telling)
        with os.fdopen(told) as lines:
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


def _work(runs: list[range], now: dt.datetime, told: int, telling: int) -> None:
    """Writes runs in a process of its own, and tells of each in a line; ends by SIGPIPE when nobody listens any more."""
    os.close(told)
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    for run in runs:
        refusal = None
        new = 0
        try:
            new = write(run, now=now)
        except Conflict as refused:
            refusal = (refused.code, refused.message)
        os.write(telling, (json.dumps([new, refusal]) + "\n").encode())


def _tidy(say: Callable[[str], None]) -> None:
    """Lets the tables' owner vacuum and analyze what was filled, where the owner's address is known; else autovacuum will."""
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
