"""Invoices, their lines, the link from ledger entries to lines, the number series, and the stored files."""

from django.db import models
from django.db.models import Q

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
    """A consolidated invoice of one customer and month, or a credit note. Amounts are SEK with two decimals.

    `document_type` is BT-3. Only a credit note has `corrects`, the invoice that it credits (BG-3). Runs make no credit notes.

    `seller` and `buyer` are copies made with the draft. `content_sha256` covers the copies, the lines and the totals.
    `chain_hash` covers `content_sha256`, the number, the dates, the payment reference and the previous invoice's `chain_hash`.
    `gate_version` names the rules that the draft passed; a draft that other rules passed is made again before it gets a number.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    run = models.ForeignKey("billing.InvoiceRun", on_delete=models.PROTECT, related_name="invoices")
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
                condition=Q(document_type=DocumentType.INVOICE.value, corrects=None)
                | Q(document_type=DocumentType.CREDIT_NOTE.value, corrects__isnull=False) & ~Q(corrects=models.F("id")),
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

    The ledger entries summed into the line have the same `grouping_key`.
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

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["invoice", "position"], name="billing_line_position"),
            models.UniqueConstraint(fields=["invoice", "grouping_key"], name="billing_line_grouping_key"),
            models.CheckConstraint(name="billing_line_grouping_key_set", condition=~Q(grouping_key="")),
        ]


class LineEvent(models.Model):
    """Links a ledger entry to its line. The entry is the primary key, so it cannot be on two lines."""

    entry = models.OneToOneField(LedgerEntry, on_delete=models.PROTECT, primary_key=True, related_name="line_event")
    line = models.ForeignKey(InvoiceLine, on_delete=models.CASCADE, related_name="events")


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
