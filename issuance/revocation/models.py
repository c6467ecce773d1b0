"""Revocations above an officer's limit, which a second officer decides (ADR 0297)."""

from django.db import models
from django.db.models import F, Q

from issuance.carriers.models import Carrier, Eid
from siths_portal.lib.ids import new_id


class HeldRevocationState(models.TextChoices):
    """The state of a held revocation. Every state but OPEN is final."""

    OPEN = "open"
    APPROVED = "approved"
    REJECTED = "rejected"


class HeldRevocation(models.Model):
    """A revocation of a carrier, or of one of its eIDs, that one officer requests and a second decides.

    It stores the request as in `revocation.services.revocation.RevocationRequest`; `received_at` is always set and becomes the
    revocation's received time. Rows with the same `request_id` are one request, for everything of a person or for reserve
    cards that were lost together, and are decided together. The database forbids deleting closed rows and a decision by the
    requester.
    """

    id = models.UUIDField(primary_key=True, default=new_id)
    request_id = models.UUIDField()
    carrier = models.ForeignKey(Carrier, on_delete=models.PROTECT, related_name="held_revocations")
    eid = models.ForeignKey(Eid, null=True, on_delete=models.PROTECT, related_name="held_revocations")
    reason = models.CharField(max_length=40)
    justification = models.CharField(max_length=1000, default="")
    received_at = models.DateTimeField()
    requester = models.CharField(max_length=40, default="")
    requester_name = models.CharField(max_length=200, default="")
    channel = models.CharField(max_length=40, default="")
    requested_by_ref = models.CharField(max_length=200)
    requested_at = models.DateTimeField()
    state = models.CharField(max_length=10, choices=HeldRevocationState.choices, default=HeldRevocationState.OPEN)
    decided_by_ref = models.CharField(max_length=200, default="")
    decided_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(
                fields=["requested_at", "id"], condition=Q(state=HeldRevocationState.OPEN), name="issuance_held_revocation_open"
            ),
            models.Index(fields=["request_id"], name="issuance_held_revocation_act"),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(state__in=HeldRevocationState.values), name="issuance_held_revocation_state"),
            models.CheckConstraint(condition=~Q(decided_by_ref=F("requested_by_ref")), name="issuance_held_revocation_second"),
            models.CheckConstraint(
                condition=Q(state=HeldRevocationState.OPEN) | (~Q(decided_by_ref="") & Q(decided_at__isnull=False)),
                name="issuance_held_revocation_decided",
            ),
            models.UniqueConstraint(
                fields=["carrier", "eid"],
                condition=Q(state=HeldRevocationState.OPEN),
                nulls_distinct=False,
                name="issuance_held_revocation_once",
            ),
        ]
