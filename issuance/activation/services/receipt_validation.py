"""Validates each stored receipt again, once a year: its bytes, and its signature with the chain as of the time of the signature.

`receipt_integrity` compares receipts with their events each day; this proves that a relying party would still accept them. One
validation is one `ReceiptValidation`. It is done in batches: one that is stopped or killed goes on from the last committed batch.
"""

import datetime as dt
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from uuid import UUID

import structlog
from django.db import transaction

from issuance.activation.models import ReceiptValidation
from issuance.carriers.models import Receipt
from issuance.records.models.events import Document, Event
from pki import service as pki
from siths_portal.lib import clock
from siths_portal.lib.database import locks
from siths_portal.lib.errors import Altered
from siths_portal.lib.monitoring import metrics
from siths_portal.lib.pdf import pades

log = structlog.get_logger(__name__)

PERIOD = dt.timedelta(days=365)
TURN_SECONDS = 60.0
BATCH = 100
EXAMPLES = 1000
ACTOR = "system:receipt-validation"
_LOCK = locks.number("issuance.receipt-validation")
_WRONG = metrics.gauge("receipts_not_valid", "Stored receipts that the newest validation did not accept", mode="mostrecent")
_AGE = metrics.gauge(
    "receipts_validation_age_seconds", "How long ago the last finished validation of stored receipts began", mode="mostrecent"
)

type ReportProgress = Callable[[ReceiptValidation], None]
"""A progress callback, called after each batch."""


def run_due() -> ReceiptValidation | None:
    """Works for a minute on the year's validation. Returns it, or None if the year's is done or another process works on it.

    The task is repeatable, and a missed run does no harm. No transaction may be open.
    """
    with locks.held_if_free(_LOCK) as mine:
        newest = latest() if mine else None
        if not mine or (newest and newest.ended_at and clock.now() - newest.started_at < PERIOD):
            return None
        return _work(until=time.monotonic() + TURN_SECONDS, report_progress=lambda _row: None)


def run(*, report_progress: ReportProgress = lambda _row: None) -> ReceiptValidation:
    """Continues an unfinished validation, or begins one, to its end. Waits for another process. Keeps one batch in memory."""
    with locks.held(_LOCK):
        return _work(until=None, report_progress=report_progress)


def latest() -> ReceiptValidation | None:
    """Returns the newest validation. Returns None before the first."""
    return ReceiptValidation.objects.order_by("-started_at").first()


def measure() -> None:
    """Sets the gauges. Before the first finished validation its age is that of the first receipt."""
    newest = latest()
    _WRONG.set(newest.wrong if newest else 0)
    ended = ReceiptValidation.objects.filter(ended_at__isnull=False).order_by("-started_at").first()
    first = Receipt.objects.order_by("id").only("signed_at").first()
    since = ended.started_at if ended else first.signed_at if first else clock.now()
    _AGE.set((clock.now() - since).total_seconds())


def _work(*, until: float | None, report_progress: ReportProgress) -> ReceiptValidation:
    row = ReceiptValidation.objects.filter(ended_at=None).order_by("-started_at").first()
    if row is None:
        row = ReceiptValidation.objects.create(started_at=clock.now())
    while row.ended_at is None and (until is None or time.monotonic() < until):
        _validate_batch(row)
        report_progress(row)
    return row


def _validate_batch(row: ReceiptValidation) -> None:
    """Validates the next receipts and stores the position, with an event for those that are not valid and one for the end."""
    following = Receipt.objects.filter(**({"id__gt": row.position} if row.position else {})).order_by("id")
    receipts = list(following[:BATCH])
    new = [{"receipt": str(receipt.pk), "reason": reason} for receipt, reason in _wrong(receipts)]
    if new:
        log.error("receipts.not_valid", count=len(new), first=new[0]["receipt"], reason=new[0]["reason"])
    with transaction.atomic(durable=True):
        row.position = receipts[-1].pk if receipts else row.position
        row.checked += len(receipts)
        row.wrong += len(new)
        row.examples = [*row.examples, *new][:EXAMPLES]
        row.ended_at = clock.now() if len(receipts) < BATCH else None
        row.save()
        if new:
            _record(row, "receipts.not_valid", {"receipts": new})
        if row.ended_at:
            _record(row, "receipts.validated", {"checked": row.checked, "wrong": row.wrong})


def _record(row: ReceiptValidation, action: str, facts: dict[str, object]) -> None:
    Event.record(actor_ref=ACTOR, action=action, subject_type="receipt_validation", subject_ref=str(row.pk), facts=facts)


def _wrong(receipts: Sequence[Receipt]) -> Iterator[tuple[Receipt, str]]:
    """Yields the receipts that are not valid, each with the reason. Three queries, and one for each generation of a CA."""
    keys = {key for receipt in receipts for key in (receipt.document_id, receipt.terms_id)}
    documents = Document.objects.in_bulk(list(keys))
    views = {view.id: view for view in pki.certificates({receipt.signature_certificate_id for receipt in receipts})}
    chains = {(view.ca, view.generation): pki.chain(view.ca, view.generation) for view in views.values()}
    for receipt in receipts:
        if reason := _reason(receipt, documents, views, chains):
            yield receipt, reason


def _reason(
    receipt: Receipt,
    documents: Mapping[str, Document],
    views: Mapping[UUID, pki.CertificateView],
    chains: Mapping[tuple[str, int], list[bytes]],
) -> str:
    """Returns why the receipt is not valid, or an empty text."""
    view = views.get(receipt.signature_certificate_id)
    if view is None or view.der is None:
        return "certificate unknown"
    if view.revoked_at is not None and view.revoked_at <= receipt.signed_at:
        return "certificate revoked before the signature"
    chain = chains[view.ca, view.generation]
    try:
        documents[receipt.terms_id].read()
        pdf = documents[receipt.document_id].read()
        pades.validate(pdf, root=chain[-1], chain=chain, moment=receipt.signed_at, signer=view.der)
    except (Altered, KeyError):
        return "document altered or missing"
    except pades.NotValid as fault:
        return f"signature: {fault}"
    return ""
