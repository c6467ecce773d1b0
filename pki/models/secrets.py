"""Secrets in the token's keeping, and their ways out."""

from django.db import models

from pki.choices import DeliveryState, SecretState
from siths_portal.lib.ids import new_id


class Secret(models.Model):
    """A secret in the token's keeping (a card's PUK): the JWE as received, then the blob sealed under the KEK.

    `owner_ref` is the caller's; `expected_header` is compared with the JWE's protected header before sealing. `attempts` counts
    how often the token failed at it.
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
        indexes = [
            models.Index(fields=["created_at"], name="pki_secret_received", condition=models.Q(state="received")),
            models.Index(fields=["kek_id", "id"], name="pki_secret_sealed", condition=models.Q(state="sealed")),
        ]


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
