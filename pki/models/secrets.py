"""Secrets that the token protects, and their deliveries."""

from django.db import models

from pki.models.choices import DeliveryState, SealVersion, SecretState
from siths_portal.lib.ids import new_id


class Secret(models.Model):
    """A secret that the token protects (a card's PUK): the JWE as received, then the blob sealed under the KEK.

    `owner_ref` is the caller's; `expected_header` is compared with the JWE's protected header before sealing. `card_key_spki` is
    the key whose proof opens it; `seal_version` tells what the seal binds (`sealing.associated_data`). `attempts` counts how
    often the token failed on it.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    owner_ref = models.CharField(max_length=80, db_index=True)
    state = models.CharField(max_length=10, choices=SecretState.choices, default=SecretState.RECEIVED)
    expected_header = models.JSONField(default=dict)
    card_key_spki = models.BinaryField(default=bytes)
    jwe = models.TextField(null=True)  # null after it was erased
    sealed = models.BinaryField(null=True)
    kek_id = models.CharField(max_length=40, default="")
    seal_version = models.PositiveSmallIntegerField(default=SealVersion.CARD_KEY, choices=SealVersion.choices)
    failure = models.CharField(max_length=80, default="")
    attempts = models.PositiveSmallIntegerField(default=0)
    created_at = models.DateTimeField()
    sealed_at = models.DateTimeField(null=True)
    destroyed_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["created_at"], name="pki_secret_received", condition=models.Q(state="received")),
            models.Index(fields=["kek_id", "id"], name="pki_secret_sealed", condition=models.Q(state="sealed")),
            models.Index(fields=["id"], name="pki_secret_row_sealed", condition=models.Q(state="sealed", seal_version=1)),
        ]


class SecretDelivery(models.Model):
    """A delivery of a step token, and of the sealed secret if the proof's `kind` requires it, to one recipient as a JWE. A
    delivery of kind `letter` has the secret only, for a PUK letter.

    `secret` identifies the card; `proof_message` and `proof_signature` are what its card key signed, and are erased once the
    worker has read them. Only the worker sets `proof_verified_at`: the card's own key signed for this `recipient_jwk` and `kind`.
    For `activate` and `unlock` the key is also the one that the seal binds. `header` goes into the JWE's protected header. Only
    hashes of handle and step token are kept. `actor_ref` requested the delivery, and `purpose` says why (S24).

    For `letter`, `header` names order and item, `handle_sha256` is their hash, and there is no proof: the worker verifies the
    order and enters `recipient_jwk`, the key of the recipient's certificate.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    secret = models.ForeignKey(Secret, null=True, on_delete=models.PROTECT, related_name="deliveries")
    owner_ref = models.CharField(max_length=80, db_index=True)
    actor_ref = models.CharField(max_length=200)
    purpose = models.CharField(max_length=40)
    state = models.CharField(max_length=10, choices=DeliveryState.choices, default=DeliveryState.REQUESTED)
    kind = models.CharField(max_length=10, default="")
    handle_sha256 = models.CharField(max_length=64, default="")
    proof_message = models.BinaryField(default=bytes)
    proof_signature = models.BinaryField(default=bytes)
    proof_verified_at = models.DateTimeField(null=True)
    recipient_jwk = models.JSONField()
    header = models.JSONField()
    jwe = models.TextField(null=True)  # null until it is made, and after it was erased
    token_sha256 = models.CharField(max_length=64, default="")
    failure = models.CharField(max_length=80, default="")
    attempts = models.PositiveSmallIntegerField(default=0)
    claimed_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField()
    ready_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(state__in=DeliveryState.values), name="pki_delivery_state"),
            models.UniqueConstraint(
                fields=["handle_sha256"], name="pki_delivery_proof_once", condition=models.Q(proof_verified_at__isnull=False)
            ),
        ]
        indexes = [
            models.Index(fields=["created_at"], name="pki_delivery_requested", condition=models.Q(state="requested")),
            models.Index(fields=["secret", "created_at"], name="pki_delivery_secret", condition=models.Q(secret__isnull=False)),
        ]
