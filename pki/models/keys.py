"""The inventory of keys in tokens."""

from django.db import models

from pki.choices import KeyPurpose


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
