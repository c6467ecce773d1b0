"""The price list: the price of an article from a day on, for one customer or for all."""

from uuid import UUID

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import DateRangeField, RangeBoundary, RangeOperators
from django.db import models
from django.db.models import F, Func, Q, Value
from django.db.models.functions import Coalesce

GROSS_LIST = UUID(int=0)


class PriceItem(models.Model):
    """The price of an article from `valid_from` up to, not including, `valid_until`: SEK without VAT, four decimals.

    `party_id` is the customer with an agreed price; null is the gross list, for customers without one. `terms` are those of the
    subscription (`domain.terms`). The database allows two changes, each once: setting `valid_until`, only to a day after every
    use of the price, and `withdrawn_at`, when other prices replace a wrong one. A withdrawn price stays for its entries.
    """

    article_code = models.CharField(max_length=20)
    party_id = models.UUIDField(null=True)
    unit_price = models.DecimalField(max_digits=12, decimal_places=4)
    vat_rate = models.DecimalField(max_digits=5, decimal_places=2)
    valid_from = models.DateField()
    valid_until = models.DateField(null=True)
    terms = models.JSONField(null=True)
    withdrawn_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            ExclusionConstraint(
                name="billing_price_one_at_a_time",
                condition=Q(withdrawn_at=None),
                expressions=[
                    ("article_code", RangeOperators.EQUAL),
                    (Coalesce("party_id", Value(GROSS_LIST, output_field=models.UUIDField())), RangeOperators.EQUAL),
                    (
                        Func(
                            F("valid_from"),
                            F("valid_until"),
                            RangeBoundary(),
                            function="DATERANGE",
                            output_field=DateRangeField(),
                        ),
                        RangeOperators.OVERLAPS,
                    ),
                ],
            ),
            models.CheckConstraint(name="billing_price_span", condition=Q(valid_until=None) | Q(valid_until__gt=F("valid_from"))),
            models.CheckConstraint(name="billing_price_not_negative", condition=Q(unit_price__gte=0, vat_rate__gte=0)),
        ]
