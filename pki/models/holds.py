"""Requests to end a certificate's hold."""

from django.db import models

from pki.models.certificates import Certificate
from pki.models.secrets import SecretDelivery


class HoldRelease(models.Model):
    """Append-only request to end the hold of a certificate, because the holder has chosen the code of its card.

    `delivery` had the card's proof in that transaction, and `actor_ref` requested it. Only the `pki` worker ends a hold, and only
    for a proof that it verified (`pki.revocation.releasing`). The outcome is `Certificate.held`.
    """

    certificate = models.ForeignKey(Certificate, on_delete=models.PROTECT, related_name="hold_releases", db_index=False)
    delivery = models.ForeignKey(SecretDelivery, on_delete=models.PROTECT, related_name="+", db_index=False)
    requested_at = models.DateTimeField()
    actor_ref = models.CharField(max_length=200)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["certificate", "delivery"], name="pki_hold_release_once")]
        indexes = [models.Index(fields=["requested_at"], name="pki_hold_release_requested")]
