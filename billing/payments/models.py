"""Payments in, what they pay, the bank's files that they come from, disputes about invoices, and reminders."""

from django.db import models
from django.db.models import F, Q

from billing.invoices.models import Invoice
from siths_portal.lib.ids import new_id


class PaymentFile(models.Model):
    """A file of the bank (camt.054). Its payments are kept for who sent it, until they are booked or it expires.

    Once `booked_at` is set `rows` is empty, and the database keeps the row. The file itself is not stored.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    owner_ref = models.CharField(max_length=200)
    sha256 = models.CharField(max_length=64)
    rows = models.JSONField()
    skipped = models.PositiveIntegerField()
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    booked_at = models.DateTimeField(null=True)
    payments = models.PositiveIntegerField(default=0)
    total = models.DecimalField(max_digits=14, decimal_places=2, default=0)

    class Meta:
        indexes = [
            models.Index(fields=["expires_at"], name="billing_payment_file_ends", condition=Q(booked_at=None)),
            models.Index(fields=["owner_ref", "created_at"], name="billing_payment_file_owner"),
        ]
        constraints = [models.CheckConstraint(name="billing_payment_file_booked", condition=Q(booked_at=None) | Q(rows=[]))]


class Payment(models.Model):
    """A payment that the bank has booked on our account, in SEK. Append-only, and booked once by account, entry and part.

    `references` is what the payer gave as payment reference. `payer` is empty unless the payer is an organisation.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    file = models.ForeignKey(PaymentFile, on_delete=models.PROTECT, related_name="booked")
    account = models.CharField(max_length=34)
    entry_reference = models.CharField(max_length=80)
    part = models.PositiveIntegerField()
    booked_on = models.DateField()
    amount = models.DecimalField(max_digits=14, decimal_places=2)
    references = models.CharField(max_length=140, blank=True)
    payer = models.CharField(max_length=140, blank=True)
    received_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["entry_reference", "account", "part"], name="billing_payment_once"),
            models.CheckConstraint(name="billing_payment_positive", condition=Q(amount__gt=0)),
        ]
        indexes = [models.Index(fields=["-booked_on", "-id"], name="billing_payment_newest")]


class PaymentAllocation(models.Model):
    """An amount of a payment for an invoice; without an invoice, an amount that is paid back to the payer. Append-only.

    A row with `undoes` takes another one back: the database requires the same payment and invoice and the negative amount. It
    also keeps the sum over a payment from zero to the payment's amount.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="allocations")
    invoice = models.ForeignKey(Invoice, on_delete=models.PROTECT, null=True, related_name="allocations")
    amount = models.DecimalField(max_digits=14, decimal_places=2)
    undoes = models.OneToOneField("self", on_delete=models.PROTECT, null=True, related_name="undone_by")
    reason = models.CharField(max_length=500, blank=True)
    made_by = models.CharField(max_length=200)
    made_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="billing_allocation_sign",
                condition=Q(undoes=None, amount__gt=0) | Q(undoes__isnull=False, amount__lt=0) & ~Q(undoes=F("id")),
            ),
            models.CheckConstraint(
                name="billing_allocation_reason", condition=~Q(reason="") | Q(undoes=None, invoice__isnull=False)
            ),
        ]


class DisputeReason(models.TextChoices):
    """Why a customer does not accept an invoice."""

    REFERENCE = "reference", "Fel referens eller ordernummer"
    QUANTITY = "quantity", "Fel antal"
    PRICE = "price", "Fel pris"
    NOT_ORDERED = "not-ordered", "Kunden har inte beställt"
    OTHER = "other", "Annat"


class Dispute(models.Model):
    """A customer's objection to an invoice, open until finance closes it. An invoice has at most one that is open.

    The database allows only one change, closing it. `outcome` says how it ended.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    invoice = models.ForeignKey(Invoice, on_delete=models.PROTECT, related_name="disputes")
    reason = models.CharField(max_length=20, choices=DisputeReason)
    note = models.CharField(max_length=500)
    opened_by = models.CharField(max_length=200)
    opened_at = models.DateTimeField()
    outcome = models.CharField(max_length=500, blank=True)
    closed_by = models.CharField(max_length=200, null=True)
    closed_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["invoice"], condition=Q(closed_at=None), name="billing_dispute_one_open"),
            models.CheckConstraint(name="billing_dispute_reason", condition=Q(reason__in=DisputeReason.values) & ~Q(note="")),
            models.CheckConstraint(
                name="billing_dispute_closed",
                condition=Q(closed_by=None, closed_at=None, outcome="")
                | Q(closed_by__isnull=False, closed_at__isnull=False) & ~Q(outcome=""),
            ),
        ]


class ReminderState(models.TextChoices):
    """The state of a reminder."""

    WAITING = "waiting", "Väntar på att skickas"
    SENT = "sent", "Skickad"
    REFUSED = "refused", "Avvisad av e-postservern"
    NOT_NEEDED = "not-needed", "Behövdes inte längre"


class Reminder(models.Model):
    """An e-mail that reminds a customer of an overdue invoice, without a fee. Finance asks for it, a worker sends it.

    It repeats nothing of the invoice but number, due date, payment reference and what remains to pay. The database keeps it.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    invoice = models.ForeignKey(Invoice, on_delete=models.PROTECT, related_name="reminders")
    recipient = models.EmailField()
    requested_by = models.CharField(max_length=200)
    requested_at = models.DateTimeField()
    state = models.CharField(max_length=10, choices=ReminderState, default=ReminderState.WAITING)
    attempts = models.PositiveIntegerField(default=0)
    next_at = models.DateTimeField(null=True)
    settled_at = models.DateTimeField(null=True)
    reason = models.CharField(max_length=500, blank=True, default="")

    class Meta:
        indexes = [models.Index(fields=["next_at"], name="billing_reminder_due", condition=Q(next_at__isnull=False))]
        constraints = [
            models.UniqueConstraint(
                fields=["invoice"], condition=Q(state=ReminderState.WAITING.value), name="billing_reminder_one_waits"
            ),
            models.CheckConstraint(
                name="billing_reminder_settled",
                condition=Q(state=ReminderState.WAITING.value, settled_at=None, next_at__isnull=False)
                | ~Q(state=ReminderState.WAITING.value) & Q(settled_at__isnull=False, next_at=None),
            ),
        ]
