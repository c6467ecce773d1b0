"""Keyset pagination: a page begins after, or ends before, a row that the user has seen.

The cursor is that row's primary key, so URLs contain no value of the list. The last page of a long list is as fast as the first.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Any

from django.core.exceptions import FieldDoesNotExist, ValidationError
from django.db.models import F, Model, Q, QuerySet
from django.db.models.expressions import OrderBy


@dataclass(frozen=True)
class Order:
    """The order of a list: `key` is the key of the sorted column, or "" for the list's fixed order."""

    key: str
    descending: bool = False

    @property
    def text(self) -> str:
        """The order as URLs contain it, or "" for a fixed order."""
        return f"-{self.key}" if self.key and self.descending else self.key

    @classmethod
    def parse(cls, text: str, keys: Collection[str], default: "Order") -> "Order":
        """Parses the order of a URL. Returns `default` if it is not a sortable column."""
        key = text.removeprefix("-")
        return cls(key, text.startswith("-")) if key in keys else default


@dataclass(frozen=True)
class Key:
    """A field or annotation that rows are ordered by. `-` before its name reverses its direction.

    Rows without a value come last in both directions. If `nullable` is None, it is read from the model, and an annotation counts
    as nullable. Set False for an annotation that always has a value: then an ordinary index serves both directions.
    With `indexed` False, for a number, PostgreSQL finds the rows by the list's conditions and sorts them. It does not scan this
    field's index until enough rows match.
    """

    name: str
    nullable: bool | None = None
    indexed: bool = True


@dataclass(frozen=True)
class Cursor:
    """The start of a page: after the row with this primary key, or before it if `backwards`."""

    row: str
    backwards: bool = False


@dataclass(frozen=True)
class Page[L]:
    """The lines of a page, and the cursor rows of the previous and the next page, or None."""

    lines: tuple[L, ...]
    previous: object = None
    next: object = None


@dataclass(frozen=True)
class _By:
    """A key of one query, with its direction."""

    name: str
    descending: bool
    nullable: bool
    indexed: bool = True

    def ordering(self, *, backwards: bool) -> OrderBy:
        descending = self.descending != backwards
        nulls = {("nulls_first" if backwards else "nulls_last"): True} if self.nullable else {}
        value = F(self.name) if self.indexed else F(self.name) + 0
        return value.desc(**nulls) if descending else value.asc(**nulls)

    def beyond(self, value: Any, *, backwards: bool) -> Q | None:
        """Returns the condition for rows strictly after `value` in this order, or None if no row can be after it."""
        if value is None:
            return Q(**{f"{self.name}__isnull": False}) if backwards else None
        side = "lt" if self.descending != backwards else "gt"
        found = Q(**{f"{self.name}__{side}": value})
        return found | Q(**{f"{self.name}__isnull": True}) if self.nullable and not backwards else found

    def same(self, value: Any) -> Q:
        return Q(**{f"{self.name}__isnull": True}) if value is None else Q(**{self.name: value})


def ordering(rows: QuerySet[Any], by: Sequence[str | Key], *, descending: bool = False) -> list[OrderBy]:
    """Returns the arguments of `rows.order_by` for `by`, with the primary key as tie-breaker."""
    return [each.ordering(backwards=False) for each in _keys(rows, by, descending)]


def page[M: Model](
    rows: QuerySet[M], by: Sequence[str | Key], *, descending: bool = False, cursor: Cursor | None = None, limit: int
) -> Page[M]:
    """Returns at most `limit` of `rows`, ordered by `by` and then by primary key.

    Returns the first page if the cursor is not a key of a row in `rows`, or if fewer than `limit` rows precede the cursor.
    Rows that are ordered by primary key alone need no look at the cursor's row, so the page begins where it was.
    """
    keys = _keys(rows, by, descending)
    last = _values(rows, keys, key_of(rows.model, cursor))
    backwards = last is not None and cursor is not None and cursor.backwards
    part = rows.filter(_beyond(keys, last, backwards=backwards)) if last is not None else rows
    found = list(part.order_by(*(each.ordering(backwards=backwards) for each in keys))[: limit + 1])
    if backwards and len(found) < limit:
        return page(rows, by, descending=descending, limit=limit)
    return cut(found, limit=limit, cursor=last is not None, backwards=backwards)


def cut[M: Model](found: Sequence[M], *, limit: int, cursor: bool, backwards: bool) -> Page[M]:
    """Returns the page of up to `limit + 1` rows, given in the order in which they were read.

    `cursor` says whether they were read from a cursor or from the start.
    """
    more, shown = len(found) > limit, list(found[:limit])
    if backwards:
        shown.reverse()
    before, after = (more, True) if backwards else (cursor, more)
    return Page(tuple(shown), shown[0].pk if shown and before else None, shown[-1].pk if shown and after else None)


def key_of(model: type[Model], cursor: Cursor | None) -> Any:
    """Returns the primary key that the cursor holds; None if there is no cursor or it cannot be a key of `model`."""
    if cursor is None:
        return None
    field: Any = model._meta.pk
    try:
        key = field.to_python(cursor.row)
        field.run_validators(key)
    except ValidationError:
        return None
    is_number = cursor.row.isascii() and cursor.row.isdecimal()
    return key if is_number or not isinstance(key, int) else None


def _keys(rows: QuerySet[Any], by: Sequence[str | Key], descending: bool) -> list[_By]:
    found: list[_By] = []
    for each in by:
        key = each if isinstance(each, Key) else Key(each)
        name = key.name.removeprefix("-")
        nullable = _nullable(rows, name) if key.nullable is None else key.nullable
        found.append(_By(name, key.name.startswith("-") != descending, nullable, key.indexed))
        if name == "pk":
            return found
    return [*found, _By("pk", found[0].descending if found else descending, nullable=False)]


def _nullable(rows: QuerySet[Any], name: str) -> bool:
    """Returns whether a field, also of a related model, can be null. Returns True for a name that is not a field."""
    if name in rows.query.annotations:
        return True
    model: Any = rows.model
    for part in name.split("__"):
        try:
            field = model._meta.pk if part == "pk" else model._meta.get_field(part)
        except (AttributeError, FieldDoesNotExist):
            return True
        if field.null or (field.auto_created and not field.concrete):
            return True
        model = field.related_model
    return False


def _values(rows: QuerySet[Any], keys: Sequence[_By], pk: Any) -> tuple[Any, ...] | None:
    """Returns the cursor row's values of the keys, or None if the row is not in `rows`."""
    if pk is None or keys[0].name == "pk":
        return None if pk is None else (pk,)
    return rows.filter(pk=pk).order_by().values_list(*(each.name for each in keys)).first()


def _beyond(keys: Sequence[_By], values: Sequence[Any], *, backwards: bool) -> Q:
    """Returns the condition for rows after the row with these values."""
    ways, same = [], Q()
    for key, value in zip(keys, values, strict=True):
        further = key.beyond(value, backwards=backwards)
        if further is not None:
            ways.append(same & further)
        same &= key.same(value)
    found = reduce(or_, ways)
    first, value = keys[0], values[0]
    if first.nullable:
        return found
    # Repeats the condition for the first key alone, so that PostgreSQL can start reading an index there.
    return Q(**{f"{first.name}__{'lte' if first.descending != backwards else 'gte'}": value}) & found
