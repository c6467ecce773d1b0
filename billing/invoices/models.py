"""Invoices, their lines, the link from ledger entries to lines, the number series, and the stored files."""

from django.db import models
from django.db.models import Exists, OuterRef, Q, QuerySet

from billing.customers.models import BillingCustomer
from billing.documents.domain.invoices import DocumentType
from billing.ledger.models import GROUPING_KEY_LENGTH, LedgerEntry
from billing.records.models import Document
from siths_portal.lib.ids import new_id


class InvoiceState(models.TextChoices):
    """A draft has no number and may be deleted; an issued invoice has one and never changes."""

    DRAFT = "draft", "Utkast"
    ISSUED = "issued", "Utfärdad"


class Invoice(models.Model):
    """A consolidated invoice of one customer and month, or a credit note. Amounts are SEK with two decimals, never negative.

    `document_type` is BT-3. An invoice belongs to a run. A credit note has no run but `corrects`, the invoice that it credits
    (BG-3), whose month and parties it has. The database refuses a credit note of a credit note, and one that no two people made.

    `seller` and `buyer` are copies made with the draft. `content_sha256` covers the copies, the lines and the totals.
    `chain_hash` covers `content_sha256`, the number, the dates, the payment reference and the previous invoice's `chain_hash`.
    `gate_version` names the rules that the draft passed; a draft that other rules passed is made again before it gets a number.
    `program_version` is that of the program that made the draft; empty for documents from before it was stored.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    run = models.ForeignKey("billing.InvoiceRun", on_delete=models.PROTECT, null=True, related_name="invoices")
    customer = models.ForeignKey(BillingCustomer, on_delete=models.PROTECT, related_name="invoices")
    party_id = models.UUIDField()
    document_type = models.CharField(max_length=3, default=DocumentType.INVOICE.value)
    corrects = models.ForeignKey("self", on_delete=models.PROTECT, null=True, related_name="credit_notes")
    state = models.CharField(max_length=10, choices=InvoiceState, default=InvoiceState.DRAFT)
    period = models.DateField()
    seller = models.JSONField()
    buyer = models.JSONField()
    net = models.DecimalField(max_digits=14, decimal_places=2)
    vat = models.DecimalField(max_digits=14, decimal_places=2)
    gross = models.DecimalField(max_digits=14, decimal_places=2)
    rounding = models.DecimalField(max_digits=14, decimal_places=2)
    payable = models.DecimalField(max_digits=14, decimal_places=2)
    content_sha256 = models.CharField(max_length=64)
    gate_version = models.CharField(max_length=100, default="")
    program_version = models.CharField(max_length=40, default="", db_default="")
    drafted_at = models.DateTimeField()
    series = models.CharField(max_length=10, null=True)
    sequence = models.PositiveIntegerField(null=True)
    number = models.CharField(max_length=20, null=True, unique=True)
    issue_date = models.DateField(null=True)
    due_date = models.DateField(null=True)
    payment_reference = models.CharField(max_length=25, null=True)
    issued_at = models.DateTimeField(null=True)
    previous_hash = models.CharField(max_length=64, null=True)
    chain_hash = models.CharField(max_length=64, null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["run", "party_id"],
                condition=Q(document_type=DocumentType.INVOICE.value),
                name="billing_invoice_once",
            ),
            models.CheckConstraint(
                name="billing_invoice_document_type",
                condition=Q(document_type=DocumentType.INVOICE.value, corrects=None, run__isnull=False)
                | Q(document_type=DocumentType.CREDIT_NOTE.value, corrects__isnull=False, run=None) & ~Q(corrects=models.F("id")),
            ),
            models.UniqueConstraint(fields=["series", "sequence"], name="billing_invoice_number_once"),
            models.CheckConstraint(
                name="billing_invoice_draft_has_no_number",
                condition=Q(state=InvoiceState.DRAFT, number=None, series=None, sequence=None, issue_date=None)
                | Q(state=InvoiceState.ISSUED, number__isnull=False, series__isnull=False, sequence__isnull=False)
                & Q(issue_date__isnull=False, due_date__isnull=False, payment_reference__isnull=False)
                & Q(chain_hash__isnull=False, previous_hash__isnull=False, issued_at__isnull=False),
            ),
            models.CheckConstraint(
                name="billing_invoice_adds_up",
                condition=Q(gross=models.F("net") + models.F("vat"), payable=models.F("gross") + models.F("rounding")),
            ),
        ]


class InvoiceLine(models.Model):
    """A line, BG-25, with its texts frozen: `text` is BT-153, `description` BT-154, which may be empty.

    The ledger entries summed into the line have the same `grouping_key`. A line of a credit note has `credits`, the line of the
    invoice that it credits: the database keeps article, price and month the same, and the credited quantity within the line's.
    """

    invoice = models.ForeignKey(Invoice, on_delete=models.CASCADE, related_name="lines")
    position = models.PositiveIntegerField()
    kind = models.CharField(max_length=20)
    grouping_key = models.CharField(max_length=GROUPING_KEY_LENGTH)
    office_id = models.UUIDField(null=True)
    organisation_id = models.UUIDField(null=True)
    article_code = models.CharField(max_length=20)
    text = models.TextField()
    description = models.TextField(default="", db_default="")
    quantity = models.DecimalField(max_digits=12, decimal_places=2)
    unit_price = models.DecimalField(max_digits=12, decimal_places=4)
    vat_rate = models.DecimalField(max_digits=5, decimal_places=2)
    net = models.DecimalField(max_digits=14, decimal_places=2)
    period = models.DateField()
    credits = models.ForeignKey("self", on_delete=models.PROTECT, null=True, related_name="credited_by")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["invoice", "position"], name="billing_line_position"),
            models.UniqueConstraint(fields=["invoice", "grouping_key"], name="billing_line_grouping_key"),
            models.CheckConstraint(name="billing_line_grouping_key_set", condition=~Q(grouping_key="")),
        ]


class LineEvent(models.Model):
    """Links a ledger entry to a line. An entry is on at most one live line: one whose link no credit note has released.

    Links of an entry are numbered by `generation`, from 1. The primary key allows each generation once, and the database accepts
    the next one only if an `EntryRelease` of the generation before exists.
    """

    pk = models.CompositePrimaryKey("entry_id", "generation")
    entry = models.ForeignKey(LedgerEntry, on_delete=models.PROTECT, related_name="line_events", db_index=False)
    generation = models.PositiveSmallIntegerField(default=1, db_default=1)
    line = models.ForeignKey(InvoiceLine, on_delete=models.CASCADE, related_name="events")

    class Meta:
        constraints = [models.CheckConstraint(name="billing_lineevent_generation", condition=Q(generation__gte=1))]


class EntryRelease(models.Model):
    """A credit note's line took this link of a ledger entry back: the entry may be billed again. Append-only.

    The database accepts only links of the line that `credit_line` credits, up to the quantity of `credit_line`.
    """

    pk = models.CompositePrimaryKey("entry_id", "generation")
    entry = models.ForeignKey(LedgerEntry, on_delete=models.PROTECT, related_name="releases", db_index=False)
    generation = models.PositiveSmallIntegerField()
    credit_line = models.ForeignKey(InvoiceLine, on_delete=models.PROTECT, related_name="releases")


def live_links(links: QuerySet[LineEvent] | None = None) -> QuerySet[LineEvent]:
    """Returns the links that no credit note has released, of `links` or of all."""
    released = EntryRelease.objects.filter(entry_id=OuterRef("entry_id"), generation=OuterRef("generation"))
    return (LineEvent.objects.all() if links is None else links).filter(~Exists(released))


def unbilled(entries: QuerySet[LedgerEntry]) -> QuerySet[LedgerEntry]:
    """Returns those of the entries that are on no live line: never billed, or released by a credit note."""
    return entries.filter(~Exists(live_links().filter(entry_id=OuterRef("pk"))))


class Counter(models.Model):
    """The last number of a series (the year of issue) and its date. Issuing locks the row while it assigns numbers."""

    series = models.CharField(max_length=10, primary_key=True)
    last = models.PositiveIntegerField(default=0)
    last_date = models.DateField(null=True)
    last_hash = models.CharField(max_length=64)


class SeriesCorrection(models.Model):
    """A step back in the dates of a series after an invoice was dated ahead. One person requests it, another approves it.

    After invoice `after_sequence`, dated `wrong_date`, the next one may be dated from `from_date`. The database allows only one
    change, the approval, and only by another person.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    series = models.CharField(max_length=10)
    after_sequence = models.PositiveIntegerField()
    wrong_date = models.DateField()
    from_date = models.DateField()
    reason = models.CharField(max_length=500)
    requested_by = models.CharField(max_length=200)
    requested_at = models.DateTimeField()
    approved_by = models.CharField(max_length=200, null=True)
    approved_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(name="billing_correction_goes_back", condition=Q(from_date__lt=models.F("wrong_date"))),
            models.CheckConstraint(
                name="billing_correction_by_two",
                condition=Q(approved_by=None, approved_at=None)
                | Q(approved_by__isnull=False, approved_at__isnull=False) & ~Q(approved_by=models.F("requested_by")),
            ),
        ]
        indexes = [models.Index(fields=["series", "after_sequence"], name="billing_correction_place")]


class UsedNumber(models.Model):
    """A number that the journal has and a restored database had lost: somebody may have its document. Append-only.

    Only a document with the same content gets the number again, with its date and its place in the chain. Until then the series
    has a gap there that this row explains. `restored_at` is when the journal was read.
    """

    series = models.CharField(max_length=10)
    sequence = models.PositiveIntegerField()
    number = models.CharField(max_length=20, unique=True)
    party_id = models.UUIDField()
    issue_date = models.DateField()
    previous_hash = models.CharField(max_length=64)
    content_sha256 = models.CharField(max_length=64)
    chain_hash = models.CharField(max_length=64)
    restored_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["series", "sequence"], name="billing_usednumber_once")]
        indexes = [models.Index(fields=["content_sha256"], name="billing_usednumber_content")]

    def __str__(self) -> str:
        return self.number


def without_document() -> QuerySet[UsedNumber]:
    """Returns the numbers that no document here has: those of before a restore that were not given again."""
    return UsedNumber.objects.filter(~Exists(Invoice.objects.filter(number=OuterRef("number"))))


class FileFormat(models.TextChoices):
    """The two formats of an issued invoice: `peppol` is the invoice itself, `pdf` a copy for reading."""

    PEPPOL = "peppol", "Peppol BIS Billing 3.0"
    PDF = "pdf", "PDF"


class InvoiceFile(models.Model):
    """The stored bytes of an issued invoice in one format: made once, append-only.

    `renderer_version` names the renderer that made the bytes; empty means unknown. A renderer of the same version builds the
    same bytes from the row again.
    """

    invoice = models.ForeignKey(Invoice, on_delete=models.PROTECT, related_name="files")
    file_format = models.CharField(max_length=10, choices=FileFormat)
    document = models.ForeignKey(Document, on_delete=models.PROTECT, related_name="files")
    made_at = models.DateTimeField()
    renderer_version = models.CharField(max_length=100, default="")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["invoice", "file_format"], name="billing_file_once")]
