"""What can be invoiced: the price list, and the append-only ledger of billable events with their prices copied in."""

from uuid import UUID

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import DateRangeField, RangeBoundary, RangeOperators
from django.db import models
from django.db.models import F, Func, Q, Value
from django.db.models.functions import Coalesce

from billing.domain import line_kinds
from billing.domain.grouping import Place

GROSS_LIST = UUID(int=0)
GROUPING_KEY_LENGTH = 200


class PriceItem(models.Model):
    """The price of an article from `valid_from` up to, not including, `valid_until`: SEK without VAT, four decimals.

    `party_id` is the customer who agreed to it; null is the gross list, which holds where nothing else is agreed. The database
    lets nothing change but `valid_until`, once, and not past a day on which the price was used.
    """

    article_code = models.CharField(max_length=20)
    party_id = models.UUIDField(null=True)
    unit_price = models.DecimalField(max_digits=12, decimal_places=4)
    vat_rate = models.DecimalField(max_digits=5, decimal_places=2)
    valid_from = models.DateField()
    valid_until = models.DateField(null=True)

    class Meta:
        constraints = [
            ExclusionConstraint(
                name="billing_price_one_at_a_time",
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


def _offices_by_kind() -> Q:
    """Returns the condition that an entry has an office exactly if lines of its kind are separated by office."""
    condition = Q()
    for kind in line_kinds.declared():
        condition &= ~Q(kind=kind.code) | Q(office_id__isnull=Place.OFFICE not in kind.group_by)
    return condition


class BillableEvent(models.Model):
    """What happened and can be invoiced, once: `source_key` names the happening and is unique.

    `kind` is the code of a kind of `billing.domain.line_kinds`.
    `priced_on` is the day in Stockholm whose price applies, `period` the first day of the month in Stockholm it happened in.
    """

    source_key = models.CharField(max_length=100, unique=True)
    kind = models.CharField(max_length=20)
    party_id = models.UUIDField()
    organisation_id = models.UUIDField()
    office_id = models.UUIDField(null=True)
    article_code = models.CharField(max_length=20)
    quantity = models.DecimalField(max_digits=12, decimal_places=2)
    priced_on = models.DateField()
    occurred_at = models.DateTimeField()
    period = models.DateField()
    recorded_at = models.DateTimeField()

    class Meta:
        abstract = True


class LedgerEntry(BillableEvent):
    """A billable event with its price copied in. Append-only: a later change of the price list cannot reach it.

    Entries of one customer with the same `grouping_key` make one invoice line (`LineKind.grouping_key`).
    """

    price_item = models.ForeignKey(PriceItem, on_delete=models.PROTECT, related_name="entries")
    unit_price = models.DecimalField(max_digits=12, decimal_places=4)
    vat_rate = models.DecimalField(max_digits=5, decimal_places=2)
    grouping_key = models.CharField(max_length=GROUPING_KEY_LENGTH)

    class Meta:
        indexes = [
            models.Index(fields=["party_id", "period"], name="billing_ledger_party"),
            models.Index(fields=["period", "kind"], name="billing_ledger_period"),
        ]
        constraints = [
            models.CheckConstraint(name="billing_ledger_quantity", condition=Q(quantity__gt=0)),
            models.CheckConstraint(name="billing_ledger_office_by_kind", condition=_offices_by_kind()),
            models.CheckConstraint(name="billing_ledger_grouping_key", condition=~Q(grouping_key="")),
        ]


class UnpricedFact(BillableEvent):
    """A billable event that found no price. It waits here, blocks its customer's invoice, and moves to the ledger when priced."""

    class Meta:
        indexes = [models.Index(fields=["party_id", "period"], name="billing_unpriced_party")]


class FeedPosition(models.Model):
    """How far the pull from a feed has come; its row is the lock that lets one puller in at a time."""

    feed = models.CharField(max_length=40, primary_key=True)
    xid = models.BigIntegerField(default=0)
    event_id = models.BigIntegerField(default=0)


class SubscriptionSnapshot(models.Model):
    """How many persons of an organisation had a valid e-legitimation at the end of the month. Taken once, append-only.

    `sha256` is over the row's canonical JSON, so that a later change shows; `rule_version` names the rule of counting.
    """

    period = models.DateField()
    party_id = models.UUIDField()
    organisation_id = models.UUIDField()
    organisation_name = models.CharField(max_length=200)
    direct = models.BooleanField()
    persons = models.PositiveIntegerField()
    rule_version = models.CharField(max_length=40)
    taken_at = models.DateTimeField()
    sha256 = models.CharField(max_length=64)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["period", "organisation_id"], name="billing_snapshot_once"),
        ]
