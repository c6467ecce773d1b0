"""Export of a month's issued invoices: e-invoices, PDF copies, a SIE voucher file or a CSV specification."""

from collections.abc import Callable, Iterable
from pathlib import Path

from django.conf import settings
from django.db.models import QuerySet

from billing.documents import seller, sie
from billing.invoices.models import FileFormat, Invoice, InvoiceFile, InvoiceState
from billing.invoices.services import frozen, rendering
from billing.records.domain.periods import Month
from siths_portal.lib import clock
from siths_portal.lib.errors import Conflict, NotFound
from siths_portal.lib.files import csv_files
from siths_portal.lib.files.atomic import write_atomically

_SUFFIX = {FileFormat.PEPPOL: "xml", FileFormat.PDF: "pdf"}
FORMATS = ("peppol", "pdf", "sie", "csv")
_HEADER = (
    "Fakturanummer", "Fakturadatum", "Kund", "Organisationsnummer", "Rad", "Artikelnr", "Beskrivning", "Period", "Antal", "Enhet",
    "À-pris", "Moms %", "Belopp exkl. moms", "Typ", "Krediterar",
)  # fmt: skip


def export(month: Month, file_format: str, folder: Path) -> list[Path]:
    """Writes the month's files of one format into `folder`, each atomically, and returns their paths.

    A credit note belongs to the month of the invoice that it credits. The CSV file has its quantities and amounts below zero.

    File names contain invoice numbers or the month, never names. Raises NotFound if the month has no issued invoice, Conflict if
    an invoice lacks its file, and OSError if the folder cannot be written.
    """
    if file_format in MONTH_FORMATS:
        name, content = month_file(month, file_format)
        return [_write(folder / name, content)]
    _issued(month)
    return _files(month, FileFormat(file_format), folder)


def month_file(month: Month, file_format: str) -> tuple[str, bytes]:
    """Returns the name and content of the month's file in one of MONTH_FORMATS. Raises NotFound as `export` does."""
    invoices = _issued(month).select_related("customer", "corrects").prefetch_related("lines")
    build, suffix = MONTH_FORMATS[file_format]
    return f"fakturor-{month.code()}.{suffix}", build(invoices)


def _issued(month: Month) -> QuerySet[Invoice]:
    found = Invoice.objects.filter(period=month.first_day, state=InvoiceState.ISSUED).order_by("series", "sequence")
    if not found.exists():
        raise NotFound("nothing-issued", f"Inga fakturor är utfärdade för {month}.")
    return found


def _files(month: Month, file_format: FileFormat, folder: Path) -> list[Path]:
    if missing := rendering.lacking(period=month.first_day, file_format=file_format).count():
        raise Conflict("files-missing", f"{missing} fakturor saknar fil. Kör billing_run --month {month.code()} --issue igen.")
    files = InvoiceFile.objects.filter(invoice__period=month.first_day, file_format=file_format)
    ordered = files.select_related("document", "invoice").order_by("invoice__series", "invoice__sequence")
    return [
        _write(folder / f"{file.invoice.number}.{_SUFFIX[file_format]}", file.document.read())
        for file in ordered.iterator(chunk_size=50)
    ]


def _write(path: Path, content: bytes) -> Path:
    write_atomically(path, content)
    return path


def _sie(invoices: Iterable[Invoice]) -> bytes:
    vouchers = [sie.voucher(frozen.numbered(invoice), invoice.customer.cost_centre) for invoice in invoices]
    company = seller.configured()
    return sie.build(
        vouchers,
        company=company.name,
        organisation_number=company.organisation_number,
        version=settings.PROGRAM_VERSION,
        made_on=clock.today(),
    )


def _csv(invoices: Iterable[Invoice]) -> bytes:
    rows = []
    for invoice in map(frozen.numbered, invoices):
        buyer, sign = invoice.content.buyer, invoice.content.document_type.sign
        credited = invoice.content.preceding.number if invoice.content.preceding else ""
        for line in invoice.content.lines:
            head = (invoice.number, invoice.issue_date.isoformat(), buyer.name, buyer.organisation_number)
            quantity, net = sign * line.quantity, sign * line.net
            item = (line.position, line.article_code, line.text, line.period.code(), quantity, line.declaration.unit_name)
            rows.append((*head, *item, line.unit_price, line.vat_rate, net, invoice.content.document_type.value, credited))
    return csv_files.build(_HEADER, rows)


MONTH_FORMATS: dict[str, tuple[Callable[[Iterable[Invoice]], bytes], str]] = {"sie": (_sie, "si"), "csv": (_csv, "csv")}
"""How one file with all invoices of a month is made, and the ending of its name."""
