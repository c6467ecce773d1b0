"""Checks that an issued invoice is unchanged, by its hashes, its sealed events, its stored files and a rebuild."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import batched

from django.db.models import Exists, OuterRef, Q, UUIDField
from django.db.models.functions import Cast

from billing.documents import pdf, ubl
from billing.documents.domain.invoices import NumberedInvoice
from billing.invoices.models import FileFormat, Invoice, InvoiceFile, InvoiceState, UsedNumber
from billing.invoices.services import frozen, numbering
from billing.records.domain import money
from billing.records.models import Event, EventSeal
from siths_portal.lib.audit import seals
from siths_portal.lib.canonical import canonical_json, sha256_hex

_CHUNK = 50
_ISSUED, _RENDERED = "invoice.issued", "invoice.rendered"


@dataclass(frozen=True)
class Evidence:
    """One issued invoice with its stored files and the events that the audit chain seals."""

    invoice: Invoice
    lines: frozen.Lines
    files: dict[str, InvoiceFile]
    issued: Event | None
    rendered: dict[str, Event] = field(default_factory=dict)  # by format
    broken_seals: frozenset[int] = frozenset()  # ids of events whose seal does not agree

    @cached_property
    def numbered(self) -> NumberedInvoice:
        """The invoice's content as its rows have it."""
        return frozen.numbered(self.invoice, self.lines)

    def content(self, file_format: FileFormat) -> bytes | None:
        """Returns the stored bytes; None if the invoice has no such file."""
        file = self.files.get(file_format)
        return bytes(file.document.content) if file else None


def issued(condition: Q | None = None, *, files: bool = True) -> Iterator[Evidence]:
    """Yields the evidence of each issued document that meets the condition, in order of number. Memory use is constant.

    Without `files` the evidence has none, and years of invoices are read without their PDFs.
    """
    numbered = Invoice.objects.filter(condition or Q(), state=InvoiceState.ISSUED).order_by("series", "sequence")
    rows = numbered.select_related("corrects").prefetch_related(*(["files__document"] if files else []))
    for chunk in batched(rows.iterator(chunk_size=_CHUNK), _CHUNK, strict=False):
        yield from _evidence(chunk, files=files)


def _evidence(invoices: Sequence[Invoice], *, files: bool) -> Iterator[Evidence]:
    references = [str(invoice.pk) for invoice in invoices]
    events = list(
        Event.objects.filter(subject_type="invoice", subject_ref__in=references, action__in=(_ISSUED, _RENDERED)).order_by("id")
    )
    broken = frozenset(seals.disagreeing(events, EventSeal))
    by_invoice: dict[str, list[Event]] = {reference: [] for reference in references}
    for event in events:
        by_invoice[event.subject_ref].append(event)
    lines = frozen.lines_of([invoice.pk for invoice in invoices])
    for invoice in invoices:
        own = by_invoice[str(invoice.pk)]
        yield Evidence(
            invoice=invoice,
            lines=lines[invoice.pk],
            files={file.file_format: file for file in invoice.files.all()} if files else {},
            issued=next((event for event in own if event.action == _ISSUED), None),
            rendered={event.facts.get("format", ""): event for event in own if event.action == _RENDERED},
            broken_seals=broken,
        )


def chain_holds(evidence: Evidence, previous: str) -> bool:
    """Returns whether the row's hashes match its content and `previous`, and whether its sealed event has the same hashes."""
    invoice, event = evidence.invoice, evidence.issued
    content = sha256_hex(canonical_json(evidence.numbered.content.as_json()))
    links = (invoice.previous_hash, invoice.content_sha256, invoice.chain_hash)
    if links != (previous, content, numbering.link_hash(invoice, previous)):
        return False
    return event is not None and event.id not in evidence.broken_seals and event.facts == numbering.facts_of(invoice)


def wrong_files(evidence: Evidence) -> list[str]:
    """Returns the formats whose file is missing or differs from its hash, from the sealed event or from a rebuild.

    Only UBL documents of the present renderer version are rebuilt. The PDF must have the stored UBL document attached.
    """
    return [each.value for each in FileFormat if not _file_holds(evidence, each)]


def _file_holds(evidence: Evidence, file_format: FileFormat) -> bool:
    file, content, event = evidence.files.get(file_format), evidence.content(file_format), evidence.rendered.get(file_format)
    if file is None or content is None or sha256_hex(content) != file.document_id:
        return False
    if event is None or event.id in evidence.broken_seals or event.facts.get("sha256") != file.document_id:
        return False
    if file_format == FileFormat.PDF:
        # Its form was judged when it was made, and by its hashes it is that file.
        return pdf.has_attached(content, evidence.content(FileFormat.PEPPOL) or b"")
    return file.renderer_version != ubl.VERSION or ubl.build(evidence.numbered) == content


def wrong_texts(evidence: Evidence) -> list[str]:
    """Returns the formats whose content differs from the row: parties, dates and amounts of the UBL, the amount of the PDF.

    Ignores missing files; `wrong_files` reports them.
    """
    wrong, numbered = [], evidence.numbered
    xml, paper = evidence.content(FileFormat.PEPPOL), evidence.content(FileFormat.PDF)
    if xml is not None and ubl.read(xml) != ubl.statements(numbered):
        wrong.append(FileFormat.PEPPOL.value)
    if paper is not None and pdf.payable_text(paper) != f"{money.swedish(evidence.invoice.payable)} kr":
        wrong.append(FileFormat.PDF.value)
    return wrong


def events_without_invoice() -> list[str]:
    """Returns the invoice number of each event of issuing whose invoice row does not exist."""
    row = Invoice.objects.filter(pk=Cast(OuterRef("subject_ref"), UUIDField()), state=InvoiceState.ISSUED)
    events = Event.objects.filter(~Exists(row), subject_type="invoice", action=_ISSUED).order_by("id")
    return [str(facts.get("number")) for facts in events.values_list("facts", flat=True)]


def _before(invoice: Invoice, previous: dict[str | None, str], used: dict[tuple[str, int], str]) -> str:
    """Returns the hash to which the invoice is chained; after a gap that a restore left, that of the lost number."""
    series, place = invoice.series or "", (invoice.sequence or 0) - 1
    return used.get((series, place)) or previous.get(series) or numbering.genesis(series)


def _used() -> dict[tuple[str, int], str]:
    rows = UsedNumber.objects.values_list("series", "sequence", "chain_hash")
    return {(series, sequence): chain_hash for series, sequence, chain_hash in rows}


def broken_chain(series_of: Iterator[Evidence]) -> Iterator[Invoice]:
    """Yields each invoice whose chain does not hold. `series_of` must yield complete series in order of number."""
    previous: dict[str | None, str] = {}
    used = _used()
    for evidence in series_of:
        invoice = evidence.invoice
        if not chain_holds(evidence, _before(invoice, previous, used)):
            yield invoice
        previous[invoice.series] = invoice.chain_hash or ""


@dataclass(frozen=True)
class IssuedCheck:
    """The result of checking all issued invoices: how many were compared, and the numbers that differ."""

    checked: int
    wrong: tuple[str, ...]


def verify_issued() -> IssuedCheck:
    """Compares every issued invoice with its hashes, its sealed events and its files. A file that is not made yet passes."""
    checked, wrong = 0, []
    previous: dict[str | None, str] = {}
    used = _used()
    for evidence in issued():
        invoice, checked = evidence.invoice, checked + 1
        before = _before(invoice, previous, used)
        made = [each for each in wrong_files(evidence) if each in evidence.files or each in evidence.rendered]
        if made or wrong_texts(evidence) or not chain_holds(evidence, before):
            wrong.append(str(invoice.number))
        previous[invoice.series] = invoice.chain_hash or ""
    return IssuedCheck(checked, (*wrong, *events_without_invoice()))
