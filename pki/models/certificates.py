"""Certificates and their revocations."""

from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models.functions import Right

from pki.models.approvals import ApprovalRequest
from pki.models.authorities import CertificateAuthority, ProfileVersion
from pki.models.choices import CertificateStatus, RevocationChannel, RevocationReason
from siths_portal.lib.ids import new_id


class Certificate(models.Model):
    """A serial of a CA and, unless the row is serial-only, the to-be-signed bytes that belong to it.

    The row is committed before the token signs. `serial` is upper-case hex without a leading zero octet (see `domain.serials`).
    `status_version` is 0 until the status first changes; a stored OCSP response is valid only for the same version, and
    `presigned_version` is the version that the stored responses were signed for, -1 for none. `reason` is one of
    `RevocationReason`; `invalidity_date` goes to the CRL entry's extension.

    `held`: on hold from issuance until the card's holder has chosen the code (`pki.revocation.holds`). OCSP responses then have
    `revoked, certificateHold`; they are signed for each request and never stored. The plan sets it, and the database refuses to
    set it later.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    ca = models.ForeignKey(CertificateAuthority, on_delete=models.PROTECT, related_name="certificates", db_index=False)
    serial = models.CharField(max_length=40)
    status = models.CharField(max_length=10, choices=CertificateStatus.choices, default=CertificateStatus.RESERVED)
    held = models.BooleanField(default=False, db_default=False)
    profile_version = models.ForeignKey(ProfileVersion, null=True, on_delete=models.PROTECT, db_index=False)
    tbs_der = models.BinaryField(null=True)
    tbs_sha256 = models.CharField(max_length=64, default="")
    spki_sha256 = models.CharField(max_length=64, default="")
    subject_ref = models.CharField(max_length=80, default="")
    carrier_ref = models.CharField(max_length=80, default="")
    unit_ref = models.CharField(max_length=80, default="")
    client_ref = models.CharField(max_length=80, default="")
    not_before = models.DateTimeField()
    not_after = models.DateTimeField()
    created_at = models.DateTimeField()
    issued_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)
    reason = models.CharField(max_length=24, choices=RevocationReason.choices, default="", blank=True)
    invalidity_date = models.DateTimeField(null=True)
    status_version = models.BigIntegerField(default=0)
    presigned_version = models.BigIntegerField(default=-1)
    signing_started_at = models.DateTimeField(null=True)
    signing_attempts = models.PositiveSmallIntegerField(default=0)
    failure = models.CharField(max_length=80, default="")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["ca", "serial"], name="pki_certificate_serial"),
            models.CheckConstraint(condition=models.Q(status__in=CertificateStatus.values), name="pki_certificate_status"),
            models.CheckConstraint(
                condition=models.Q(status=CertificateStatus.REVOKED, revoked_at__isnull=False, reason__in=RevocationReason.values)
                | (~models.Q(status=CertificateStatus.REVOKED) & models.Q(revoked_at__isnull=True)),
                name="pki_certificate_revoked_when",
            ),
            models.CheckConstraint(
                condition=models.Q(held=False) | models.Q(status__in=[CertificateStatus.RESERVED, CertificateStatus.ISSUED]),
                name="pki_certificate_held",
            ),
        ]
        indexes = [
            # All columns of a CRL, in its order, so that a CRL is built from the index only.
            models.Index(
                "ca",
                Right("serial", 2),
                "serial",
                name="pki_cert_listed",
                condition=models.Q(status="revoked"),
                include=["revoked_at", "reason", "invalidity_date", "not_after", "status_version"],
            ),
            models.Index(fields=["ca", "status_version"], name="pki_cert_changed", condition=models.Q(status="revoked")),
            models.Index(fields=["created_at"], name="pki_cert_reserved", condition=models.Q(status="reserved")),
            models.Index(
                fields=["ca", "id"],
                name="pki_cert_presign",
                condition=models.Q(status__in=["issued", "revoked"], held=False)
                & ~models.Q(presigned_version=models.F("status_version")),
            ),
            # Certificates on hold, in the order in which the publisher of the OCSP store reads them.
            models.Index(fields=["ca", "status_version"], name="pki_cert_held", condition=models.Q(status="issued", held=True)),
            # Revoked ones come first; they are few compared with newly issued ones.
            models.Index(
                fields=["ca", "id"],
                name="pki_cert_presign_revoked",
                condition=models.Q(status="revoked") & ~models.Q(presigned_version=models.F("status_version")),
            ),
            models.Index(fields=["carrier_ref"], name="pki_cert_carrier", condition=~models.Q(carrier_ref="")),
            models.Index(fields=["subject_ref"], name="pki_cert_subject", condition=~models.Q(subject_ref="")),
            models.Index(fields=["spki_sha256"], name="pki_cert_spki", condition=~models.Q(spki_sha256="")),
            # Compromised keys: few, and each signing queries them.
            models.Index(
                fields=["spki_sha256"],
                name="pki_cert_compromised",
                condition=models.Q(status="revoked", reason__in=["keyCompromise", "cACompromise"]),
            ),
            models.Index(fields=["not_after"], name="pki_cert_not_after"),
            # One index for profile, client and unit: each index slows down issuance, and the first two have few values.
            models.Index(fields=["profile_version", "client_ref", "unit_ref"], name="pki_cert_origin"),
            # Rows are stored in the order in which they were planned; several ranges per block, because a revocation moves a row.
            BrinIndex(
                fields=["created_at"], name="pki_cert_created", opclasses=["timestamptz_minmax_multi_ops"], autosummarize=True
            ),
            models.Index(fields=["issued_at", "id"], name="pki_cert_issued", condition=models.Q(issued_at__isnull=False)),
        ]

    def __str__(self) -> str:
        return str(self.id)


class Fingerprint(models.Func):
    """SHA-256 of a binary column, as in the index `pki_blob_sha256`."""

    function = "sha256"
    output_field = models.BinaryField()


class CertificateBlob(models.Model):
    """The certificate's DER, apart from the frequently updated table. Exists exactly for certificates signed and stored here."""

    certificate = models.OneToOneField(Certificate, primary_key=True, on_delete=models.PROTECT, related_name="blob")
    der = models.BinaryField()

    class Meta:
        indexes = [models.Index(Fingerprint("der"), name="pki_blob_sha256")]


class Revocation(models.Model):
    """Append-only record of a revocation, or of a change to one (F5.2). `Certificate.status` is its projection.

    `received_at` is when the request came, `decided_at` when it was carried out here, `effective_at` the CRL's revocationDate,
    which never changes; an earlier known date is `invalidity_date`. `requester` requested and `actor_ref` carried out; both are
    opaque. `source_record` of a request on paper has who registered it and where the paper is kept: {"registered_by", "kept_at"}.
    `approval_request` is the dual control under which a mass revocation was carried out.
    """

    certificate = models.ForeignKey(Certificate, on_delete=models.PROTECT, related_name="revocations")
    received_at = models.DateTimeField()
    decided_at = models.DateTimeField()
    effective_at = models.DateTimeField()
    invalidity_date = models.DateTimeField(null=True)
    requester = models.CharField(max_length=200)
    actor_ref = models.CharField(max_length=200, default="", blank=True)  # empty in rows older than the column
    channel = models.CharField(max_length=20, choices=RevocationChannel.choices)
    reason = models.CharField(max_length=24, choices=RevocationReason.choices)
    justification = models.CharField(max_length=1000, default="", blank=True)
    source_record = models.JSONField(null=True)
    approval_request = models.ForeignKey(
        ApprovalRequest, null=True, on_delete=models.PROTECT, related_name="revocations", db_index=False
    )

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(channel__in=RevocationChannel.values), name="pki_revocation_channel"),
            models.CheckConstraint(condition=models.Q(received_at__lte=models.F("decided_at")), name="pki_revocation_times"),
        ]
        indexes = [
            models.Index(fields=["decided_at"], name="pki_revocation_decided"),
            models.Index(
                fields=["approval_request", "certificate"],
                name="pki_revocation_approval",
                condition=models.Q(approval_request__isnull=False),
            ),
        ]
