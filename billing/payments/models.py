"""Payments in, what they pay, and the bank's files that they come from."""

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
