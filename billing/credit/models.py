"""Requests to credit an invoice, which two people make together."""

from django.db import models
from django.db.models import F, Q

from billing.invoices.models import Invoice, InvoiceLine
from siths_portal.lib.ids import new_id


class Treatment(models.TextChoices):
    """What happens to what a credited line billed: its ledger entries are billed again, or its sum is written off."""

    RELEASE = "release", "Faktureras igen"
    WRITE_OFF = "write-off", "Skrivs av"


class CreditRequest(models.Model):
    """A request to credit lines of an invoice. Another person approves it, or somebody withdraws it; it changes only then, once.

    `credit_note` is the credit note that the approval made. An invoice has at most one request that waits.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    invoice = models.ForeignKey(Invoice, on_delete=models.PROTECT, related_name="credit_requests")
    reason = models.CharField(max_length=500)
    requested_by = models.CharField(max_length=200)
    requested_at = models.DateTimeField()
    approved_by = models.CharField(max_length=200, null=True)
    approved_at = models.DateTimeField(null=True)
    credit_note = models.OneToOneField(Invoice, on_delete=models.PROTECT, null=True, related_name="credit_request")
    withdrawn_by = models.CharField(max_length=200, null=True)
    withdrawn_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [models.Index(fields=["-requested_at", "-id"], name="billing_credit_newest")]
        constraints = [
            models.CheckConstraint(
                name="billing_credit_by_two",
                condition=Q(approved_by=None, approved_at=None, credit_note=None)
                | Q(approved_by__isnull=False, approved_at__isnull=False, credit_note__isnull=False)
                & ~Q(approved_by=F("requested_by")),
            ),
            models.CheckConstraint(
                name="billing_credit_withdrawn",
                condition=Q(withdrawn_by=None, withdrawn_at=None)
                | Q(withdrawn_by__isnull=False, withdrawn_at__isnull=False, approved_by=None),
            ),
            models.UniqueConstraint(
                fields=["invoice"], condition=Q(approved_at=None, withdrawn_at=None), name="billing_credit_one_waits"
            ),
        ]


class CreditRequestLine(models.Model):
    """A line to credit, with its quantity and what happens to what it billed. Append-only."""

    request = models.ForeignKey(CreditRequest, on_delete=models.PROTECT, related_name="lines")
    line = models.ForeignKey(InvoiceLine, on_delete=models.PROTECT, related_name="credit_request_lines")
    quantity = models.DecimalField(max_digits=12, decimal_places=2)
    treatment = models.CharField(max_length=10, choices=Treatment)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["request", "line"], name="billing_credit_line_once"),
            models.CheckConstraint(name="billing_credit_line_quantity", condition=Q(quantity__gt=0)),
            models.CheckConstraint(name="billing_credit_line_treatment", condition=Q(treatment__in=Treatment.values)),
        ]
