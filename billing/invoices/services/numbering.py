"""Numbers documents: assigns the next numbers of the year's series in the transaction of the caller, which freezes the rows."""

import datetime as dt
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.db import connection

from billing.invoices.models import Counter, Invoice, SeriesCorrection, UsedNumber, without_document
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
SET state = 'issued', series = n.series, sequence = n.sequence, number = n.number, issue_date = n.issue_date,
    due_date = n.due_date, payment_reference = n.reference, issued_at = %(issued_at)s, previous_hash = n.previous,
    chain_hash = n.hash
FROM unnest(%(id)s::uuid[], %(series)s::text[], %(sequence)s::int[], %(number)s::text[], %(issue_date)s::date[],
            %(due_date)s::date[], %(reference)s::text[], %(previous)s::text[], %(hash)s::text[])
     AS n (id, series, sequence, number, issue_date, due_date, reference, previous, hash)
WHERE i.id = n.id AND i.state = 'draft'
"""


_COLUMNS = {
    "id": "pk",
    "series": "series",
    "sequence": "sequence",
    "number": "number",
    "issue_date": "issue_date",
    "due_date": "due_date",
    "reference": "payment_reference",
    "previous": "previous_hash",
    "hash": "chain_hash",
}
"""The columns of `_ISSUE`, each with the field of the invoice that it takes."""


def assign(drafts: Sequence[Invoice], *, actor_ref: str) -> None:
    """Numbers and freezes the drafts in this order, in the caller's transaction, with an event for each.

    The counter row is locked last, and held until the caller commits: a crash before that leaves drafts and counter unchanged.
    A draft whose document had a number before the database was restored gets that number and its date again (`UsedNumber`).
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
    used = _used_before(drafts)
    for draft in drafts:
        before = used.get(draft.content_sha256)
        place = before.pop(0) if before else _next(counter, today)
        draft.series, draft.sequence, draft.number, draft.issue_date = (
            place.series,
            place.sequence,
            place.number,
            place.issue_date,
        )
        draft.due_date = place.issue_date + dt.timedelta(days=draft.buyer["payment_terms_days"])
        draft.payment_reference = identifiers.ocr_reference(int(place.series), place.sequence)
        draft.previous_hash, draft.chain_hash = place.previous_hash, link_hash(draft, place.previous_hash)
        if place.pk is None:
            counter.last_hash = draft.chain_hash
        elif draft.chain_hash != place.chain_hash:
            raise Conflict("number-used-otherwise", f"Numret {place.number} gavs före återläsningen till ett annat dokument.")
    values = ((getattr(draft, name) for draft in drafts) for name in _COLUMNS.values())
    columns = {
        column: [str(value) if isinstance(value, UUID) else value for value in each]
        for column, each in zip(_COLUMNS, values, strict=True)
    }
    with connection.cursor() as cursor:
        cursor.execute(_ISSUE, {**columns, "issued_at": clock.now()})
        if cursor.rowcount != len(drafts):
            raise Conflict("drafts-moved", "Utkasten ändrades medan de skulle utfärdas. Försök igen.")


def _next(counter: Counter, today: dt.date) -> UsedNumber:
    """Moves the counter and returns its new place, which is not stored and has no `pk`."""
    counter.last += 1
    counter.last_date = today
    return UsedNumber(
        series=counter.series,
        sequence=counter.last,
        number=f"{counter.series}-{counter.last:06d}",
        issue_date=today,
        previous_hash=counter.last_hash,
    )


def _used_before(drafts: Sequence[Invoice]) -> dict[str, list[UsedNumber]]:
    """Returns the free numbers that documents with the same content had before a restore, by that content."""
    found: dict[str, list[UsedNumber]] = {}
    contents = {draft.content_sha256 for draft in drafts}
    for row in without_document().filter(content_sha256__in=contents).order_by("series", "sequence"):
        found.setdefault(row.content_sha256, []).append(row)
    return found


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
