"""Searches that look like harvesting (S14): noted once an hour, counted for an alarm, and listed for the responsible issuer."""

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
"""What finds people by a part alone."""

HOUR = dt.timedelta(hours=1)
_COUNTED = metrics.counter("searches_suspected", "Hours in which a person's searches looked like harvesting", ["pattern"])


class Pattern(StrEnum):
    """What is suspected of an hour's searches: numbers are tried, or many people are collected by parts of names and HSA-ids."""

    MISSES = "misses"
    SHOWN = "shown"


@dataclass(frozen=True)
class Tally:
    """How many searches of an hour found nobody, and how many persons those by a part showed."""

    misses: int
    shown: int


def tallies() -> dict[str, Combinable]:
    """The aggregates of a `Tally`, for a query of an hour's searches that is asked anyway."""
    listed = Q(extended=False, hits__lte=settings.SEARCH_MAX_HITS) | Q(extended=True, hits__lte=settings.SEARCH_EXTENDED_MAX_HITS)
    return {
        "misses": Count("pk", filter=Q(hits=0)),
        "shown": Coalesce(Sum("hits", filter=listed & Q(kind__in=GUESSABLE)), 0),
    }


def watch(row: Search, *, shown: int, before: Tally) -> None:
    """Notes a pattern that this search, which showed so many persons, makes or continues; `before` is the hour before it.

    Once an hour for each. The caller has made the person's searches wait for each other.
    """
    if not row.hits and before.misses + 1 >= settings.SEARCH_MISSES_SUSPECT:
        suspect(row.owner_ref, Pattern.MISSES, before.misses + 1)
    if shown and row.kind in GUESSABLE and before.shown + shown >= settings.SEARCH_SHOWN_SUSPECT:
        suspect(row.owner_ref, Pattern.SHOWN, before.shown + shown)


def suspect(owner_ref: str, pattern: Pattern, count: int) -> None:
    """Notes that a person's searches of the hour make a pattern, once an hour."""
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
