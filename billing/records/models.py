"""The application's event table with its seals, the documents table, and how long the database keeps what is booked."""

from django.db import models
from django.db.models import F, Q

from siths_portal.lib import events
from siths_portal.lib.audit import seals
from siths_portal.lib.database import documents
from siths_portal.lib.ids import new_id


class Event(events.AppendOnlyEvent):
    """An event of billing: a price or customer version, a run, a draft, an issued or rendered invoice."""

    class Meta(events.AppendOnlyEvent.Meta):
        pass


class EventSeal(seals.AuditSeal):
    """The seal of one event."""


class EventMacs(seals.AuditMacs):
    """MACs over the seals, made with a key of the token."""


class Document(documents.Document):
    """Bytes of an invoice: the UBL document and the PDF."""


class RetentionRule(models.Model):
    """The rule by which the database keeps what is booked: one row, or none for a financial year that is the calendar year.

    What is booked in a financial year is kept through 31 December of the calendar year in which it ended plus `kept_years`. The
    function `billing_retention_until` computes that day. The database refuses fewer than seven years, and to delete the row.
    """

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    year_ends_in = models.PositiveSmallIntegerField(default=12)
    kept_years = models.PositiveSmallIntegerField(default=7)

    class Meta:
        constraints = [
            models.CheckConstraint(name="billing_retention_one_rule", condition=Q(id=1)),
            models.CheckConstraint(name="billing_retention_month", condition=Q(year_ends_in__gte=1, year_ends_in__lte=12)),
            models.CheckConstraint(name="billing_retention_seven_years", condition=Q(kept_years__gte=7)),
        ]


class TwoPersonRequest(models.Model):
    """Base of the tables of requests that one person makes and another one approves; the requester may take it back.

    `approved` is null until the decision, and false for a request that was refused or taken back. The database allows only the
    decision, once, and refuses an approval by the requester.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    requested_by = models.CharField(max_length=200)
    requested_at = models.DateTimeField()
    decided_by = models.CharField(max_length=200, null=True)
    decided_at = models.DateTimeField(null=True)
    approved = models.BooleanField(null=True)

    class Meta:
        abstract = True

    @staticmethod
    def constraints(prefix: str) -> list[models.BaseConstraint]:
        """Returns the constraints of such a table, with names that begin with `prefix`."""
        undecided = Q(decided_by=None, decided_at=None, approved=None)
        decided = Q(decided_by__isnull=False, decided_at__isnull=False, approved__isnull=False)
        by_two = Q(approved=False) | ~Q(decided_by=F("requested_by"))
        return [models.CheckConstraint(name=f"{prefix}_by_two", condition=undecided | (decided & by_two))]
