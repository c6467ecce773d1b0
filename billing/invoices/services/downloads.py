"""Downloads of issued invoices, their lines' events and a month's books. Each records an event with the actor and the file."""

from dataclasses import dataclass
from typing import Any

from django.db import transaction

from billing.documents import pdf, ubl
from billing.invoices.models import FileFormat, Invoice
from billing.invoices.queries import invoices
from billing.invoices.services import exporting
from billing.records.domain.periods import Month
from billing.records.models import Event
from issuance.authz import Action, Actor, policy
from siths_portal.lib.clock import STOCKHOLM
from siths_portal.lib.errors import Conflict
from siths_portal.lib.files import csv_files

CSV_MEDIA_TYPE = "text/csv; charset=utf-8"
SIE_MEDIA_TYPE = "application/octet-stream"  # code page 437, which no text type of a browser means
_MONTH_TYPES = {"sie": SIE_MEDIA_TYPE, "csv": CSV_MEDIA_TYPE}
_FORMS = {FileFormat.PDF: (pdf.MEDIA_TYPE, "pdf"), FileFormat.PEPPOL: (ubl.MEDIA_TYPE, "xml")}
_HEADER = ("Fakturanummer", "Rad", "Tidpunkt", "Slag", "Beställnings-id", "Kontor", "Artikelnr", "Antal", "À-pris exkl. moms")


@dataclass(frozen=True)
class Download:
    """A file for the browser to save. Its name contains the invoice's number and no person's or organisation's name."""

    content: bytes
    media_type: str
    filename: str


def invoice_file(*, actor: Actor, number: str, file_format: FileFormat) -> Download:
    """Returns the stored bytes of an issued invoice and records the event in the same durable transaction.

    Raises NotFound if the actor may read no invoice with this number, Forbidden if the actor has no role with this right, and
    Conflict if the file is not made yet.
    """
    media_type, suffix = _FORMS[file_format]
    with transaction.atomic(durable=True):
        invoice = invoices.visible(actor).filter(number=number).first()
        if invoice is None:
            raise policy.not_found()
        file = invoice.files.filter(file_format=file_format).select_related("document").first()
        if file is None:
            raise Conflict("file-not-made", "Filen är inte gjord än. Fakturan är utfärdad; försök igen om en stund.")
        _record(actor, invoice, {"format": file_format.value, "sha256": file.document_id})
        return Download(file.document.read(), media_type, f"faktura-{number}.{suffix}")


def line_events(*, actor: Actor, number: str, position: int) -> Download:
    """Returns the events behind one line as a CSV file in which no cell is a formula (S41), and records the event.

    Raises NotFound and Forbidden as `invoice_file` does.
    """
    with transaction.atomic(durable=True):
        line, rows = invoices.line_events(actor, number, position)
        content = csv_files.build(_HEADER, (_cells(number, position, row) for row in rows))
        _record(actor, Invoice.objects.get(number=number), {"format": "csv", "line": position})
    return Download(content, CSV_MEDIA_TYPE, f"faktura-{line.number}-rad-{position}.csv")


def month_file(*, actor: Actor, month: Month, file_format: str) -> Download:
    """Returns the vouchers (`sie`) or lines (`csv`) of all invoices and credit notes of a month, and records the event.

    Raises Forbidden for an actor without the right to run months, and NotFound if the month has no issued invoice.
    """
    policy.require_global(actor, Action.MANAGE_BILLING)
    with transaction.atomic(durable=True):
        name, content = exporting.month_file(month, file_format)
        facts = {"month": month.code(), "format": file_format}
        Event.record(actor_ref=actor.ref, action="invoices.exported", subject_type="month", subject_ref=month.code(), facts=facts)
    return Download(content, _MONTH_TYPES[file_format], name)


def _cells(number: str, position: int, row: invoices.LineEventRow) -> tuple[object, ...]:
    moment = row.occurred_at.astimezone(STOCKHOLM).isoformat(sep=" ", timespec="seconds")
    return (number, position, moment, row.kind, row.order_id, row.office, row.article_code, row.quantity, row.unit_price)


def _record(actor: Actor, invoice: Invoice, facts: dict[str, Any]) -> None:
    Event.record(
        actor_ref=actor.ref,
        action="invoice.downloaded",
        subject_type="invoice",
        subject_ref=str(invoice.pk),
        facts={"number": invoice.number, **facts},
    )
