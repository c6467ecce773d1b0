"""Merges the causes of a kind into its rows of work: one statement finds them, two compare them, and batches carry it out.

Each batch is a transaction of its own. The comparison starts from what is stored, so a run that was killed goes on where it was.
"""

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction

from issuance.records.services import steps
from issuance.register_care.domain import causes
from issuance.register_care.domain.kinds import WorkKind
from issuance.register_care.domain.states import WorkAction, WorkState
from issuance.register_care.models import WorkItem
from siths_portal.lib import clock
from siths_portal.lib.database import plans

RULE = "system:register-care"
BATCH = 1000
"""The rows of one transaction."""

_TABLES = ("care_cause", "care_new", "care_gone")
_NEW = """
CREATE TEMPORARY TABLE care_new AS
SELECT c.* FROM care_cause c
LEFT JOIN issuance_workitem w ON w.kind = %(kind)s AND w.subject_id = c.subject_id AND w.state <> 'gone'
WHERE w.id IS NULL
"""
_GONE = """
CREATE TEMPORARY TABLE care_gone AS
SELECT w.id FROM issuance_workitem w LEFT JOIN care_cause c ON c.subject_id = w.subject_id
WHERE w.kind = %(kind)s AND w.state <> 'gone' AND c.subject_id IS NULL
"""
_REFRESH = """
UPDATE issuance_workitem w SET due = coalesce(c.due, w.due), facts = c.facts, carrier_id = c.carrier_id, office_id = c.office_id,
       organisation_id = c.organisation_id
FROM care_cause c
WHERE w.kind = %(kind)s AND w.state <> 'gone' AND w.subject_id = c.subject_id
  AND (c.due IS NOT NULL AND w.due <> c.due OR w.facts <> c.facts OR w.carrier_id IS DISTINCT FROM c.carrier_id)
"""
_TAKE_NEW = f"""
DELETE FROM care_new WHERE subject_id IN (SELECT subject_id FROM care_new ORDER BY subject_id LIMIT {BATCH})
RETURNING {", ".join(causes.COLUMNS)}
"""  # noqa: S608  (names of our own)
_TAKE_GONE = f"DELETE FROM care_gone WHERE id IN (SELECT id FROM care_gone ORDER BY id LIMIT {BATCH}) RETURNING id"  # noqa: S608


@dataclass(frozen=True)
class Merged:
    """How many rows began, ended because their cause is gone, and were open again because their delay is over."""

    found: int = 0
    gone: int = 0
    woken: int = 0


def values(since: dt.datetime) -> dict[str, Any]:
    """Returns the parameters of the statements of `domain.causes`. `since` is the moment from which events are news."""
    return {
        "since": since,
        "today": clock.today(),
        "not_activated_days": settings.NOT_ACTIVATED_DAYS,
        "not_signed_days": settings.NOT_SIGNED_DAYS,
        "listed_days": settings.REGISTER_CARE_NOT_ACTIVATED_DAYS,
        "first_reminder": min(settings.REMINDER_DAYS, default=settings.NOT_ACTIVATED_DAYS),
        "reminder_days": sorted(settings.REMINDER_DAYS),
        "stock_days": settings.REGISTER_CARE_STOCK_DAYS,
        "awaited_days": settings.REGISTER_CARE_AWAITED_DAYS,
        "silent_days": settings.REGISTER_CARE_SILENT_ORDER_DAYS,
    }


def merge(kind: WorkKind, *, since: dt.datetime) -> Merged:
    """Finds the causes of a kind and brings its rows of work in line with them. No transaction may be open. A second call changes
    nothing. Only one call runs at a time: the caller holds the lock of the comparison.
    """
    given = values(since) | {"kind": kind.code}
    try:
        with plans.without_loops():
            _compare(kind, given)
        return Merged(found=_begin(kind), gone=_end(), woken=_wake(kind))
    finally:
        _clear()


def _compare(kind: WorkKind, given: Mapping[str, Any]) -> None:
    _clear()
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE TEMPORARY TABLE care_cause AS {kind.causes}", given)
        cursor.execute("ANALYZE care_cause")
        for statement in (_NEW, _GONE, _REFRESH):
            cursor.execute(statement, given)


def _clear() -> None:
    with connection.cursor() as cursor:
        for table in _TABLES:
            cursor.execute(f"DROP TABLE IF EXISTS pg_temp.{table}")


def _begin(kind: WorkKind) -> int:
    """Begins a row for each new cause."""
    total = 0
    while taken := _begin_batch(kind):
        total += taken
    return total


@transaction.atomic(durable=True)
def _begin_batch(kind: WorkKind) -> int:
    rows = [_row(kind, found) for found in _taken(_TAKE_NEW)]
    steps.begin(rows, "found", actor_ref=RULE, facts=_facts)
    return len(rows)


def _row(kind: WorkKind, found: Sequence[Any]) -> WorkItem:
    named = dict(zip(causes.COLUMNS, found, strict=True))
    facts = json.loads(named["facts"])
    return WorkItem(
        kind=kind.code,
        state=WorkState.OPEN.value,
        found_at=clock.now(),
        **named | {"facts": facts, "due": named["due"] or clock.today() + dt.timedelta(days=kind.days)},
    )


def _facts(row: WorkItem) -> dict[str, Any]:
    """Returns what an event tells of a row. The ids lead to persons only for those who may see them."""
    named = {
        "work_subject": row.subject_id,
        "organisation": row.organisation_id,
        "carrier": row.carrier_id,
        "order": row.order_id,
    }
    return {"work_kind": row.kind, **{name: str(value) for name, value in named.items() if value}}


def _end() -> int:
    """Ends the rows whose cause is gone, whatever an officer decided about them."""
    total = 0
    while taken := _end_batch():
        total += taken
    return total


@transaction.atomic(durable=True)
def _end_batch() -> int:
    ids = [row[0] for row in _taken(_TAKE_GONE)]
    steps.step(_locked(ids), WorkAction.END, actor_ref=RULE, ended_at=clock.now(), postponed_until=None)
    return len(ids)


def _wake(kind: WorkKind) -> int:
    """Opens the rows whose delay is over."""
    total = 0
    while taken := _wake_batch(kind):
        total += taken
    return total


@transaction.atomic(durable=True)
def _wake_batch(kind: WorkKind) -> int:
    rows = WorkItem.objects.filter(kind=kind.code, state=WorkState.POSTPONED.value, postponed_until__lte=clock.today())
    locked = list(rows.select_for_update(of=("self",), no_key=True).order_by("id")[:BATCH])
    steps.step(locked, WorkAction.WAKE, actor_ref=RULE, postponed_until=None)
    return len(locked)


def _locked(ids: Sequence[UUID]) -> list[WorkItem]:
    rows = WorkItem.objects.select_for_update(of=("self",), no_key=True).filter(pk__in=ids)
    return list(rows.exclude(state=WorkState.GONE.value).order_by("id"))


def _taken(statement: str) -> list[Sequence[Any]]:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        found: list[Sequence[Any]] = cursor.fetchall()
        return found
