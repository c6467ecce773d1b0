"""Role holders of a file whom the sender does not see: read from the HSA directory, a few at a time and rate limited.

A file can test complete HSA-ids by the thousand, while a search tests one. So HSA-ids without a result are watched and limited
like searches without a hit (S14, S47), whether the people are hidden or do not exist.
"""

import datetime as dt
import math
from collections.abc import Sequence

from django.conf import settings
from django.db import transaction
from django.db.models import IntegerField, Min, QuerySet, Sum
from django.db.models.fields.json import KT
from django.db.models.functions import Cast

from issuance.authz import Actor
from issuance.imports.services import existing_setup
from issuance.imports.services.planned_rows import SetupRow
from issuance.people.services import catalogue_reading
from issuance.records.models.events import SEARCHER, Event
from issuance.search.services import search_watch
from issuance.search.services.search_watch import HOUR, Pattern
from siths_portal.lib import clock
from siths_portal.lib.database.locks import held, lock_until_commit, number
from siths_portal.lib.errors import TooManyRequests
from siths_portal.lib.imports.planning import MAX_NEW, grouped
from siths_portal.lib.imports.reading import FIELD, refuse_file

READ_AT_ONCE = 50
"""The number of HSA-ids of a file that are read from the HSA directory. Uploading the file again reads the next ones."""

_MISSED = "setup_import.missed"


def read_unknown(actor: Actor, rows: Sequence[SetupRow]) -> None:
    """Reads the first role holders whom the actor does not see from the HSA directory, and records how many it did not return.

    Raises Invalid at the file if it has too many unknown holders, TooManyRequests if the hour's files had too many without a
    result, Unavailable, Refused.
    """
    unseen = existing_setup.unseen_posts(actor, rows)
    if not unseen:
        return
    if len(unseen) > MAX_NEW:
        message = (
            f"Filen har {grouped(len(unseen))} rollinnehavare som portalen inte känner. Högst {grouped(MAX_NEW)} tas emot åt "
            "gången. Dela upp filen."
        )
        refuse_file("too-many-unknown", message)
    hsa_ids = unseen[:READ_AT_ONCE]
    # Serialises one person's files, so that each counts the misses of the one before.
    with held(number(f"unknown people {actor.ref}")):
        _check_limit(actor)
        catalogue_reading.read_posts(actor=actor, hsa_ids=hsa_ids)
        missed = len(set(hsa_ids) & set(existing_setup.unseen_posts(actor, rows)))
        if missed:
            _record_misses(actor, missed)


def _check_limit(actor: Actor) -> None:
    spent = _of_the_hour(actor).aggregate(missed=Sum(_missed()), since=Min("at"))
    if (spent["missed"] or 0) >= settings.SETUP_IMPORT_MISSES_PER_HOUR:
        wait: dt.timedelta = (spent["since"] or clock.now()) + HOUR - clock.now()
        minutes = max(1, math.ceil(wait.total_seconds() / 60))
        later = "1 minut" if minutes == 1 else f"{minutes} minuter"
        message = (
            f"Många tjänste-id i filerna finns inte i HSA-katalogen. Kontrollera dem. Om {later} tar portalen emot fler filer "
            "med okända personer."
        )
        raise TooManyRequests(
            "unknown-budget", message, retry_after=max(1, int(wait.total_seconds()) + 1), fields={FIELD: [message]}
        )


@transaction.atomic(durable=True)
def _record_misses(actor: Actor, missed: int) -> None:
    lock_until_commit(f"search {actor.ref}")  # serialises one person's files with that person's searches
    before = _of_the_hour(actor).aggregate(missed=Sum(_missed()))["missed"] or 0
    Event.record(actor_ref=actor.ref, action=_MISSED, subject_type=SEARCHER, subject_ref=actor.ref[:80], facts={"missed": missed})
    if before + missed >= settings.SEARCH_MISSES_SUSPECT:
        search_watch.suspect(actor.ref, Pattern.MISSES, before + missed)


def _of_the_hour(actor: Actor) -> QuerySet[Event]:
    return Event.objects.filter(subject_type=SEARCHER, subject_ref=actor.ref[:80], action=_MISSED, at__gt=clock.now() - HOUR)


def _missed() -> Cast:
    return Cast(KT("facts__missed"), IntegerField())
