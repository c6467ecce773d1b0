"""CAs and the profiles that they use to issue."""

from django.db import connection, models

from pki.domain.crl_shards import SHARDS
from pki.models.choices import CaState, NoncePolicy, SerialMode


class CertificateAuthorityQuerySet(models.QuerySet["CertificateAuthority"]):
    """Queries for CAs."""

    def current(self, slug: str) -> "CertificateAuthority":
        """Returns the newest generation of `slug` that is or was in use. Raises CertificateAuthority.DoesNotExist."""
        found = self.filter(slug=slug).exclude(state=CaState.PLANNED).order_by("-generation").first()
        if found is None:
            raise CertificateAuthority.DoesNotExist(slug)
        return found


class CertificateAuthority(models.Model):
    """A CA. Hash columns are lower-case hex; binary and hash columns are empty until it has its certificate.

    A CA with a certificate may still be `planned`: created at a ceremony, to be taken into use later.

    `name_*` and `key_*` are the issuerNameHash and issuerKeyHash of a CertID (RFC 6960 section 4.1.1). `file_stem` is the CN
    lower-cased without spaces and hyphens: `<stem>.crl`, `<stem>.cer`. `status_version` numbers status changes (see
    `draw_status_versions`). `key_id` is empty for a CA whose key is not in our token. `crl_shards` never changes, because the
    CA's certificates contain the URL of their shard; 1 means a single CRL. `last_crl_number` counts the CRLs of all the CA's
    scopes.
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
    crl_shards = models.PositiveSmallIntegerField(default=1)
    last_crl_number = models.BigIntegerField(default=0)
    status_version = models.BigIntegerField(default=0)
    nonce_policy = models.CharField(max_length=8, choices=NoncePolicy.choices, default=NoncePolicy.IGNORE)
    serial_mode = models.CharField(max_length=16, choices=SerialMode.choices, default=SerialMode.TIME_RANDOM)
    created_at = models.DateTimeField()

    objects = CertificateAuthorityQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["slug", "generation"], name="pki_ca_slug_generation"),
            models.CheckConstraint(condition=models.Q(state__in=CaState.values), name="pki_ca_state"),
            models.CheckConstraint(condition=models.Q(nonce_policy__in=NoncePolicy.values), name="pki_ca_nonce_policy"),
            models.CheckConstraint(condition=models.Q(crl_shards__in=SHARDS), name="pki_ca_crl_shards"),
            models.CheckConstraint(
                condition=models.Q(state__in=[CaState.PLANNED, CaState.EXTERNAL]) | ~models.Q(key_id=""), name="pki_ca_has_key"
            ),
        ]

    def __str__(self) -> str:
        return self.common_name


def draw_status_versions(ca_id: int, count: int = 1) -> int:
    """Draws `count` consecutive numbers for status changes of a CA and returns the first.

    The CA's row stays locked until the caller's transaction ends, so a reader who sees number n sees all below it. Lock the
    certificates' rows first.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pki_draw_status_versions(%s, %s)", [ca_id, count])
        row = cursor.fetchone()
    if row is None or row[0] is None:
        raise CertificateAuthority.DoesNotExist(ca_id)
    return int(row[0]) - count + 1


class ProfileVersion(models.Model):
    """An immutable definition of a profile, identified by the SHA-256 of its canonical JSON. Certificates refer to theirs."""

    name = models.SlugField(max_length=40)
    version = models.PositiveIntegerField()
    sha256 = models.CharField(max_length=64, unique=True)
    definition = models.JSONField()
    created_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["name", "version"], name="pki_profile_version")]

    def __str__(self) -> str:
        return f"{self.name} v{self.version}"
