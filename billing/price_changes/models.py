"""Requests for other prices, which a second finance administrator decides, and files of prices to import."""

from django.db import models
from django.db.models import Q

from billing.records.models import TwoPersonRequest
from siths_portal.lib.imports.models import KeptImport, constraints, indexes

LONGEST_REASON = 500


class PriceChange(TwoPersonRequest):
    """A request for a price of an article from a day on, in the gross list or, with a party, agreed with that customer.

    Without `unit_price` it ends the agreed price, and the gross list applies. A request for a past day also corrects entries of
    the ledger that are not invoiced; it has a reason.
    """

    article_code = models.CharField(max_length=20)
    party_id = models.UUIDField(null=True)
    unit_price = models.DecimalField(max_digits=12, decimal_places=4, null=True)
    vat_rate = models.DecimalField(max_digits=5, decimal_places=2)
    valid_from = models.DateField()
    reason = models.CharField(max_length=LONGEST_REASON, blank=True)

    class Meta:
        constraints = [
            *TwoPersonRequest.constraints("billing_price_change"),
            models.CheckConstraint(
                name="billing_price_change_value",
                condition=Q(unit_price__gte=0, vat_rate__gte=0) | Q(unit_price=None, party_id__isnull=False),
            ),
            models.UniqueConstraint(
                name="billing_price_change_one_open",
                fields=["article_code", "party_id"],
                condition=Q(decided_at=None),
                nulls_distinct=False,
            ),
        ]


class PriceImport(KeptImport):
    """A file of prices that a user uploaded. `made` has the number of requests."""

    class Meta:
        constraints = constraints("billing_price_import")
        indexes = indexes("billing_price_import")
