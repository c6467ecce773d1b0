"""One process of the portal's benchmark: the pages by Django's test client, over the database of its environment.

`pages`, `errands`, `holders` or `timing`, and how many requests or pairs of each; the answer is a line of JSON.
"""

import gc
import json
import os
import random
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from itertools import islice
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "siths_portal.settings")
django.setup()

from django.conf import settings  # noqa: E402
from django.db import connection  # noqa: E402
from django.test.utils import CaptureQueriesContext  # noqa: E402
from django.urls import reverse  # noqa: E402

from issuance.organisations.models import Organisation  # noqa: E402
from issuance.roles.models.grants import RoleGrant  # noqa: E402
from issuance.roles.services.actors import actor_of_person  # noqa: E402
from issuance.search.queries.holders import Choice, Holders  # noqa: E402
from siths_portal.lib.lists import List, Order  # noqa: E402
from tests.bench.portal_requests import Country, Pairs, Request, names, pairs  # noqa: E402
from tests.portal import portal_client  # noqa: E402

WARM = 20
TRIES = 60
DAY = ("day", "day_sent", "day_unsigned", "day_orders", "day_ending")
_OF_ORGANISATIONS = ("SEARCHES_PER_MINUTE", "SEARCHES_PER_MINUTE_BY_ORGANISATION")
KINDS = ("person_id", "hsa_id", "card_serial", "name")


def main() -> None:
    """Does what its arguments say."""
    settings.DEBUG, settings.ALLOWED_HOSTS = False, ["testserver"]
    # Each searcher asks more often than a person does.
    for name in ("SEARCHES_PER_HOUR", "SEARCHES_BY_ENDING_PER_HOUR", "SEARCH_MISSES_SUSPECT", *_OF_ORGANISATIONS):
        setattr(settings, name, 10**9)
    what: dict[str, Callable[[int], Any]] = {"pages": _pages, "errands": _errands, "holders": _holders, "timing": _timing}
    gc.collect()
    gc.freeze()
    print(json.dumps(what[sys.argv[1]](int(sys.argv[2]))))


def seconds(request: Request, expected: Sequence[int]) -> float | None:
    """How long one answer took; None for another status, as where a page is not for the place that was drawn."""
    started = time.perf_counter()
    answer = request.send()
    took = time.perf_counter() - started
    assert answer.status_code < 500, request.address
    return took if answer.status_code in expected else None


def some(draw: Callable[[], Request], count: int, expected: Sequence[int]) -> list[float]:
    """So many times of answers with an expected status."""
    found: list[float] = []
    for _ in range(count * TRIES):
        if len(found) == count:
            return found
        if (took := seconds(draw(), expected)) is not None:
            found.append(took)
    raise AssertionError(draw().address)


def measured(draw: Callable[[], Request], count: int, expected: Sequence[int] = (200,)) -> dict[str, Any]:
    """Times of `count` warm requests, and the most queries of a few more."""
    some(draw, WARM, expected)
    times = some(draw, count, expected)
    queries = 0
    for _ in range(WARM // 2):
        with CaptureQueriesContext(connection) as asked:
            draw().send()
        queries = max(queries, sum(not each["sql"].startswith(("SAVEPOINT", "RELEASE", "BEGIN", "COMMIT")) for each in asked))
    return {"seconds": times, "queries": queries}


def _pages(count: int) -> dict[str, Any]:
    """Every page of Administrera, Dagen and its lists, Registervård, the search by each kind of value, and its page of hits."""
    country = Country()
    found = {}
    for name, asked in names():
        found[f"{name} {asked}".strip()] = measured(partial(country.page, name, asked), count, (200, 302))
        print(name, file=sys.stderr, flush=True)
    clerks = country.searchers()
    for name in DAY:
        found[name] = measured(lambda name=name: Request(country.chance.choice(clerks), reverse(name)), count)  # type: ignore[misc]
    for name, draw in country.care().items():
        found[name] = measured(draw, count)
    found["organisation_move with a place"] = measured(country.move, count)
    for kind in KINDS:
        draws = country.searches(kind)
        found[f"search by {kind}"] = measured(partial(next, draws), count, (302,))
    found["role_holders by name"] = measured(country.role_holder, count, (302,))
    named = [Request(asked.client, asked.send()["Location"]) for asked in (country.role_holder() for _ in range(5 * WARM))]
    found["role_holders that a name leaves"] = measured(lambda: country.chance.choice(named), count)
    hits = []
    for request in islice(country.searches("hsa_id"), 5 * WARM):
        address = request.send()["Location"]
        if address.startswith("/sok/traffar/"):
            hits.append(Request(request.client, address))
    found["search_hits"] = measured(lambda: country.chance.choice(hits), count)
    return found


def _errands(count: int) -> dict[str, Any]:
    """Every page of a person, a card or a stock of reserve cards that is not the middle of an errand."""
    return {name: measured(draw, count, (200, 302)) for name, draw in Country().errands().items()}


def _holders(count: int) -> dict[str, Any]:
    """The first and the last page of the holders of the largest region, in turns."""
    region = Organisation.objects.get(name="Region Prov 1")
    issuer = RoleGrant.objects.get(role="responsible_issuer", area=region.area_id).person
    source = Holders(actor_of_person(issuer.pk), region.id, Choice())
    last = source.page(Order("namn", descending=True), (), None, List.page_size + 1).next
    client, address = portal_client(issuer), reverse("organisation_holders", args=[region.id])
    both = {"first": Request(client, address), "last": Request(client, f"{address}?efter={last}")}
    found: dict[str, list[float]] = {name: [] for name in both}
    for _ in range(WARM + count):
        for name, request in both.items():
            found[name] += some(lambda request=request: request, 1, (200,))  # type: ignore[misc]
    return {name: times[WARM:] for name, times in found.items()}


def _timing(count: int) -> dict[str, Any]:
    """How well the time of an answer tells what is hidden from what is missing: the area under the curve, and the medians."""
    country = Country()
    return {name: _compared(each, count) for name, each in pairs(country).items()}


def _compared(asked: Pairs, count: int) -> dict[str, float]:
    chance, times = random.Random(7), {True: [], False: []}  # type: dict[bool, list[float]]
    for turn in range(-WARM, count):
        order = [True, False]
        chance.shuffle(order)
        for hidden in order:
            request = (asked.hidden if hidden else asked.missing)(turn + WARM)
            took = seconds(request, (404, 302))
            assert took is not None, request.address
            if turn >= 0:
                times[hidden].append(took)
    return {
        "auc": auc(times[True], times[False]),
        "hidden": statistics.median(times[True]),
        "missing": statistics.median(times[False]),
    }


def auc(ones: Sequence[float], others: Sequence[float]) -> float:
    """The chance that one of `ones` is greater than one of `others` (Mann-Whitney); 0.5 tells nothing."""
    ranked = sorted([(value, True) for value in ones] + [(value, False) for value in others])
    ranks = sum(rank for rank, (_, is_one) in enumerate(ranked, start=1) if is_one)
    return (ranks - len(ones) * (len(ones) + 1) / 2) / (len(ones) * len(others))


if __name__ == "__main__":
    main()
