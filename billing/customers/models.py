"""Customers in versions: a change closes one row and opens the next, so the customer row of an issued invoice never changes."""

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import DateTimeRangeField, RangeBoundary, RangeOperators
from django.db import models
from django.db.models import F, Func, Q

from siths_portal.lib.ids import new_id


class CustomerState(models.TextChoices):
    """Billing is activated when the customer's attestant has approved the service (state `active`)."""

    PENDING = "pending", "Väntar på attest"
    ACTIVE = "active", "Aktiv"
    ENDED = "ended", "Avslutad"


class BillingCustomer(models.Model):
    """One version of a directly connected organisation as customer, valid from `valid_from` up to, not including, `valid_until`.

    The database allows only one change of a version, setting `valid_until`, and refuses overlapping versions of a party.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    party_id = models.UUIDField()
    valid_from = models.DateTimeField()
    valid_until = models.DateTimeField(null=True)
    state = models.CharField(max_length=10, choices=CustomerState, default=CustomerState.ACTIVE)
    name = models.CharField(max_length=200)
    organisation_number = models.CharField(max_length=10)
    endpoint_scheme = models.CharField(max_length=4, default="0007")
    endpoint_id = models.CharField(max_length=50)
    street = models.CharField(max_length=200, blank=True)
    postal_code = models.CharField(max_length=10)
    city = models.CharField(max_length=100)
    country = models.CharField(max_length=2, default="SE")
    buyer_reference = models.CharField(max_length=100, blank=True)
    order_number = models.CharField(max_length=100, blank=True)
    contract = models.CharField(max_length=100, blank=True)
    invoiced_object = models.CharField(max_length=100, blank=True)
    payment_terms_days = models.PositiveSmallIntegerField(default=30)
    round_to_krona = models.BooleanField(default=False)

    class Meta:
        constraints = [
            ExclusionConstraint(
                name="billing_customer_one_version",
                expressions=[
                    ("party_id", RangeOperators.EQUAL),
                    (
                        Func(
                            F("valid_from"),
                            F("valid_until"),
                            RangeBoundary(),
                            function="TSTZRANGE",
                            output_field=DateTimeRangeField(),
                        ),
                        RangeOperators.OVERLAPS,
                    ),
                ],
            ),
            models.CheckConstraint(
                name="billing_customer_span", condition=Q(valid_until=None) | Q(valid_until__gt=F("valid_from"))
            ),
        ]
