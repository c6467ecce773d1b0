"""Issuance data besides certificates: sets that are issued atomically, RSA keys, results of pkilint."""

from django.contrib.postgres.fields import ArrayField
from django.db import models

from pki.models.authorities import CertificateAuthority, ProfileVersion
from pki.models.choices import SetState
from siths_portal.lib.ids import new_id


class IssuanceSet(models.Model):
    """Certificates that are useful only together, such as a card's four (rules/pki 3.3).

    If one is not issued, the others are revoked. `open` until every certificate was issued (`whole`) or one was not (`broken`).
    Later changes of a certificate do not affect the set.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    certificate_ids = ArrayField(models.UUIDField())
    state = models.CharField(max_length=8, choices=SetState.choices, default=SetState.OPEN)
    created_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(state__in=SetState.values), name="pki_set_state"),
            models.CheckConstraint(
                condition=models.Q(state=SetState.OPEN, closed_at__isnull=True)
                | (~models.Q(state=SetState.OPEN) & models.Q(closed_at__isnull=False)),
                name="pki_set_closed",
            ),
        ]
        indexes = [models.Index(fields=["id"], name="pki_set_open", condition=models.Q(state="open"))]

    def __str__(self) -> str:
        return str(self.id)


class ModulusBlock(models.Model):
    """The product of `count` certified RSA moduli, big-endian, for the search for shared factors (B1.12, ADR 0132).

    `compared_to` is the id of the newest older block that this one was compared with; `compared_at` is set when none is left.
    """

    count = models.PositiveIntegerField()
    product = models.BinaryField()
    created_at = models.DateTimeField()
    compared_to = models.BigIntegerField(default=0)
    compared_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [models.Index(fields=["id"], name="pki_block_uncompared", condition=models.Q(compared_at__isnull=True))]

    def __str__(self) -> str:
        return str(self.pk)


class RsaKey(models.Model):
    """A certified RSA key, one row however many certificates it has. Its block is empty until it is multiplied into one.

    The modulus itself is in the certificates' to-be-signed bytes.
    """

    spki_sha256 = models.CharField(max_length=64, unique=True)
    block = models.ForeignKey(ModulusBlock, null=True, on_delete=models.PROTECT, related_name="keys")
    created_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["id"], name="pki_rsakey_unfolded", condition=models.Q(block__isnull=True))]

    def __str__(self) -> str:
        return self.spki_sha256


class ProfileLint(models.Model):
    """A record that this version of pkilint found no fault in the CA's use of the profile version; append-only (ADR 0134).

    A profile version without a row for a CA is linted before its first certificate from that CA.
    """

    profile_version = models.ForeignKey(ProfileVersion, on_delete=models.PROTECT, related_name="lints")
    ca = models.ForeignKey(CertificateAuthority, on_delete=models.PROTECT, related_name="+")
    linter = models.CharField(max_length=40)
    at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["profile_version", "ca", "linter"], name="pki_profile_lint")]

    def __str__(self) -> str:
        return f"{self.profile_version_id} {self.ca_id} {self.linter}"
