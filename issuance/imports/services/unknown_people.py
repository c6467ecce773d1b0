"""Role holders of a file whom the sender does not find: asked for in the catalogue, few at a time, and within a budget.

A file finds whole HSA-ids by the thousand, which a search does one by one: what it names in vain is watched and bounded as the
misses of searches are (S14, S47), those out of sight like those who are not there.
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

ASKED_AT_ONCE = 50
"""HSA-ids that a file may ask the catalogue for; the next ones are asked when it is sent again."""

_MISSED = "setup_import.missed"


def ask(actor: Actor, rows: Sequence[SetupRow]) -> None:
    """Asks the catalogue for the first of the role holders whom the actor does not find, and notes whom it does not give either.

    Raises Invalid at the file for one that names too many, TooManyRequests where the hour's files have named too many in vain,
    Unavailable, Refused.
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
    asked = unseen[:ASKED_AT_ONCE]
    with held(number(f"unknown people {actor.ref}")):  # what one file of a person spends, the next one finds spent
        _require_room(actor)
        catalogue_reading.read_posts(actor=actor, hsa_ids=asked)
        missed = len(set(asked) & set(existing_setup.unseen_posts(actor, rows)))
        if missed:
            _note(actor, missed)


def _require_room(actor: Actor) -> None:
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
def _note(actor: Actor, missed: int) -> None:
    lock_until_commit(f"search {actor.ref}")  # one person's files wait for each other here, as his searches do
    before = _of_the_hour(actor).aggregate(missed=Sum(_missed()))["missed"] or 0
    Event.record(actor_ref=actor.ref, action=_MISSED, subject_type=SEARCHER, subject_ref=actor.ref[:80], facts={"missed": missed})
    if before + missed >= settings.SEARCH_MISSES_SUSPECT:
        search_watch.suspect(actor.ref, Pattern.MISSES, before + missed)


def _of_the_hour(actor: Actor) -> QuerySet[Event]:
    return Event.objects.filter(subject_type=SEARCHER, subject_ref=actor.ref[:80], action=_MISSED, at__gt=clock.now() - HOUR)


def _missed() -> Cast:
    return Cast(KT("facts__missed"), IntegerField())
