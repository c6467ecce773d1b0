"""Outboxes: rows that a worker leases in a short transaction, acts on outside any transaction, and settles in a second one.

A row has `next_at`, the time when it is due; null means never. While a worker acts, it is the end of the worker's lease: if the
worker dies, another acts again after that time.
"""

import datetime as dt
from typing import Any

from django.db.models import Q, QuerySet

from siths_portal.lib import clock

FIRST_WAIT, LONGEST_WAIT = dt.timedelta(minutes=1), dt.timedelta(hours=1)


def due(rows: QuerySet[Any], *, furthest: dt.timedelta) -> QuerySet[Any]:
    """Returns the rows that are due, the longest due first. None is planned later than `furthest` ahead: a later one was planned
    by a clock ahead of time, and is due.
    """
    now = clock.now()
    return rows.filter(Q(next_at__lte=now) | Q(next_at__gt=now + furthest)).order_by("next_at", "id")


def lease(rows: QuerySet[Any], *, lasts: dt.timedelta, furthest: dt.timedelta) -> Any:
    """Returns the row that has been due longest, leased for `lasts`, or None. Passes over rows that other workers hold.

    Runs in the caller's transaction. `furthest` is that of `due`.
    """
    row = due(rows, furthest=furthest).select_for_update(of=("self",), skip_locked=True, no_key=True).first()
    if row is not None:
        row.next_at = clock.now() + lasts
        row.save(update_fields=["next_at"])
    return row


def wait_after(attempts: int) -> dt.timedelta:
    """Returns how long to wait after so many attempts without news: twice as long each time, from FIRST_WAIT to LONGEST_WAIT."""
    doubled: dt.timedelta = FIRST_WAIT * 2 ** min(attempts, 10)
    return min(LONGEST_WAIT, doubled)
