"""The outbox of issued documents, and the calls to the access point."""

from django.db import models
from django.db.models import Q

from billing.invoices.models import Invoice
from siths_portal.lib.ids import new_id


class DeliveryState(models.TextChoices):
    """Where a document is on its way to the buyer. Only a verdict of the receiver is final."""

    WAITING = "waiting", "Väntar på att skickas"
    SUBMITTED = "submitted", "Skickad, mottagaren har inte svarat"
    STOPPED = "stopped", "Stoppad av accesspunkten"
    DELIVERED = "delivered", "Levererad"
    REJECTED = "rejected", "Avvisad av mottagaren"
    OUTSIDE = "outside", "Skickad utanför portalen"


UNDELIVERED = (DeliveryState.WAITING, DeliveryState.SUBMITTED, DeliveryState.STOPPED)
ARRIVED = (DeliveryState.DELIVERED, DeliveryState.OUTSIDE)
REFUSED = (DeliveryState.STOPPED, DeliveryState.REJECTED)
FINAL = (DeliveryState.DELIVERED, DeliveryState.REJECTED, DeliveryState.OUTSIDE)


class Delivery(models.Model):
    """The outbox row of an issued document, inserted in the transaction that issues it.

    `message_id` is made from the number and never changes, so a repeated call cannot deliver twice. `next_at` is when the next
    call is due; null means never. While a worker calls, `next_at` is its lease: after that another worker may call again.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    invoice = models.OneToOneField(Invoice, on_delete=models.PROTECT, related_name="delivery")
    message_id = models.UUIDField(unique=True)
    state = models.CharField(max_length=10, choices=DeliveryState, default=DeliveryState.WAITING)
    attempts = models.PositiveIntegerField(default=0)
    next_at = models.DateTimeField(null=True)
    queued_at = models.DateTimeField()
    settled_at = models.DateTimeField(null=True)
    reason = models.CharField(max_length=500, blank=True, default="")

    class Meta:
        indexes = [
            models.Index(fields=["next_at"], name="billing_delivery_due", condition=Q(next_at__isnull=False)),
            models.Index(fields=["state", "queued_at"], name="billing_delivery_state"),
        ]
        constraints = [
            models.CheckConstraint(
                name="billing_delivery_settled",
                condition=Q(state__in=[state.value for state in FINAL], settled_at__isnull=False, next_at=None)
                | Q(state__in=[state.value for state in UNDELIVERED], settled_at=None, next_at__isnull=False),
            ),
        ]


class DeliveryAttempt(models.Model):
    """One call to the access point and what came of it. Append-only.

    `outcome` is a `ports.Status`, or `unavailable` or `refused`.
    """

    delivery = models.ForeignKey(Delivery, on_delete=models.PROTECT, related_name="calls")
    at = models.DateTimeField()
    call = models.CharField(max_length=10, choices=[("submit", "Skicka"), ("status", "Fråga efter svar")])
    outcome = models.CharField(max_length=15)
    reason = models.CharField(max_length=500, blank=True, default="")

    class Meta:
        indexes = [models.Index(fields=["delivery", "id"], name="billing_delivery_attempts")]


class NoticeState(models.TextChoices):
    """The state of a notice by e-mail."""

    WAITING = "waiting", "Väntar på att skickas"
    SENT = "sent", "Skickat"
    REFUSED = "refused", "Avvisat av e-postservern"


class Notice(models.Model):
    """An e-mail that tells a customer of an issued document, for customers with such an address.

    It is inserted in the transaction that issues the document. It repeats nothing of the document but its number and month.
    """

    invoice = models.OneToOneField(Invoice, on_delete=models.PROTECT, related_name="notice")
    recipient = models.EmailField()
    state = models.CharField(max_length=10, choices=NoticeState, default=NoticeState.WAITING)
    attempts = models.PositiveIntegerField(default=0)
    next_at = models.DateTimeField(null=True)
    settled_at = models.DateTimeField(null=True)
    reason = models.CharField(max_length=500, blank=True, default="")

    class Meta:
        indexes = [models.Index(fields=["next_at"], name="billing_notice_due", condition=Q(next_at__isnull=False))]
        constraints = [
            models.CheckConstraint(
                name="billing_notice_settled",
                condition=Q(state=NoticeState.WAITING.value, settled_at=None, next_at__isnull=False)
                | ~Q(state=NoticeState.WAITING.value) & Q(settled_at__isnull=False, next_at=None),
            ),
        ]
