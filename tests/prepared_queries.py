"""Compares each prepared query with the queryset that it stands for, at its first two uses by a process.

So every test that reads a page also proves that the page asks what its querysets say, whoever the actor is.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from django.core.exceptions import EmptyResultSet

from siths_portal.lib import clock
from siths_portal.lib.database.prepared import Prepared

USES = 2
_uses: Counter[Any] = Counter()


def compare() -> None:
    """Lets all calls of this process be compared from now on."""
    Prepared.__call__ = _compared  # type: ignore[assignment, method-assign]


def _compared(query: Prepared[..., Any], *arguments: Any) -> Any:
    statement, values = query._compiled(arguments)
    _uses[statement] += 1
    if _uses[statement] <= USES and not _is_rounded(arguments):
        with clock.moved_to(clock.now()):
            assert query.question(*arguments) == _expected(query, arguments), query.build
    return statement.rows(values)


def _expected(query: Prepared[..., Any], arguments: tuple[Any, ...]) -> tuple[str, tuple[Any, ...]]:
    try:
        sql, parameters = query.build(*arguments).query.sql_with_params()
    except EmptyResultSet:
        return "", ()
    return sql, tuple(parameters)


def _is_rounded(arguments: tuple[Any, ...]) -> bool:
    """Whether the prepared query has more parameters than the queryset, since a list's length is rounded up."""
    return any(len(each) not in (0, 1, 4, 16, 64) for each in _lists(arguments))


def _lists(arguments: tuple[Any, ...]) -> Iterator[Any]:
    for each in arguments:
        if isinstance(each, list | frozenset):
            yield each
        yield getattr(each, "extended_persons", ())
