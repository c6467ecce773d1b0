"""Files of issued invoices, made once from frozen rows after issuing commits. The queue is the invoices without a file."""

import datetime as dt
import time
from collections.abc import Callable
from uuid import UUID

import structlog
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from billing.documents import pdf, ubl, validation
from billing.invoices.models import FileFormat, Invoice, InvoiceFile, InvoiceState
from billing.invoices.services import frozen
from billing.records.models import Document, Event
from siths_portal.lib import clock, faults
from siths_portal.lib.database import locks
from siths_portal.lib.errors import Conflict, DomainError

log = structlog.get_logger(__name__)

_CHUNK = 100
_VERSIONS = {FileFormat.PEPPOL: ubl.VERSION, FileFormat.PDF: pdf.VERSION}
_SUBJECT_SEQ = {FileFormat.PEPPOL: 2, FileFormat.PDF: 3}


def render_missing(*, period: dt.date, actor_ref: str, progress: Callable[[int, int], None] | None = None) -> int:
    """Makes each missing file of the month's documents as `render` does, and returns how many."""
    return render(Q(period=period), actor_ref=actor_ref, progress=progress)


def render(condition: Q, *, actor_ref: str, progress: Callable[[int, int], None] | None = None) -> int:
    """Makes each missing file of the issued documents that meet the condition and returns how many.

    It can be repeated, run twice and killed.

    Raises Conflict if the stored rows no longer pass validation, and Unavailable if the official rules cannot be run or the PDF
    cannot be made. Files made before the error remain.
    """
    made = 0
    for invoice in _without(condition, FileFormat.PEPPOL).prefetch_related("lines").iterator(chunk_size=_CHUNK):
        made += _store(invoice, FileFormat.PEPPOL, _ubl(invoice), ubl.MEDIA_TYPE, actor_ref)
    without = _without(condition, FileFormat.PDF)
    total = without.count()
    with pdf.PdfRenderer() as renderer:
        for done, invoice in enumerate(without.prefetch_related("lines").iterator(chunk_size=_CHUNK), start=1):
            content = renderer.render(frozen.numbered(invoice), stored(invoice, FileFormat.PEPPOL))
            made += _store(invoice, FileFormat.PDF, content, pdf.MEDIA_TYPE, actor_ref)
            if progress:
                progress(done, total)
    return made


def render_some(*, period: dt.date, actor_ref: str, seconds: float) -> int:
    """Makes missing files of the month's issued invoices, beginning none after `seconds`, and returns how many it made.

    Any number of workers may run at once: an invoice that another worker renders is left to that worker. An invoice whose file
    cannot be made is logged and left out, so that it does not hold up the others.
    """
    until, made = time.monotonic() + seconds, 0
    with pdf.PdfRenderer() as renderer:
        for key in list(unrendered().filter(period=period).order_by("series", "sequence").values_list("pk", flat=True)):
            if time.monotonic() > until:
                break
            with locks.held_if_free(locks.number(f"billing.render {key}")) as is_mine:
                if is_mine:
                    made += _render_one(key, renderer, actor_ref)
    return made


def _render_one(key: UUID, renderer: pdf.PdfRenderer, actor_ref: str) -> int:
    invoice = unrendered().prefetch_related("lines").filter(pk=key).first()
    if invoice is None:
        return 0
    made = 0
    try:
        if not invoice.files.filter(file_format=FileFormat.PEPPOL).exists():
            made += _store(invoice, FileFormat.PEPPOL, _ubl(invoice), ubl.MEDIA_TYPE, actor_ref)
        content = renderer.render(frozen.numbered(invoice), stored(invoice, FileFormat.PEPPOL))
        made += _store(invoice, FileFormat.PDF, content, pdf.MEDIA_TYPE, actor_ref)
    except DomainError as error:
        log.error("invoice.not_rendered", number=invoice.number, code=error.code)
    return made


def unrendered() -> QuerySet[Invoice]:
    """Returns the issued invoices of all months that lack a file. The PDF, which contains the Peppol file, is made last."""
    has_pdf = InvoiceFile.objects.filter(invoice=OuterRef("pk"), file_format=FileFormat.PDF)
    return Invoice.objects.filter(~Exists(has_pdf), state=InvoiceState.ISSUED)


def lacking(*, period: dt.date, file_format: FileFormat) -> QuerySet[Invoice]:
    """Returns the month's issued documents without a file of the format, in order of number."""
    return _without(Q(period=period), file_format)


def _without(condition: Q, file_format: FileFormat) -> QuerySet[Invoice]:
    has = InvoiceFile.objects.filter(invoice=OuterRef("pk"), file_format=file_format)
    missing = Invoice.objects.filter(condition, ~Exists(has), state=InvoiceState.ISSUED)
    return missing.select_related("corrects").order_by("series", "sequence")


def stored(invoice: Invoice, file_format: FileFormat) -> bytes:
    """Returns the bytes of one file. Raises InvoiceFile.DoesNotExist."""
    file = InvoiceFile.objects.select_related("document").get(invoice=invoice, file_format=file_format)
    return file.document.read()


def _ubl(invoice: Invoice) -> bytes:
    xml = ubl.build(frozen.numbered(invoice))
    if findings := validation.check(xml):
        rules = ", ".join(finding.rule for finding in findings)
        raise Conflict("issued-invoice-broken", f"Faktura {invoice.number} bryter mot {rules}. Raderna kan ha ändrats.")
    return xml


def _store(invoice: Invoice, file_format: FileFormat, content: bytes, media_type: str, actor_ref: str) -> int:
    with transaction.atomic(durable=True):
        Invoice.objects.select_for_update(no_key=True).get(pk=invoice.pk)
        if InvoiceFile.objects.filter(invoice=invoice, file_format=file_format).exists():
            return 0
        document = Document.store(content, media_type)
        faults.point(f"billing.render.{file_format.value}")
        InvoiceFile.objects.create(
            invoice=invoice,
            file_format=file_format,
            document=document,
            made_at=clock.now(),
            renderer_version=_VERSIONS[file_format],
        )
        Event.record(
            actor_ref=actor_ref,
            action="invoice.rendered",
            subject_type="invoice",
            subject_ref=str(invoice.pk),
            subject_seq=_SUBJECT_SEQ[file_format],
            facts={"number": invoice.number, "format": file_format.value, "sha256": document.sha256},
        )
        return 1
