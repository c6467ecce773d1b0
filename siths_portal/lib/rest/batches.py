"""Batches: many calls in one, each with a result of its own."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from rest_framework import serializers

from siths_portal.lib.rest import problem
from siths_portal.lib.rest.fields import Closed
from siths_portal.lib.rest.problem_texts import ProblemTexts

LIMIT = 50
"""The most entries of a batch."""


class Batch(Closed):
    """The body of a batch. Each entry is validated by itself, so that a wrong one does not stop the others."""

    entries = serializers.ListField(child=serializers.JSONField(), min_length=1, max_length=LIMIT)


@dataclass(frozen=True)
class Result:
    """What the single call would have answered."""

    status: int
    body: Any


def results[Entry](entries: Sequence[Entry], act: Callable[[Entry], Result], texts: ProblemTexts) -> list[Result]:
    """Returns what `act` returns for each entry, or the problem that it raises. `act` has a transaction of its own."""
    return [attempted(lambda entry=entry: act(entry), texts) for entry in entries]  # type: ignore[misc]


def attempted(act: Callable[[], Result], texts: ProblemTexts) -> Result:
    """Returns what `act` returns, or the problem that it raises."""
    try:
        return act()
    except Exception as error:  # noqa: BLE001 - a fault of one entry must not stop the others; `problem.of` logs it
        return refused(error, texts)


def refused(error: Exception, texts: ProblemTexts) -> Result:
    """Returns the problem of an error, which is logged if it is unexpected."""
    found = problem.of(error)
    return Result(found.http_status, problem.body(found, texts))
