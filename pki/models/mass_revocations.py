"""Mass revocation: the request, its certificates, and its progress (rules/pki 4.4)."""

from django.db import models

from pki.models.approvals import ApprovalRequest
from pki.models.certificates import Certificate
from pki.models.choices import MassRevocationState, RevocationChannel, RevocationReason
from siths_portal.lib.ids import new_id


class MassRevocation(models.Model):
    """A revocation of many certificates under dual control. Its certificates are fixed by the request.

    `selection` is the search that found them, `as_of` the moment up to which certificates were included, `groups` their number by
    CA, profile and status at the request, and `members_sha256` the SHA-256 of their ids (16 octets each, in rising order). These,
    the grounds and the request's number never change.

    `position` is the last certificate that a committed batch has passed; the counters count the outcomes up to it. The worker
    that processes it holds `claimed_until`, which expires after a crash. `resumed_*` are for the rate.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    approval_request = models.OneToOneField(ApprovalRequest, on_delete=models.PROTECT, related_name="mass_revocation")
    selection = models.JSONField()
    as_of = models.DateTimeField()
    groups = models.JSONField()
    total = models.PositiveIntegerField()
    revocable = models.PositiveIntegerField()
    members_sha256 = models.CharField(max_length=64)
    reason = models.CharField(max_length=24, choices=RevocationReason.choices)
    justification = models.CharField(max_length=1000)
    received_at = models.DateTimeField()
    invalidity_date = models.DateTimeField(null=True)
    channel = models.CharField(max_length=20, choices=RevocationChannel.choices)
    requester = models.CharField(max_length=200)
    source_record = models.JSONField(null=True)
    publish_crls = models.BooleanField()
    requested_by_ref = models.CharField(max_length=200)
    created_at = models.DateTimeField()

    state = models.CharField(max_length=12, choices=MassRevocationState.choices, default=MassRevocationState.REQUESTED)
    position = models.UUIDField(null=True)
    revoked = models.PositiveIntegerField(default=0)
    changed = models.PositiveIntegerField(default=0)
    unchanged = models.PositiveIntegerField(default=0)
    failed = models.PositiveIntegerField(default=0)
    claimed_until = models.DateTimeField(null=True)
    started_at = models.DateTimeField(null=True)
    started_by_ref = models.CharField(max_length=200, default="", blank=True)
    resumed_at = models.DateTimeField(null=True)
    resumed_from = models.PositiveIntegerField(default=0)
    last_batch_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    failure = models.CharField(max_length=200, default="", blank=True)
    report = models.JSONField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(state__in=MassRevocationState.values), name="pki_mass_revocation_state"),
            models.CheckConstraint(condition=models.Q(channel__in=RevocationChannel.values), name="pki_mass_revocation_channel"),
        ]
        indexes = [
            models.Index(fields=["id"], name="pki_mass_revocation_due", condition=models.Q(state__in=["running", "publishing"]))
        ]

    def __str__(self) -> str:
        return str(self.id)

    @property
    def done(self) -> int:
        """Returns how many of its certificates have been processed."""
        return self.revoked + self.changed + self.unchanged + self.failed


class MassRevocationMember(models.Model):
    """One certificate of a mass revocation; append-only. No foreign key check is needed: certificates are never removed."""

    pk = models.CompositePrimaryKey("mass_revocation_id", "certificate_id")
    mass_revocation = models.ForeignKey(MassRevocation, on_delete=models.PROTECT, related_name="members", db_index=False)
    certificate = models.ForeignKey(Certificate, on_delete=models.PROTECT, related_name="+", db_index=False, db_constraint=False)
