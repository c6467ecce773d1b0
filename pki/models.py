"""Tables of the certification authorities. They know no persons: `*_ref` columns are opaque text of the caller's.

Lock order everywhere: rows of `Certificate` by id, then the row of `CertificateAuthority`.
"""

from django.db import connection, models

from pki.choices import (
    ANSWERED,
    ONLINE,
    CaState,
    CertIdHash,
    CertificateStatus,
    DeliveryState,
    KeyPurpose,
    RevocationReason,
    SecretState,
    SerialMode,
)
from siths_portal.lib.audit import AuditSeal
from siths_portal.lib.events import AppendOnlyEvent
from siths_portal.lib.ids import new_id

__all__ = [
    "ANSWERED",
    "ONLINE",
    "CaState",
    "CertIdHash",
    "Certificate",
    "CertificateAuthority",
    "CertificateAuthorityQuerySet",
    "CertificateBlob",
    "CertificateStatus",
    "Crl",
    "DeliveryState",
    "Event",
    "EventSeal",
    "HsmKey",
    "KeyPurpose",
    "OcspResponse",
    "OcspSigner",
    "ProfileVersion",
    "Revocation",
    "RevocationReason",
    "Secret",
    "SecretDelivery",
    "SecretState",
    "SerialMode",
    "draw_status_versions",
]


class HsmKey(models.Model):
    """Inventory row of each key that we made in a token: how to find it and its public half, for processes without a token.

    `key_id` is CKA_ID in hex. For the KEK, `public_key_der` is empty.
    """

    key_id = models.CharField(max_length=40, primary_key=True)
    purpose = models.CharField(max_length=20, choices=KeyPurpose.choices)
    token_label = models.CharField(max_length=32)
    label = models.CharField(max_length=120, unique=True)
    algorithm = models.CharField(max_length=20)
    public_key_der = models.BinaryField(default=bytes)
    attributes = models.JSONField(default=dict)
    created_at = models.DateTimeField()
    retired_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [models.Index(fields=["purpose", "-created_at"], name="pki_hsmkey_purpose")]


class CertificateAuthorityQuerySet(models.QuerySet["CertificateAuthority"]):
    """Finds CAs."""

    def current(self, slug: str) -> "CertificateAuthority":
        """The newest generation of `slug`. Raises CertificateAuthority.DoesNotExist."""
        found = self.filter(slug=slug).order_by("-generation").first()
        if found is None:
            raise CertificateAuthority.DoesNotExist(slug)
        return found


class CertificateAuthority(models.Model):
    """A CA. Hash columns are lower-case hex; binary and hash columns are empty while the state is `planned`.

    `name_*` and `key_*` are the issuerNameHash and issuerKeyHash of a CertID (RFC 6960 section 4.1.1). `file_stem` is the CN
    lower-cased without spaces and hyphens: `<stem>.crl`, `<stem>.cer`. `status_version` numbers status changes (see
    `draw_status_versions`). `key_id` is empty for a CA whose key is not here.
    """

    slug = models.SlugField(max_length=40)
    generation = models.PositiveSmallIntegerField(default=1)
    common_name = models.CharField(max_length=64)
    state = models.CharField(max_length=16, choices=CaState.choices, default=CaState.PLANNED)
    parent = models.ForeignKey("self", null=True, on_delete=models.PROTECT, related_name="children")
    definition_sha256 = models.CharField(max_length=64)
    subject_der = models.BinaryField(default=bytes)
    certificate_der = models.BinaryField(default=bytes)
    spki_sha256 = models.CharField(max_length=64, default="")
    ski = models.CharField(max_length=64, default="")
    not_before = models.DateTimeField(null=True)
    not_after = models.DateTimeField(null=True)
    name_sha1 = models.CharField(max_length=40, default="", db_index=True)
    name_sha256 = models.CharField(max_length=64, default="", db_index=True)
    key_sha1 = models.CharField(max_length=40, default="")
    key_sha256 = models.CharField(max_length=64, default="")
    file_stem = models.CharField(max_length=64, unique=True)
    token_label = models.CharField(max_length=32, default="")
    key_id = models.CharField(max_length=40, default="")
    crl_period = models.DurationField()
    crl_validity = models.DurationField()
    last_crl_number = models.BigIntegerField(default=0)
    status_version = models.BigIntegerField(default=0)
    serial_mode = models.CharField(max_length=16, choices=SerialMode.choices, default=SerialMode.TIME_RANDOM)
    created_at = models.DateTimeField()

    objects = CertificateAuthorityQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["slug", "generation"], name="pki_ca_slug_generation"),
            models.CheckConstraint(condition=models.Q(state__in=CaState.values), name="pki_ca_state"),
            models.CheckConstraint(
                condition=models.Q(state__in=[CaState.PLANNED, CaState.EXTERNAL]) | ~models.Q(key_id=""), name="pki_ca_has_key"
            ),
        ]

    def __str__(self) -> str:
        return self.common_name


def draw_status_versions(ca_id: int, count: int = 1) -> int:
    """Takes `count` consecutive numbers for status changes of a CA and returns the first.

    The CA's row stays locked until the caller's transaction ends, so a reader who sees number n sees all below it. Lock the
    certificates' rows before.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE pki_certificateauthority SET status_version = status_version + %s WHERE id = %s RETURNING status_version",
            [count, ca_id],
        )
        row = cursor.fetchone()
    if row is None:
        raise CertificateAuthority.DoesNotExist(ca_id)
    return int(row[0]) - count + 1


class ProfileVersion(models.Model):
    """An immutable definition of a profile, addressed by the SHA-256 of its canonical JSON. Certificates point at theirs."""

    name = models.SlugField(max_length=40)
    version = models.PositiveIntegerField()
    sha256 = models.CharField(max_length=64, unique=True)
    definition = models.JSONField()
    created_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["name", "version"], name="pki_profile_version")]

    def __str__(self) -> str:
        return f"{self.name} v{self.version}"


class Certificate(models.Model):
    """A serial of a CA and, unless the row is serial-only, the to-be-signed bytes that belong to it.

    The row is committed before the token signs. `serial` is upper-case hex without a leading zero octet (see
    `domain.serials`). `status_version` is 0 until the status first changes; a stored OCSP answer is valid only for the same
    version, and `presigned_version` is the version that the stored answers were signed for, -1 for none. `reason` is one of
    `RevocationReason`; `invalidity_date` goes to the CRL entry's extension.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    ca = models.ForeignKey(CertificateAuthority, on_delete=models.PROTECT, related_name="certificates", db_index=False)
    serial = models.CharField(max_length=40)
    status = models.CharField(max_length=10, choices=CertificateStatus.choices, default=CertificateStatus.RESERVED)
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
        ]
        indexes = [
            models.Index(fields=["ca", "serial"], name="pki_cert_revoked", condition=models.Q(status="revoked")),
            models.Index(fields=["created_at"], name="pki_cert_reserved", condition=models.Q(status="reserved")),
            models.Index(
                fields=["ca", "id"],
                name="pki_cert_presign",
                condition=models.Q(status__in=["issued", "revoked"]) & ~models.Q(presigned_version=models.F("status_version")),
            ),
            models.Index(fields=["carrier_ref"], name="pki_cert_carrier", condition=~models.Q(carrier_ref="")),
            models.Index(fields=["subject_ref"], name="pki_cert_subject", condition=~models.Q(subject_ref="")),
            models.Index(fields=["spki_sha256"], name="pki_cert_spki", condition=~models.Q(spki_sha256="")),
            models.Index(fields=["not_after"], name="pki_cert_not_after"),
        ]

    def __str__(self) -> str:
        return str(self.id)


class CertificateBlob(models.Model):
    """The certificate's DER, apart from the hot table. Exists exactly for those that the token signed and we stored."""

    certificate = models.OneToOneField(Certificate, primary_key=True, on_delete=models.PROTECT, related_name="blob")
    der = models.BinaryField()


class Revocation(models.Model):
    """Append-only record of a revocation: who asked through which channel, when received, decided and effective (F5).

    `Certificate.status` is its projection. `effective_at` is the CRL's revocationDate; older knowledge is `invalidity_date`.
    """

    certificate = models.ForeignKey(Certificate, on_delete=models.PROTECT, related_name="revocations")
    received_at = models.DateTimeField()
    decided_at = models.DateTimeField()
    effective_at = models.DateTimeField()
    invalidity_date = models.DateTimeField(null=True)
    requester = models.CharField(max_length=200)
    channel = models.CharField(max_length=20)
    reason = models.CharField(max_length=24, choices=RevocationReason.choices)
    justification = models.CharField(max_length=1000, default="", blank=True)


class OcspSigner(models.Model):
    """A delegated OCSP responder of one CA (RFC 6960 section 4.2.2.2). `certificate` is its row among the CA's certificates."""

    ca = models.ForeignKey(CertificateAuthority, on_delete=models.PROTECT, related_name="ocsp_signers")
    certificate = models.OneToOneField(Certificate, on_delete=models.PROTECT, related_name="+")
    token_label = models.CharField(max_length=32)
    key_id = models.CharField(max_length=40, unique=True)
    certificate_der = models.BinaryField()
    not_before = models.DateTimeField()
    not_after = models.DateTimeField()
    retired_at = models.DateTimeField(null=True)


class OcspResponse(models.Model):
    """A pre-signed OCSP answer for one certificate and one CertID hash. Served only if its `status_version` is current.

    `ca` is the certificate's, repeated here so that each CA's ageing answers are found without a join. `signer` is the delegate
    that signed, null for a CA's own answers.
    """

    ca = models.ForeignKey(CertificateAuthority, on_delete=models.PROTECT, related_name="+", db_index=False)
    certificate = models.ForeignKey(Certificate, on_delete=models.PROTECT, related_name="ocsp_responses", db_index=False)
    signer = models.ForeignKey(OcspSigner, null=True, on_delete=models.PROTECT, related_name="+")
    cert_id_hash = models.CharField(max_length=6, choices=CertIdHash.choices)
    der = models.BinaryField()
    status_version = models.BigIntegerField()
    this_update = models.DateTimeField()
    next_update = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["certificate", "cert_id_hash"], name="pki_ocsp_response_certificate")]
        indexes = [models.Index(fields=["ca", "next_update"], name="pki_ocsp_ageing")]


class Crl(models.Model):
    """A published CRL (or ARL, for the root): what it covered and where it lies. Numbers rise strictly per CA."""

    ca = models.ForeignKey(CertificateAuthority, on_delete=models.PROTECT, related_name="crls", db_index=False)
    number = models.BigIntegerField()
    this_update = models.DateTimeField()
    next_update = models.DateTimeField()
    entries = models.PositiveIntegerField()
    size = models.PositiveBigIntegerField()
    sha256 = models.CharField(max_length=64)
    file_name = models.CharField(max_length=80)
    status_version = models.BigIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["ca", "number"], name="pki_crl_number")]


class Secret(models.Model):
    """A secret in the token's keeping (a card's PUK): the JWE as received, then the blob sealed under the KEK.

    `owner_ref` is the caller's; `expected_header` is compared with the JWE's protected header before sealing.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    owner_ref = models.CharField(max_length=80, db_index=True)
    state = models.CharField(max_length=10, choices=SecretState.choices, default=SecretState.RECEIVED)
    expected_header = models.JSONField(default=dict)
    jwe = models.TextField(null=True)  # null says that it was erased
    sealed = models.BinaryField(null=True)
    kek_id = models.CharField(max_length=40, default="")
    failure = models.CharField(max_length=80, default="")
    attempts = models.PositiveSmallIntegerField(default=0)
    created_at = models.DateTimeField()
    sealed_at = models.DateTimeField(null=True)
    destroyed_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [models.Index(fields=["created_at"], name="pki_secret_received", condition=models.Q(state="received"))]


class SecretDelivery(models.Model):
    """A step token, and with it a sealed secret where one is named, on its way to one recipient as a JWE that only he can open.

    `recipient_jwk` is his public key, `header` goes into the JWE's protected header. Of the step token only `token_sha256` is
    kept. `actor_ref` is who asked, and `purpose` what for (S24).
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    secret = models.ForeignKey(Secret, null=True, on_delete=models.PROTECT, related_name="deliveries")
    owner_ref = models.CharField(max_length=80, db_index=True)
    actor_ref = models.CharField(max_length=200)
    purpose = models.CharField(max_length=40)
    state = models.CharField(max_length=10, choices=DeliveryState.choices, default=DeliveryState.REQUESTED)
    recipient_jwk = models.JSONField()
    header = models.JSONField()
    jwe = models.TextField(null=True)  # null says that it is not made yet, or was erased
    token_sha256 = models.CharField(max_length=64, default="")
    failure = models.CharField(max_length=80, default="")
    attempts = models.PositiveSmallIntegerField(default=0)
    claimed_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField()
    ready_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(state__in=DeliveryState.values), name="pki_delivery_state")]
        indexes = [
            models.Index(fields=["created_at"], name="pki_delivery_requested", condition=models.Q(state="requested")),
            models.Index(fields=["secret", "created_at"], name="pki_delivery_secret", condition=models.Q(secret__isnull=False)),
        ]


class Event(AppendOnlyEvent):
    """What was done in `pki`, by whom, when."""

    objects: "models.Manager[Event]" = models.Manager()

    class Meta(AppendOnlyEvent.Meta):
        abstract = False


class EventSeal(AuditSeal):
    """The audit chain of `pki`'s events."""

    class Meta(AuditSeal.Meta):
        abstract = False
