"""Reports of card suppliers on their orders, and the changes that suppliers read."""

from django.db import models
from django.db.models import Q

from issuance.customisations.models import CardCustomisation
from issuance.orders.models.orders import CardOrder, OrderItem
from issuance.suppliers.domain import ChangeKind
from siths_portal.lib.events import CurrentTransactionId


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
                condition=Q(kind__in=["produced", "sent", "failed", "returned", "remade"]), name="issuance_supplier_event_kind"
            ),
            models.CheckConstraint(condition=Q(status__in=["applied", "parked", "noted"]), name="issuance_supplier_event_status"),
            models.UniqueConstraint(fields=["item", "kind"], name="issuance_supplier_event_once"),
        ]
        indexes = [
            models.Index(fields=["kind", "item"], condition=Q(status="parked"), name="issuance_supplier_event_parked"),
        ]


class SupplierChange(models.Model):
    """A change that a supplier learns of by reading: of an order, of an item of it (`item` is its number), or of a card
    customisation. Inserted in the transaction of the change, and never changed. No page shows it.

    `id` is the number that the supplier reads on from. `xid` orders the rows as a feed (`siths_portal.lib.database.feeds`).
    `reason` is a `ChangeReason`, or the code of a PUK's refusal; it never tells why a holder's card is revoked.
    """

    id = models.BigAutoField(primary_key=True)
    xid = models.BigIntegerField(db_default=CurrentTransactionId(), editable=False)
    supplier_ref = models.CharField(max_length=100)
    kind = models.CharField(max_length=25)
    order = models.ForeignKey(CardOrder, null=True, on_delete=models.PROTECT, related_name="changes")
    item = models.PositiveSmallIntegerField(null=True)
    customisation = models.ForeignKey(CardCustomisation, null=True, on_delete=models.PROTECT, related_name="changes")
    reason = models.CharField(max_length=40)
    occurred_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(kind__in=[kind.value for kind in ChangeKind]), name="issuance_change_kind"),
            models.CheckConstraint(condition=~Q(supplier_ref=""), name="issuance_change_supplier"),
            models.CheckConstraint(
                condition=Q(order=None) ^ Q(customisation=None),
                name="issuance_change_subject",
            ),
            models.CheckConstraint(condition=Q(item=None) | Q(order__isnull=False), name="issuance_change_item"),
        ]
        indexes = [models.Index(fields=["supplier_ref", "xid", "id"], name="issuance_change_feed")]
