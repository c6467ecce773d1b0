"""Sources of a list's lines: a queryset in the user's scope, or any other source with pages."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import batched
from operator import itemgetter
from typing import Any, ClassVar, Protocol, cast

from django.db.models import Model, Q, QuerySet

from siths_portal.lib.lists import keyset
from siths_portal.lib.lists.columns import value_of
from siths_portal.lib.lists.keyset import Cursor, Key, Order, Page
from siths_portal.lib.ordering import swedish_key

_CHUNK = 500


class Source[L](Protocol):
    """The source of a list's lines. `by` has the keys of the column that `order` refers to."""

    def page(self, order: Order, by: Sequence[str | Key], cursor: Cursor | None, limit: int) -> Page[L]:
        """Returns a page, or the first page if the cursor is not in the list."""
        ...

    def count(self, most: int) -> int:
        """Returns the number of lines, but at most `most`."""
        ...

    def every(self, order: Order, by: Sequence[str | Key]) -> Iterator[L]:
        """Yields all lines and reads them in chunks."""
        ...


@dataclass(frozen=True)
class Rows[M: Model, L]:
    """Rows of a model, already limited to the user's scope.

    `lines` converts a page's rows to lines for the columns, with a constant number of queries. Without it the rows are the lines.
    `total` is the number of rows if the caller knows it; then they are not counted.
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

    def filter(self, condition: Q) -> "Rows[M, L]":
        """Returns the rows that meet the condition."""
        return replace(self, queryset=self.queryset.filter(condition), total=None) if condition else self

    def mapped[N](self, convert: Callable[[Sequence[L]], Sequence[N]]) -> "Rows[M, N]":
        """Returns the same rows, with `convert` applied to the lines of each page, so that another package can add values."""
        return Rows(self.queryset, lambda found: convert(self._lines(found)), self.total)

    def _lines(self, found: Sequence[M]) -> Sequence[L]:
        return self.lines(found) if self.lines else cast(Sequence[L], found)


class ByKey[M: Model, L](ABC):
    """A source of rows in an order of its own, for rows that are not one plain queryset: a union or a prepared query."""

    model: ClassVar[type[Model]]

    @abstractmethod
    def read(self, last: Any, most: int, *, descending: bool) -> Sequence[M]:
        """Returns the first `most` rows in one direction, beyond the row with the key `last`, or from the start with None."""

    @abstractmethod
    def lines(self, rows: Sequence[M]) -> Sequence[L]:
        """Returns what columns show of the rows."""

    def page(self, order: Order, by: Sequence[str | Key], cursor: Cursor | None, limit: int) -> Page[L]:
        """See `Source`. `by` must be the order of `read`."""
        last = keyset.key_of(self.model, cursor)
        backwards = last is not None and cursor is not None and cursor.backwards
        found = self.read(last, limit + 1, descending=order.descending != backwards)
        if backwards and len(found) < limit:
            return self.page(order, by, None, limit)
        page = keyset.cut(found, limit=limit, cursor=last is not None, backwards=backwards)
        return Page(tuple(self.lines(page.lines)), page.previous, page.next)

    def every(self, order: Order, by: Sequence[str | Key]) -> Iterator[L]:
        """See `Source`. Reads part by part."""
        last = None
        while rows := self.read(last, _CHUNK, descending=order.descending):
            yield from self.lines(rows)
            last = rows[-1].pk


@dataclass(frozen=True)
class Lines[L]:
    """Lines that are already read, in their own order until the user sorts a column.

    They are on one page, or if `paged` on several; then the cursor is a line's position in the order.
    A column's `sort` names attributes or items of a line. Texts sort in Swedish order, lines without a value come last.

    `convert` turns the lines of a page into what columns show, as `lines` of `Rows` does.
    """

    lines: Sequence[Any]
    paged: bool = False
    convert: Callable[[Sequence[Any]], Sequence[L]] | None = None

    def page(self, order: Order, by: Sequence[str | Key], cursor: Cursor | None, limit: int) -> Page[L]:
        """See `Source`."""
        found = self._sorted(order, by)
        if not self.paged:
            return Page(tuple(self._converted(found)))
        place = self._place(cursor)
        begin = max(0, place - limit) if cursor and cursor.backwards else place
        end = begin + limit
        return Page(tuple(self._converted(found[begin:end])), begin or None, end if end < len(found) else None)

    def _place(self, cursor: Cursor | None) -> int:
        """Returns the number of lines before the cursor; 0 for one that is no number."""
        given = cursor.row if cursor else ""
        return min(int(given), len(self.lines)) if given.isascii() and given.isdecimal() and len(given) < 10 else 0

    def count(self, most: int) -> int:
        """See `Source`."""
        return len(self.lines)

    def every(self, order: Order, by: Sequence[str | Key]) -> Iterator[L]:
        """See `Source`."""
        return iter(self._converted(self._sorted(order, by)))

    def _converted(self, found: Sequence[Any]) -> Sequence[L]:
        return self.convert(found) if self.convert else found

    def _sorted(self, order: Order, by: Sequence[str | Key]) -> Sequence[Any]:
        found = list(self.lines)
        for key in reversed(by) if order.key else ():  # the sort is stable, so the first key is applied last
            given = key.name if isinstance(key, Key) else key
            name, descending = given.removeprefix("-"), given.startswith("-") != order.descending
            values = [(_sortable(value_of(line, name)), line) for line in found]
            known = sorted((each for each in values if each[0] is not None), key=itemgetter(0), reverse=descending)
            found = [line for _, line in known] + [line for value, line in values if value is None]
        return found


def _sortable(value: Any) -> Any:
    return swedish_key(value) if isinstance(value, str) else value
