"""Reads an append-only table as a feed without missing rows that commit late.

A row can commit after a row with a higher `id`, so a reader that remembers the highest `id` would miss rows. Each row has the
number of its transaction (`xid`). A feed is read in the order (xid, id) and only below the horizon, the oldest running
transaction (`pg_snapshot_xmin`). A long transaction delays a feed but never makes it skip a row.
"""

from typing import Any, NamedTuple

from django.db import models


class Cursor(NamedTuple):
    """The position of a reader: the last row that it read. `START` is before all rows."""

    xid: int
    id: int


START = Cursor(0, 0)


class Horizon(models.Func):
    """The number of the oldest running transaction (PostgreSQL `pg_snapshot_xmin(pg_current_snapshot())`), as bigint."""

    template = "(pg_snapshot_xmin(pg_current_snapshot())::text::bigint)"
    output_field = models.BigIntegerField()


def after(queryset: models.QuerySet[Any], cursor: Cursor) -> models.QuerySet[Any]:
    """Returns the rows of `queryset` after `cursor` and below the horizon, in feed order. Its model must have `xid` and `id`."""
    beyond = models.Q(xid__gt=cursor.xid) | models.Q(xid=cursor.xid, id__gt=cursor.id)
    return queryset.filter(beyond, xid__lt=Horizon()).order_by("xid", "id")


def cursor_of(row: Any) -> Cursor:
    """Returns the cursor of `row`."""
    return Cursor(row.xid, row.id)
