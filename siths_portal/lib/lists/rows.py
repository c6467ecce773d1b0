"""Where a list's lines come from: a queryset in the reader's scope, or anything else that can be paged."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import batched
from operator import itemgetter
from typing import Any, Protocol, cast

from django.db.models import Model, QuerySet

from siths_portal.lib.lists import keyset
from siths_portal.lib.lists.columns import value_of
from siths_portal.lib.lists.keyset import Cursor, Key, Order, Page
from siths_portal.lib.ordering import swedish_key

_CHUNK = 500


class Source[L](Protocol):
    """What a list is made of. `by` are the keys that the column of `order` declares."""

    def page(self, order: Order, by: Sequence[str | Key], cursor: Cursor | None, limit: int) -> Page[L]:
        """Returns a page; the first one for a cursor that is not in the list."""
        ...

    def count(self, most: int) -> int:
        """Returns the number of lines, counted no further than `most`."""
        ...

    def every(self, order: Order, by: Sequence[str | Key]) -> Iterator[L]:
        """Returns all lines, read while they are used."""
        ...


@dataclass(frozen=True)
class Rows[M: Model, L]:
    """Rows of a model, already narrowed to the reader's scope.

    `lines` turns a page's rows into what columns show, with one query for each thing that it reads of all of them. Without it the
    rows are the lines. `total` is their number where the caller knows it, so that nobody counts them.
    """

    queryset: QuerySet[M]
    lines: Callable[[Sequence[M]], Sequence[L]] | None = None
    total: int | None = None

    def page(self, order: Order, by: Sequence[str | Key], cursor: Cursor | None, limit: int) -> Page[L]:
        """See `Source`."""
        found = keyset.page(self.queryset, by, descending=order.descending, cursor=cursor, limit=limit)
        return Page(tuple(self._lines(found.lines)), found.previous, found.next)

    def count(self, most: int) -> int:
        """See `Source`."""
        return self.queryset.order_by()[:most].count() if self.total is None else min(self.total, most)

    def every(self, order: Order, by: Sequence[str | Key]) -> Iterator[L]:
        """See `Source`."""
        rows: Any = self.queryset.order_by(*keyset.ordering(self.queryset, by, descending=order.descending))
        for chunk in batched(rows.iterator(_CHUNK), _CHUNK, strict=False):
            yield from self._lines(chunk)

    def mapped[N](self, convert: Callable[[Sequence[L]], Sequence[N]]) -> "Rows[M, N]":
        """Returns the same rows with `convert` applied to the lines of a page: for what another package adds to them."""
        return Rows(self.queryset, lambda found: convert(self._lines(found)), self.total)

    def _lines(self, found: Sequence[M]) -> Sequence[L]:
        return self.lines(found) if self.lines else cast(Sequence[L], found)


@dataclass(frozen=True)
class Lines[L]:
    """Lines that are read already, in their own order until the reader chooses a column's.

    They are shown on one page. If `paged`, they are shown in pages, and the cursor is a line's place in the order.
    A column's `sort` names attributes or items of a line. Texts sort in Swedish order, lines without a value come last.
    """

    lines: Sequence[L]
    paged: bool = False

    def page(self, order: Order, by: Sequence[str | Key], cursor: Cursor | None, limit: int) -> Page[L]:
        """See `Source`."""
        found = tuple(self.every(order, by))
        if not self.paged:
            return Page(found)
        place = self._place(cursor)
        begin = max(0, place - limit) if cursor and cursor.backwards else place
        end = begin + limit
        return Page(found[begin:end], begin or None, end if end < len(found) else None)

    def _place(self, cursor: Cursor | None) -> int:
        """Returns the number of lines before the cursor; 0 for one that is no number."""
        given = cursor.row if cursor else ""
        return min(int(given), len(self.lines)) if given.isascii() and given.isdecimal() and len(given) < 10 else 0

    def count(self, most: int) -> int:
        """See `Source`."""
        return len(self.lines)

    def every(self, order: Order, by: Sequence[str | Key]) -> Iterator[L]:
        """See `Source`."""
        found = list(self.lines)
        for key in reversed(by) if order.key else ():  # the sort is stable, so the first key is applied last
            given = key.name if isinstance(key, Key) else key
            name, descending = given.removeprefix("-"), given.startswith("-") != order.descending
            values = [(_sortable(value_of(line, name)), line) for line in found]
            known = sorted((each for each in values if each[0] is not None), key=itemgetter(0), reverse=descending)
            found = [line for _, line in known] + [line for value, line in values if value is None]
        return iter(found)


def _sortable(value: Any) -> Any:
    return swedish_key(value) if isinstance(value, str) else value
