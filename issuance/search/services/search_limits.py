"""The rate limits of searches: of a person in an hour, of an organisation and of everybody in a minute (S14, S47)."""

import datetime as dt
from typing import Any

from django.conf import settings
from django.db.models import Count, Min, Q, QuerySet

from issuance.authz import Actor
from issuance.search.domain.search_terms import Term
from issuance.search.models import Search
from issuance.search.services import search_watch
from issuance.search.services.search_watch import GUESSABLE, HOUR, Tally
from siths_portal.lib.database.locks import lock_until_commit
from siths_portal.lib.database.prepared import prepared
from siths_portal.lib.errors import TooManyRequests
from siths_portal.lib.http.rate_limits import MinuteBudget, organisation

_SEARCHES = MinuteBudget()


def check(actor: Actor, term: Term, *, extended: bool, now: dt.datetime) -> Tally:
    """Checks the rate limits of a search and returns the counts of the last hour for `search_watch`. Takes a lock that serialises
    one person's searches. Searches on a part share one limit. Raises TooManyRequests (`search-budget`).
    """
    lock_until_commit(f"search {actor.ref}")
    caps = settings.SEARCH_MAX_HITS, settings.SEARCH_EXTENDED_MAX_HITS
    spent = next(iter(_spent(actor.ref, now - HOUR, *caps)), _NOTHING_SPENT)
    limits = [("all", settings.SEARCHES_PER_HOUR, True)]
    limits += [("ending", settings.SEARCHES_BY_ENDING_PER_HOUR, term.kind in GUESSABLE)]
    limits += [("wide", settings.SEARCHES_EXTENDED_PER_HOUR, extended)]
    for name, limit, counts in limits:
        if counts and spent[name] >= limit:
            wait = spent[f"{name}_since"] + HOUR - now if spent[name] else HOUR
            raise TooManyRequests("search-budget", _too_many(name), retry_after=max(1, int(wait.total_seconds()) + 1))
    _spend_of_organisation(actor)
    return Tally(spent["misses"], spent["shown"])


def _spend_of_organisation(actor: Actor) -> None:
    """Counts the search with those of the actor's organisation and of everybody, in this process. Raises TooManyRequests."""
    group, most = organisation(actor.hsa_id), settings.SEARCHES_PER_MINUTE_BY_ORGANISATION
    if not _SEARCHES.take(settings.SEARCHES_PER_MINUTE, group=group, most_of_group=most):
        raise TooManyRequests("search-budget", _too_many("together"), retry_after=int(_SEARCHES.left()) + 1)


_NOTHING_SPENT: dict[str, Any] = dict.fromkeys(("all", "ending", "wide", "misses", "shown"), 0)


@prepared
def _spent(owner_ref: str, since: dt.datetime, most: int, most_extended: int) -> QuerySet[Search, Any]:
    """Returns the counts of a person's searches since `since` in one row, or no row without searches."""
    by_ending, wide = Q(kind__in=GUESSABLE), Q(extended=True)
    searches = Search.objects.filter(owner_ref=owner_ref, created_at__gt=since).order_by().values("owner_ref")
    return searches.annotate(
        all=Count("pk"),
        all_since=Min("created_at"),
        ending=Count("pk", filter=by_ending),
        ending_since=Min("created_at", filter=by_ending),
        wide=Count("pk", filter=wide),
        wide_since=Min("created_at", filter=wide),
        **search_watch.tallies(most, most_extended),
    )


def _too_many(name: str) -> str:
    return {
        "all": "Gränsen för sökningar på en timme är nådd. Vänta en stund och sök igen.",
        "ending": "Gränsen för sökningar på namn och slutet av tjänste-id är nådd. Sök på hela person-id:t eller "
        "kortserienumret, eller vänta en stund.",
        "together": "Många söker just nu. Vänta en minut och sök igen.",
        "wide": "Gränsen för sökningar med utökat sökomfång på en timme är nådd. Vänta en stund och sök igen.",
    }[name]
