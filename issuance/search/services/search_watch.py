"""Detection of searches that look like harvesting (S14). Each pattern is recorded once an hour, counted for an alarm, and
listed for the responsible issuer.
"""

import datetime as dt
from dataclasses import dataclass
from enum import StrEnum

from django.conf import settings
from django.db.models import Count, Q, Sum
from django.db.models.expressions import Combinable
from django.db.models.functions import Coalesce

from issuance.records.models.events import SEARCHER, SUSPECTED_SEARCHES, Event
from issuance.search.domain.search_terms import TermKind
from issuance.search.models import Search
from siths_portal.lib import clock
from siths_portal.lib.monitoring import metrics

GUESSABLE = (TermKind.HSA_ID, TermKind.NAME)
"""Kinds of values that match people by a part."""

HOUR = dt.timedelta(hours=1)
_COUNTED = metrics.counter("searches_suspected", "Hours in which a person's searches looked like harvesting", ["pattern"])


class Pattern(StrEnum):
    """A suspicious pattern in an hour's searches: guessed numbers, or many people collected through
    parts of names and HSA-ids.
    """

    MISSES = "misses"
    SHOWN = "shown"


@dataclass(frozen=True)
class Tally:
    """The counts of an hour: searches without a hit, and persons shown by searches on a part."""

    misses: int
    shown: int


def tallies(most: int, most_extended: int) -> dict[str, Combinable]:
    """Returns the aggregates of a `Tally`, for a query of an hour's searches.

    A search with more hits than `most` shows nobody.
    """
    listed = Q(extended=False, hits__lte=most) | Q(extended=True, hits__lte=most_extended)
    return {
        "misses": Count("pk", filter=Q(hits=0)),
        "shown": Coalesce(Sum("hits", filter=listed & Q(kind__in=GUESSABLE)), 0),
    }


def watch(row: Search, *, shown: int, before: Tally) -> None:
    """Records a pattern if this search, which showed `shown` persons, makes or continues one. `before` counts the searches of
    the hour before it. Each pattern is recorded once an hour. The caller holds the lock that serialises the person's searches.
    """
    if not row.hits and before.misses + 1 >= settings.SEARCH_MISSES_SUSPECT:
        suspect(row.owner_ref, Pattern.MISSES, before.misses + 1)
    if shown and row.kind in GUESSABLE and before.shown + shown >= settings.SEARCH_SHOWN_SUSPECT:
        suspect(row.owner_ref, Pattern.SHOWN, before.shown + shown)


def suspect(owner_ref: str, pattern: Pattern, count: int) -> None:
    """Records that a person's searches of the hour match a pattern, at most once an hour."""
    searcher = owner_ref[:80]
    events = Event.objects.filter(subject_type=SEARCHER, subject_ref=searcher, action=SUSPECTED_SEARCHES)
    if events.filter(at__gt=clock.now() - HOUR, facts__has_key=pattern.value).exists():
        return
    Event.record(
        actor_ref=owner_ref,
        action=SUSPECTED_SEARCHES,
        subject_type=SEARCHER,
        subject_ref=searcher,
        facts={pattern.value: count, "seconds": int(HOUR.total_seconds())},
    )
    _COUNTED.labels(pattern.value).inc()
