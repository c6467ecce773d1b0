"""Reading an append-only table as a feed without missing rows that commit late.

A number drawn from a sequence can commit after a higher one, so a reader that remembers the highest `id` loses rows. Rows
carry the number of their transaction (`xid`); a feed is read in the order (xid, id) and only below the horizon: the lowest
transaction that is still running (`pg_snapshot_xmin`). A long transaction delays a feed, it never makes it skip.
"""

from typing import Any, NamedTuple

from django.db import models


class Cursor(NamedTuple):
    """How far a reader has come: the last row read. `START` is before all rows."""

    xid: int
    id: int


START = Cursor(0, 0)


class Horizon(models.Func):
    """The lowest running transaction's number (PostgreSQL `pg_snapshot_xmin(pg_current_snapshot())`), as bigint."""

    template = "(pg_snapshot_xmin(pg_current_snapshot())::text::bigint)"
    output_field = models.BigIntegerField()


def after(queryset: models.QuerySet[Any], cursor: Cursor) -> models.QuerySet[Any]:
    """Rows of `queryset` (whose model has `xid` and `id`) beyond `cursor` and below the horizon, in feed order."""
    beyond = models.Q(xid__gt=cursor.xid) | models.Q(xid=cursor.xid, id__gt=cursor.id)
    return queryset.filter(beyond, xid__lt=Horizon()).order_by("xid", "id")


def cursor_of(row: Any) -> Cursor:
    """The cursor that stands at `row`."""
    return Cursor(row.xid, row.id)
