"""Disposal (gallring) once a day: deletes what has had its time and no other task deletes, and names tables whose task is late.

The log is the events: `retention.disposed` for each table with deleted rows, in the transaction of the deletion, and one
`retention.reviewed` for the day. `retention_rules` has the rule of each table.
"""

import datetime as dt
from dataclasses import dataclass
from typing import Any

import structlog
from django.apps import apps
from django.db import models, transaction
from django.db.models import Q

from issuance.records.models.events import Event
from siths_portal.lib import clock
from siths_portal.lib.database import locks
from siths_portal.lib.monitoring import metrics
from siths_portal.ops.retention_rules import DISPOSALS, JOB, RULES, Disposal

log = structlog.get_logger(__name__)

ACTOR = "system:retention"
GRACE = dt.timedelta(days=2)
"""How long after their time rows may stay before the task that deletes them counts as late."""

BATCH = 5000
_LATE = metrics.gauge("retention_late_rows", "Rows that should have been deleted two days ago", mode="mostrecent")
_LOCK = locks.number("ops.retention")


@dataclass(frozen=True)
class Disposed:
    """What a run found in a table: `deleted` rows of its own, and `late` rows that the task of the table should have deleted."""

    table: str
    deleted: int
    late: int
    task: str


def run_due() -> list[Disposed]:
    """Runs unless the day's run is done. The task is repeatable, and a missed run costs nothing. No transaction may be open."""
    with locks.held_if_free(_LOCK) as mine:
        if not mine or Event.objects.filter(subject_type="retention", subject_ref=_day()).exists():
            return []
        return run(actor_ref=ACTOR)


def run(*, actor_ref: str, dry_run: bool = False) -> list[Disposed]:
    """Deletes, and returns what it found in each table that has a disposal; with `dry_run` only counts."""
    found = [_dispose(label, disposal, actor_ref, dry_run) for label, disposal in DISPOSALS.items()]
    late = {each.table: each.late for each in found if each.late}
    _LATE.set(sum(late.values()))
    if late:
        log.error("retention.late", **late)
    if not dry_run:
        facts = {"deleted": {each.table: each.deleted for each in found if each.deleted}, "late": late}
        Event.record(actor_ref=actor_ref, action="retention.reviewed", subject_type="retention", subject_ref=_day(), facts=facts)
    return found


def _day() -> str:
    return clock.today().isoformat()


def _dispose(label: str, disposal: Disposal, actor_ref: str, dry_run: bool) -> Disposed:
    model: Any = apps.get_model(label)
    table = model._meta.db_table
    if disposal.task != JOB:
        return Disposed(table, 0, model._base_manager.filter(_older(model, disposal, GRACE)).count(), disposal.task)
    due = model._base_manager.filter(_older(model, disposal, dt.timedelta()))
    if dry_run:
        return Disposed(table, due.count(), 0, disposal.task)
    deleted = 0
    while count := _delete_some(label, due, actor_ref):
        deleted += count
    return Disposed(table, deleted, 0, disposal.task)


def _older(model: type[models.Model], disposal: Disposal, grace: dt.timedelta) -> Q:
    """Selects the rows that have had their time for longer than `grace`."""
    before: dt.datetime | dt.date = clock.now() - disposal.keep() - grace
    if not isinstance(model._meta.get_field(disposal.field), models.DateTimeField):
        before = clock.today() - disposal.keep() - grace
    return disposal.where & Q(**{f"{disposal.field}__lt": before})


@transaction.atomic(durable=True)
def _delete_some(label: str, due: models.QuerySet[Any], actor_ref: str) -> int:
    """Deletes a batch with its event. Passes over rows that somebody holds; the next day takes them."""
    ids = list(due.select_for_update(skip_locked=True).order_by("pk").values_list("pk", flat=True)[:BATCH])
    if not ids:
        return 0
    model: Any = apps.get_model(label)
    model._base_manager.filter(pk__in=ids).delete()
    facts = {"rows": len(ids), "period": RULES[label].period, "source": RULES[label].source}
    Event.record(
        actor_ref=actor_ref,
        action="retention.disposed",
        subject_type="table",
        subject_ref=model._meta.db_table,
        facts=facts,
    )
    return len(ids)
