"""CRLs: the published ones, and the right to make the next."""

from django.db import models

from pki.models.authorities import CertificateAuthority


class Crl(models.Model):
    """A published CRL (or ARL, for the root): what it covers and its file. Numbers rise strictly per CA.

    `shard` is None for the CRL of all of a CA's certificates. `next_update` is None for a CA's last CRL, which never expires.
    """

    ca = models.ForeignKey(CertificateAuthority, on_delete=models.PROTECT, related_name="crls", db_index=False)
    shard = models.PositiveSmallIntegerField(null=True)
    number = models.BigIntegerField()
    this_update = models.DateTimeField()
    next_update = models.DateTimeField(null=True)
    entries = models.PositiveIntegerField()
    size = models.PositiveBigIntegerField()
    sha256 = models.CharField(max_length=64)
    file_name = models.CharField(max_length=80)
    status_version = models.BigIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["ca", "number"], name="pki_crl_number")]


class CrlScope(models.Model):
    """What one CRL covers: all of a CA's certificates (`shard` None) or one shard of them. One worker at a time makes its CRL.

    `lease` is the worker's secret in that time, and `number` the CRL number that it has drawn. After a lease expires another
    worker may take it, and the old holder must not publish. `newest` is the published CRL. After `failures` in a row the sweeper
    waits until `retry_at`.
    """

    ca = models.ForeignKey(CertificateAuthority, on_delete=models.PROTECT, related_name="crl_scopes", db_index=False)
    shard = models.PositiveSmallIntegerField(null=True)
    newest = models.OneToOneField(Crl, null=True, on_delete=models.PROTECT, related_name="+")
    number = models.BigIntegerField(default=0)
    lease = models.UUIDField(null=True)
    leased_until = models.DateTimeField(null=True)
    failures = models.PositiveSmallIntegerField(default=0)
    retry_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["ca", "shard"], nulls_distinct=False, name="pki_crl_scope")]
