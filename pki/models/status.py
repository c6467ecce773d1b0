"""OCSP responders and their responses."""

from django.db import models

from pki.models.authorities import CertificateAuthority
from pki.models.certificates import Certificate
from pki.models.choices import CertIdHash
from siths_portal.lib.events import CurrentTransactionId


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
    """A pre-signed OCSP response for one certificate and one CertID hash. Served only if its `status_version` is current.

    `ca` is the certificate's, repeated here so that each CA's ageing responses are found without a join. `signer` is the delegate
    that signed, null for a CA's own responses. `xid` is the transaction that last wrote the row, by which publishers find new
    rows (see `pki.ocsp.feed`).
    """

    ca = models.ForeignKey(CertificateAuthority, on_delete=models.PROTECT, related_name="+", db_index=False)
    certificate = models.ForeignKey(Certificate, on_delete=models.PROTECT, related_name="ocsp_responses", db_index=False)
    signer = models.ForeignKey(OcspSigner, null=True, on_delete=models.PROTECT, related_name="+")
    cert_id_hash = models.CharField(max_length=6, choices=CertIdHash.choices)
    der = models.BinaryField()
    status_version = models.BigIntegerField()
    this_update = models.DateTimeField()
    next_update = models.DateTimeField()
    xid = models.BigIntegerField(db_default=CurrentTransactionId(), editable=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["certificate", "cert_id_hash"], name="pki_ocsp_response_certificate")]
        indexes = [
            models.Index(fields=["ca", "next_update"], name="pki_ocsp_ageing"),
            models.Index(fields=["xid"], name="pki_ocsp_feed"),
        ]


class OcspUnknown(models.Model):
    """A serial that a CA never issued and that relying parties request, with its signed `unknown` responses of a short lifetime.

    Their number is limited (see `pki.ocsp.unknown`). Both are empty, and `next_update` null, until they are signed.
    """

    ca = models.ForeignKey(CertificateAuthority, on_delete=models.PROTECT, related_name="+", db_index=False)
    serial = models.CharField(max_length=40)
    asked_at = models.DateTimeField()
    der_sha1 = models.BinaryField(default=bytes)
    der_sha256 = models.BinaryField(default=bytes)
    this_update = models.DateTimeField(null=True)
    next_update = models.DateTimeField(null=True)
    xid = models.BigIntegerField(db_default=CurrentTransactionId(), editable=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["ca", "serial"], name="pki_ocsp_unknown_serial")]
        indexes = [
            models.Index(fields=["xid"], name="pki_ocsp_unknown_feed"),
            models.Index(fields=["asked_at"], name="pki_ocsp_unknown_unsigned", condition=models.Q(next_update__isnull=True)),
        ]

    def __str__(self) -> str:
        return self.serial
