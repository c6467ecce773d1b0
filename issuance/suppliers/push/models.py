"""The outbox of orders and changes that suppliers take by signed calls, the calls, and the connections with suppliers."""

from django.db import models
from django.db.models import Q

from issuance.orders.domain.order_states import OrderState
from issuance.orders.models.orders import CardOrder
from issuance.suppliers.models import SupplierChange
from issuance.suppliers.push.domain import Breaker
from siths_portal.lib.ids import new_id


class PushState(models.TextChoices):
    """Where a delivery is on its way to the supplier."""

    WAITING = "waiting", "Väntar på att skickas"
    DELIVERED = "delivered", "Mottagen"
    DEAD = "dead", "Stoppad"
    NEEDLESS = "needless", "Behövs inte"


class PushDelivery(models.Model):
    """The outbox row of an order or a change, inserted in the transaction of it. It holds no personal data.

    `id` is the idempotency key and the message id of every call for it, so a repeated call has one effect. `next_at` is when the
    next call is due; while a worker calls, it is the end of its lease. A dead one waits for an operator. An order that is queued
    again, because its card came back, gets another delivery.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    supplier_ref = models.CharField(max_length=100)
    order = models.ForeignKey(CardOrder, null=True, on_delete=models.PROTECT, related_name="push_deliveries", db_index=False)
    change = models.OneToOneField(SupplierChange, null=True, on_delete=models.PROTECT, related_name="push_delivery")
    state = models.CharField(max_length=10, choices=PushState, default=PushState.WAITING)
    attempts = models.PositiveIntegerField(default=0)
    next_at = models.DateTimeField(null=True)
    queued_at = models.DateTimeField()
    settled_at = models.DateTimeField(null=True)
    reason = models.CharField(max_length=63, blank=True, default="")

    class Meta:
        indexes = [
            models.Index(fields=["supplier_ref", "next_at", "id"], name="issuance_push_due", condition=Q(next_at__isnull=False)),
            models.Index(fields=["order", "id"], name="issuance_push_order"),
            models.Index(fields=["supplier_ref", "id"], name="issuance_push_dead", condition=Q(state=PushState.DEAD.value)),
        ]
        constraints = [
            models.UniqueConstraint(fields=["order"], condition=Q(state=PushState.WAITING.value), name="issuance_push_once"),
            models.CheckConstraint(name="issuance_push_subject", condition=Q(order=None) ^ Q(change=None)),
            models.CheckConstraint(
                name="issuance_push_settled",
                condition=Q(state=PushState.WAITING.value, settled_at=None, next_at__isnull=False)
                | Q(
                    state__in=[PushState.DELIVERED.value, PushState.DEAD.value, PushState.NEEDLESS.value],
                    settled_at__isnull=False,
                    next_at=None,
                ),
            ),
        ]


SENDABLE = Q(order=None) | Q(order__customisation__verified_at__isnull=False) | ~Q(order__state=OrderState.QUEUED.value)
"""Deliveries that do not wait for the issuer to verify the print of their order."""


class PushAttempt(models.Model):
    """One call and what came of it: an `Outcome`, with the code of a refusal or fault. Append-only."""

    delivery = models.ForeignKey(PushDelivery, on_delete=models.PROTECT, related_name="calls")
    at = models.DateTimeField()
    outcome = models.CharField(max_length=15)
    code = models.CharField(max_length=63, blank=True, default="")

    class Meta:
        indexes = [models.Index(fields=["delivery", "id"], name="issuance_push_attempts")]


class PushAnswer(models.Model):
    """The id of an answer that was taken, once for a supplier. A repeated call may get the same answer again. Append-only.

    `delivery` is what it answered; null for a page of the reconciliation.
    """

    supplier_ref = models.CharField(max_length=100)
    answer_id = models.CharField(max_length=64)
    delivery = models.ForeignKey(PushDelivery, null=True, on_delete=models.PROTECT, related_name="answers")
    at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["supplier_ref", "answer_id"], name="issuance_push_answer_once")]


class SupplierConnection(models.Model):
    """What the portal knows of its connection with a supplier, pulled or pushed to.

    `heard_at` is its last call to the API, `answered_at` its last proved answer to a call. While `paused_at` is set nothing is
    sent. `failures` and `open_until` are those of the breaker. `reconciled_at` is the last complete comparison with the
    supplier's belief, and `differences` what it found: at most 100 of `{"order", "kind", "here", "there"}`.
    """

    supplier_ref = models.CharField(max_length=100, primary_key=True)
    heard_at = models.DateTimeField(null=True)
    answered_at = models.DateTimeField(null=True)
    paused_at = models.DateTimeField(null=True)
    paused_by_ref = models.CharField(max_length=200, blank=True, default="")
    failures = models.PositiveIntegerField(default=0)
    open_until = models.DateTimeField(null=True)
    reconciled_at = models.DateTimeField(null=True)
    differences = models.JSONField(default=list)

    @property
    def breaker(self) -> Breaker:
        """The breaker of the calls to the supplier."""
        return Breaker(self.failures, self.open_until)

    def set_breaker(self, breaker: Breaker) -> None:
        """Takes over the breaker's values, without saving them."""
        self.failures, self.open_until = breaker.failures, breaker.open_until
