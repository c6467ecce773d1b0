"""Numbers documents: assigns the next numbers of the year's series in the transaction of the caller, which freezes the rows."""

import datetime as dt
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.db import connection

from billing.invoices.models import Counter, Invoice, SeriesCorrection
from billing.records.domain import identifiers
from billing.records.models import Event
from siths_portal.lib import clock, faults
from siths_portal.lib.canonical import canonical_json, sha256_hex
from siths_portal.lib.errors import Conflict
from siths_portal.lib.files import journal

JOURNAL = "billing"
_JOURNALLED = ("number", "sequence", "issue_date", "previous_hash", "content_sha256", "chain_hash")
_ISSUE = """
UPDATE billing_invoice i
SET state = 'issued', series = %(series)s, sequence = n.sequence, number = n.number, issue_date = %(issue_date)s,
    due_date = n.due_date, payment_reference = n.reference, issued_at = %(issued_at)s, previous_hash = n.previous,
    chain_hash = n.hash
FROM unnest(%(id)s::uuid[], %(sequence)s::int[], %(number)s::text[], %(due_date)s::date[], %(reference)s::text[],
            %(previous)s::text[], %(hash)s::text[]) AS n (id, sequence, number, due_date, reference, previous, hash)
WHERE i.id = n.id AND i.state = 'draft'
"""


def assign(drafts: Sequence[Invoice], *, actor_ref: str) -> None:
    """Numbers and freezes the drafts in this order, in the caller's transaction, with an event for each.

    The counter row is locked last, and held until the caller commits: a crash before that leaves drafts and counter unchanged.
    The journal has each number with its hash before the caller can commit: `ops_restore` then keeps the number for that document.
    Dates must not decrease as numbers increase: raises Conflict if today is before the series' last date, unless two people have
    approved a step back, and if a draft changed after the caller locked it; OSError if the journal cannot be written.
    """
    today = clock.today()
    counter = _counter(today)
    _number(drafts, counter, today)
    faults.point("billing.issue")
    Event.objects.bulk_create([_event(draft, actor_ref) for draft in drafts])
    counter.save()
    journal.append(JOURNAL, map(_journalled, drafts))


def _journalled(invoice: Invoice) -> dict[str, Any]:
    """Returns what the journal has of a number: enough to give it again to the same document, and to no other."""
    return {"kind": "number", "party_id": invoice.party_id} | {name: getattr(invoice, name) for name in _JOURNALLED}


def _counter(today: dt.date) -> Counter:
    """Locks and returns the counter of the year's series. The caller locks it last, to hold it for milliseconds only."""
    series = str(today.year)
    Counter.objects.bulk_create([Counter(series=series, last_hash=genesis(series))], ignore_conflicts=True)
    counter = Counter.objects.select_for_update().get(series=series)
    if counter.last_date and today < counter.last_date and not may_step_back(counter, today):
        advice = "Kontrollera klockan. Gick den fel då kan två personer låta serien gå tillbaka under Fakturor, Nummerserie."
        raise Conflict("issue-date-backwards", f"Senaste fakturan i serien är daterad {counter.last_date}. {advice}")
    return counter


def may_step_back(counter: Counter, today: dt.date) -> bool:
    """Returns whether a step back is approved for the series' last number. It holds only until the next number is assigned."""
    approved = SeriesCorrection.objects.filter(approved_at__isnull=False, from_date__lte=today)
    return approved.filter(series=counter.series, after_sequence=counter.last).exists()


def genesis(series: str) -> str:
    """Returns the hash to which the first invoice of a series is chained."""
    return sha256_hex(f"billing series {series}".encode())


def link_hash(invoice: Invoice, previous: str) -> str:
    """Returns the hash that chains an issued invoice to the previous one in the series."""
    covered = {
        "previous": previous,
        "content": invoice.content_sha256,
        "number": invoice.number,
        "issue_date": invoice.issue_date,
        "due_date": invoice.due_date,
        "payment_reference": invoice.payment_reference,
    }
    return sha256_hex(canonical_json(covered))


def _number(drafts: Sequence[Invoice], counter: Counter, today: dt.date) -> None:
    columns: dict[str, list[Any]] = {
        name: [] for name in ("id", "sequence", "number", "due_date", "reference", "previous", "hash")
    }
    for draft in drafts:
        counter.last += 1
        draft.sequence = counter.last
        draft.number = f"{counter.series}-{counter.last:06d}"
        draft.issue_date = today
        draft.due_date = today + dt.timedelta(days=draft.buyer["payment_terms_days"])
        draft.payment_reference = identifiers.ocr_reference(today.year, counter.last)
        draft.previous_hash, draft.chain_hash = counter.last_hash, link_hash(draft, counter.last_hash)
        counter.last_hash = draft.chain_hash
        row = (draft.pk, draft.sequence, draft.number, draft.due_date, draft.payment_reference, draft.previous_hash)
        for name, value in zip(columns, (*row, draft.chain_hash), strict=True):
            columns[name].append(str(value) if isinstance(value, UUID) else value)
    counter.last_date = today
    with connection.cursor() as cursor:
        cursor.execute(_ISSUE, {**columns, "series": counter.series, "issue_date": today, "issued_at": clock.now()})
        if cursor.rowcount != len(drafts):
            raise Conflict("drafts-moved", "Utkasten ändrades medan de skulle utfärdas. Försök igen.")


def _event(draft: Invoice, actor_ref: str) -> Event:
    return Event(
        at=clock.now(),
        actor_ref=actor_ref,
        action="invoice.issued",
        subject_type="invoice",
        subject_ref=str(draft.pk),
        subject_seq=1,
        facts=facts_of(draft),
    )


def facts_of(invoice: Invoice) -> dict[str, Any]:
    """Returns the facts of the invoice's `invoice.issued` event. Reconciliation compares them with the row."""
    return {
        "number": invoice.number,
        "party_id": str(invoice.party_id),
        "payable": format(invoice.payable, ".2f"),
        "content_sha256": invoice.content_sha256,
        "chain_hash": invoice.chain_hash,
    }
