"""Comparisons of issued certificates on cards with orders and receipts."""

from django.db import models

from siths_portal.lib.ids import new_id


class CardReconciliation(models.Model):
    """One comparison of all issued certificates on cards, in the order of their ids, which may take several turns.

    `position` is the last certificate that was compared. `found` counts certificates without an order or receipt, and `examples`
    has the first of them: {"certificate", "reason"}.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    position = models.UUIDField(null=True)
    compared = models.BigIntegerField(default=0)
    found = models.BigIntegerField(default=0)
    examples = models.JSONField(default=list)

    class Meta:
        indexes = [models.Index(fields=["-started_at"], name="pki_reconciliation_newest")]
