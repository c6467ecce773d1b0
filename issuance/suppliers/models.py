"""Reports of card suppliers on their orders."""

from django.db import models
from django.db.models import Q

from issuance.orders.models.orders import OrderItem


class SupplierEvent(models.Model):
    """A report of a supplier on an item of its order, at most one per kind. `parked` waits for its predecessor; `noted` changed
    nothing. `payload` holds the data to replay a parked report. It contains a PUK only as the received JWE.
    """

    item = models.ForeignKey(OrderItem, on_delete=models.PROTECT, related_name="supplier_events")
    kind = models.CharField(max_length=10)
    status = models.CharField(max_length=10)
    content_sha256 = models.CharField(max_length=64)
    payload = models.JSONField(default=dict)
    received_at = models.DateTimeField()
    applied_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(kind__in=["produced", "sent", "failed", "returned"]), name="issuance_supplier_event_kind"
            ),
            models.CheckConstraint(condition=Q(status__in=["applied", "parked", "noted"]), name="issuance_supplier_event_status"),
            models.UniqueConstraint(fields=["item", "kind"], name="issuance_supplier_event_once"),
        ]
        indexes = [
            models.Index(fields=["kind", "item"], condition=Q(status="parked"), name="issuance_supplier_event_parked"),
        ]
