"""Customers in versions: a change closes one row and opens the next, so the customer row of an issued invoice never changes."""

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import DateTimeRangeField, RangeBoundary, RangeOperators
from django.db import models
from django.db.models import F, Func, Q

from billing.customers.domain.patterns import LONGEST_PATTERN
from billing.records.models import TwoPersonRequest
from siths_portal.lib.ids import new_id
from siths_portal.lib.imports.models import KeptImport, constraints, indexes


class CustomerState(models.TextChoices):
    """Billing is activated when the customer's attestant has approved the service (state `active`)."""

    PENDING = "pending", "Väntar på attest"
    ACTIVE = "active", "Aktiv"
    ENDED = "ended", "Avslutad"


class BillingCustomer(models.Model):
    """One version of a directly connected organisation as customer, valid from `valid_from` up to, not including, `valid_until`.

    The database allows only one change of a version, setting `valid_until`, and refuses overlapping versions of a party.
    `attestant` approved the order of the service on `approved_on`. `notice_email` gets a notice when an invoice is issued.
    `reference_pattern` and `order_pattern` are the customer's own forms of its reference and order number (`domain.patterns`).
    `cost_centre` is the seller's, for the SIE file; no document has it.
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
    contact_name = models.CharField(max_length=200, blank=True, default="")
    contact_email = models.EmailField(blank=True, default="")
    contact_phone = models.CharField(max_length=40, blank=True, default="")
    notice_email = models.EmailField(blank=True, default="")
    attestant = models.CharField(max_length=200, blank=True, default="")
    approved_on = models.DateField(null=True)
    terms_accepted_on = models.DateField(null=True)
    reference_pattern = models.CharField(max_length=LONGEST_PATTERN, blank=True, default="")
    order_pattern = models.CharField(max_length=LONGEST_PATTERN, blank=True, default="")
    cost_centre = models.CharField(max_length=20, blank=True, default="", db_default="")

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

    @property
    def has_reference(self) -> bool:
        """Whether the customer has its own reference (BT-10) or order number (BT-13). Without one it is not invoiced."""
        return bool(self.buyer_reference or self.order_number)


class EndpointChange(TwoPersonRequest):
    """A request to send a customer's invoices to another electronic address (BT-49). A second person decides it.

    Until then invoices go to the address of the version in force.
    """

    party_id = models.UUIDField()
    endpoint_scheme = models.CharField(max_length=4)
    endpoint_id = models.CharField(max_length=50)

    class Meta:
        constraints = [
            *TwoPersonRequest.constraints("billing_endpoint"),
            models.UniqueConstraint(name="billing_endpoint_one_open", fields=["party_id"], condition=Q(decided_at=None)),
        ]


class CustomerConfirmation(models.Model):
    """The confirmation by somebody at the customer that the data of one version are right. Append-only."""

    customer = models.OneToOneField(BillingCustomer, on_delete=models.PROTECT, primary_key=True, related_name="confirmation")
    confirmed_by = models.CharField(max_length=200)
    confirmed_at = models.DateTimeField()


class CustomerImport(KeptImport):
    """A file of customers that a user uploaded. `made` has the numbers of new and changed customers."""

    class Meta:
        constraints = constraints("billing_customer_import")
        indexes = indexes("billing_customer_import")
