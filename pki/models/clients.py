"""Permissions and orders of machine clients. A `client_ref` is opaque text here; other applications know the client."""

from django.contrib.postgres.fields import ArrayField
from django.db import models

from pki.models.certificates import Certificate


class ClientPermission(models.Model):
    """What one client may do with the certificates of one CA (by slug: all its generations) and one profile.

    `may_issue` lets the client also read what it ordered itself, `may_read` all certificates. A row has at least one right.
    `names` are the names that it may order certificates for (`pki.domain.client_names`); ANY_NAME among them also allows it to
    revoke certificates that others ordered.
    """

    client_ref = models.CharField(max_length=63)
    ca = models.CharField(max_length=40)
    profile = models.CharField(max_length=40)
    may_issue = models.BooleanField(default=False)
    may_revoke = models.BooleanField(default=False)
    may_read = models.BooleanField(default=False)
    names = ArrayField(models.CharField(max_length=253), default=list)
    changed_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["client_ref", "ca", "profile"], name="pki_client_permission"),
            models.CheckConstraint(
                condition=models.Q(may_issue=True) | models.Q(may_revoke=True) | models.Q(may_read=True),
                name="pki_client_permission_some",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.client_ref}: {self.ca} {self.profile}"


class ClientOrder(models.Model):
    """The certificate that a client's Idempotency-Key ordered; append-only, written in the transaction that reserves the serial.

    So a repeated request finds the certificate, whichever process died in between (rules/pki 3.4). `request_sha256` tells whether
    the request is the same.
    """

    client_ref = models.CharField(max_length=63)
    key = models.CharField(max_length=255)
    request_sha256 = models.CharField(max_length=64)
    certificate = models.OneToOneField(Certificate, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["client_ref", "key"], name="pki_client_order_key")]

    def __str__(self) -> str:
        return str(self.certificate_id)
