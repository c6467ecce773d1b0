"""Replays the journal's numbers after a restore: none is given to another document."""

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Any

from django.db import transaction

from billing.invoices.models import Counter, Invoice, UsedNumber
from billing.invoices.services import numbering
from billing.records.models import Event
from siths_portal.lib import clock
from siths_portal.lib.files import journal

ACTOR = "system:journal"


def replay(*, since: dt.datetime | None = None) -> list[str]:
    """Enters the numbers that the journal has and the database lacks, moves the counters past them, and returns them in order.

    May be repeated. If a number was given twice, because the first transaction was rolled back, only the last counts.
    Raises JournalDamaged, OSError.
    """
    last: dict[str, Mapping[str, Any]] = {}
    for entry in journal.read(numbering.JOURNAL, since=since):
        if entry["number"] not in last or last[entry["number"]]["at"] <= entry["at"]:
            last[entry["number"]] = entry
    with transaction.atomic(durable=True):
        known = set(Invoice.objects.filter(number__in=last).values_list("number", flat=True))
        known |= set(UsedNumber.objects.filter(number__in=last).values_list("number", flat=True))
        rows = [_row(entry) for number, entry in sorted(last.items()) if number not in known]
        UsedNumber.objects.bulk_create(rows)
        _move_counters(rows)
        for row in rows:
            facts = {"number": row.number, "content_sha256": row.content_sha256, "chain_hash": row.chain_hash}
            Event.record(
                actor_ref=ACTOR,
                action="number.restored",
                subject_type="number",
                subject_ref=row.number,
                subject_seq=1,
                facts=facts,
            )
    return [row.number for row in rows]


def _row(entry: Mapping[str, Any]) -> UsedNumber:
    return UsedNumber(
        series=entry["number"].partition("-")[0],
        sequence=entry["sequence"],
        number=entry["number"],
        party_id=entry["party_id"],
        issue_date=dt.date.fromisoformat(entry["issue_date"]),
        previous_hash=entry["previous_hash"],
        content_sha256=entry["content_sha256"],
        chain_hash=entry["chain_hash"],
        restored_at=clock.now(),
    )


def _move_counters(rows: Iterable[UsedNumber]) -> None:
    """Moves each series' counter to its highest number, so that new documents get numbers after all that were ever used."""
    highest = {row.series: row for row in sorted(rows, key=lambda row: row.sequence)}
    for series, row in highest.items():
        Counter.objects.bulk_create([Counter(series=series, last_hash=numbering.genesis(series))], ignore_conflicts=True)
        counter = Counter.objects.select_for_update().get(series=series)
        if counter.last < row.sequence:
            counter.last, counter.last_date, counter.last_hash = row.sequence, row.issue_date, row.chain_hash
            counter.save()
