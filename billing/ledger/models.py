"""The append-only ledger of billable events with a copy of their prices, and the month-end counts."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from billing.ledger.domain import line_kinds
from billing.ledger.domain.grouping import Place
from billing.prices.models import PriceItem

GROUPING_KEY_LENGTH = 200


def _offices_by_kind() -> Q:
    """Returns the condition that an entry has an office exactly if lines of its kind are separated by office."""
    condition = Q()
    for kind in line_kinds.declared():
        condition &= ~Q(kind=kind.code) | Q(office_id__isnull=Place.OFFICE not in kind.group_by)
    return condition


class BillableEvent(models.Model):
    """An event that can be invoiced once; `source_key` is unique and identifies the event.

    `kind` is the code of a kind of `billing.ledger.domain.line_kinds`. `priced_on` is the day in Stockholm whose price applies.
    `period` is the first day of the month in Stockholm in which the event occurred. `reason` says why a piece was made again.
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
    reason = models.CharField(max_length=500, blank=True, default="", db_default="")

    class Meta:
        abstract = True


class LedgerEntry(BillableEvent):
    """A billable event with a copy of its price. Append-only: a later change of the price list does not affect it.

    Entries of one customer with the same `grouping_key` make one invoice line (`LineKind.grouping_key`).

    An entry with a wrong price that is not invoiced is corrected by two more: a reversal of the same kind and price with the
    negative quantity, and an adjustment with the right price. Neither the wrong entry nor its reversal gets on a line
    (`billable`). The database checks a reversal against its entry, allows one of each, and refuses one for an entry on a line.
    """

    price_item = models.ForeignKey(PriceItem, on_delete=models.PROTECT, related_name="entries")
    reverses = models.ForeignKey("self", on_delete=models.PROTECT, null=True, related_name="reversals", db_index=False)
    adjusts = models.ForeignKey("self", on_delete=models.PROTECT, null=True, related_name="adjustments", db_index=False)
    unit_price = models.DecimalField(max_digits=12, decimal_places=4)
    vat_rate = models.DecimalField(max_digits=5, decimal_places=2)
    grouping_key = models.CharField(max_length=GROUPING_KEY_LENGTH)

    class Meta:
        indexes = [
            models.Index(fields=["party_id", "period"], name="billing_ledger_party"),
            models.Index(fields=["period", "kind"], name="billing_ledger_period"),
        ]
        constraints = [
            models.CheckConstraint(
                name="billing_ledger_quantity",
                condition=Q(reverses=None, quantity__gt=0) | Q(reverses__isnull=False, adjusts=None, quantity__lt=0),
            ),
            models.CheckConstraint(name="billing_ledger_reason", condition=Q(reverses=None, adjusts=None) | ~Q(reason="")),
            models.CheckConstraint(
                name="billing_ledger_free", condition=~Q(kind__in=line_kinds.free()) | Q(unit_price=0) & ~Q(reason="")
            ),
            models.UniqueConstraint(
                name="billing_ledger_reversed_once", fields=["reverses"], condition=Q(reverses__isnull=False)
            ),
            models.UniqueConstraint(name="billing_ledger_adjusted_once", fields=["adjusts"], condition=Q(adjusts__isnull=False)),
            models.CheckConstraint(name="billing_ledger_office_by_kind", condition=_offices_by_kind()),
            models.CheckConstraint(name="billing_ledger_grouping_key", condition=~Q(grouping_key="")),
        ]


def billable() -> models.QuerySet[LedgerEntry]:
    """Returns the entries that belong on an invoice line: neither reversed nor a reversal."""
    return LedgerEntry.objects.filter(reverses=None, reversals=None)


class UnpricedFact(BillableEvent):
    """A billable event without a price. It blocks its customer's invoice, and moves to the ledger once it has a price."""

    class Meta:
        indexes = [models.Index(fields=["party_id", "period"], name="billing_unpriced_party")]


class FeedPosition(models.Model):
    """The position in a feed up to which facts were pulled. Its row lock admits one writer of the ledger at a time."""

    feed = models.CharField(max_length=40, primary_key=True)
    xid = models.BigIntegerField(default=0)
    event_id = models.BigIntegerField(default=0)


class SubscriptionSnapshot(models.Model):
    """The number of persons of an organisation with a valid e-legitimation at the end of the month. Taken once, append-only.

    `sha256` covers the row's canonical JSON, so reconciliation detects a later change. `rule_version` names the counting rule.
    `evidence_sha256` is the hash of the counted eIDs (`SubscriptionEvidence`); empty if none were kept.
    """

    period = models.DateField()
    party_id = models.UUIDField()
    organisation_id = models.UUIDField()
    organisation_name = models.CharField(max_length=200)
    direct = models.BooleanField()
    persons = models.PositiveIntegerField()
    rule_version = models.CharField(max_length=40)
    taken_at = models.DateTimeField()
    evidence_sha256 = models.CharField(max_length=64, default="", db_default="")
    sha256 = models.CharField(max_length=64)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["period", "organisation_id"], name="billing_snapshot_once"),
        ]


class SubscriptionEvidence(models.Model):
    """The eIDs behind a snapshot, one for each counted person: ids without names, ascending. Append-only.

    One row for each snapshot, since a month counts half a million persons and a list of them is only read as a whole.
    """

    snapshot = models.OneToOneField(SubscriptionSnapshot, on_delete=models.PROTECT, primary_key=True, related_name="evidence")
    eids = ArrayField(models.UUIDField())
