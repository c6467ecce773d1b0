"""Regional additions to receipts (rules/issuance 7.3)."""

from django.db import models

from issuance.organisations.models import Organisation


class ReceiptText(models.Model):
    """A version of an organisation's addition to receipts (regionalt tillägg). The newest version applies.

    A version with `from_above` has no text, and the nearest text above applies.
    """

    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="receipt_texts")
    version = models.PositiveIntegerField()
    regional_addition = models.TextField()
    from_above = models.BooleanField(default=False, db_default=False)
    created_at = models.DateTimeField()
    created_by_ref = models.CharField(max_length=200)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["organisation", "version"], name="issuance_receipt_text_version")]
