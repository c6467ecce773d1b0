"""A month's run, its items, one for each customer, and what two people approve."""

from dataclasses import dataclass

from django.db import models
from django.db.models import Q

from siths_portal.lib.ids import new_id


class RunState(models.TextChoices):
    """The states of a run. Drafting and issuing are transactions and not states, so a crash cannot leave a wrong state.

    One person releases the drafts of a run, another approves them. A draft that changes takes the run back to review.
    """

    OPEN = "open", "Öppnad"
    REVIEW = "review", "Granskas"
    RELEASED = "released", "Släppt"
    APPROVED = "approved", "Godkänd"
    ISSUED = "issued", "Utfärdad"


class InvoiceRun(models.Model):
    """The one run of a month. `program_version` belongs to the processing history (BFNAR 2013:2 chapter 9).

    `snapshot_at` is when the subscriptions were counted; without it the run is only asked for.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    period = models.DateField(unique=True)
    state = models.CharField(max_length=10, choices=RunState, default=RunState.OPEN)
    opened_at = models.DateTimeField()
    snapshot_at = models.DateTimeField(null=True)
    program_version = models.CharField(max_length=40)


class ItemState(models.TextChoices):
    """The state of one customer in a run."""

    PENDING = "pending", "Väntar"
    DRAFTED = "drafted", "Utkast"
    EMPTY = "empty", "Inget att fakturera"
    BLOCKED = "blocked", "Stoppad"
    ISSUED = "issued", "Utfärdad"


@dataclass(frozen=True)
class Reason:
    """Why a customer is blocked: a Swedish sentence, and the id of a rule for documents or a code of ours."""

    rule: str
    text: str

    @property
    def official(self) -> str:
        """The id of a rule for documents, which begins with a capital letter; "" for our other codes."""
        return self.rule if self.rule[:1].isupper() else ""

    @property
    def with_id(self) -> str:
        """The sentence, with the id of the rule in parentheses, as commands and files show it."""
        return f"{self.text.removesuffix('.')} ({self.official})." if self.official else self.text


class RunItem(models.Model):
    """One customer of a run. The draft includes ledger entries with an id up to `cutoff`.

    `reasons` holds pairs of rule and Swedish sentence that say why the item is blocked. `tried_at` is when a worker last settled
    the item; the scheduled job compares it with changes that may repair a blocked customer.
    """

    run = models.ForeignKey(InvoiceRun, on_delete=models.PROTECT, related_name="items")
    party_id = models.UUIDField()
    state = models.CharField(max_length=10, choices=ItemState, default=ItemState.PENDING)
    cutoff = models.BigIntegerField()
    reasons = models.JSONField(default=list)
    tried_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "party_id"], name="billing_item_once")]
        indexes = [models.Index(fields=["run", "state"], name="billing_item_state")]

    @property
    def why(self) -> tuple[Reason, ...]:
        """Why the item is blocked; empty if it is not."""
        return tuple(Reason(rule, text) for rule, text in self.reasons)


class RunApproval(models.Model):
    """The release of a run's drafts by one person, and their approval by another.

    `sha256` covers the id and content of each draft and the blocked customers, as the two people reviewed them. If a draft or a
    blocked customer changes, the row no longer counts. The database allows one change, the approval, and only by another person.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    run = models.ForeignKey(InvoiceRun, on_delete=models.PROTECT, related_name="approvals")
    sha256 = models.CharField(max_length=64)
    invoices = models.PositiveIntegerField()
    net = models.DecimalField(max_digits=14, decimal_places=2)
    blocked = models.PositiveIntegerField()
    released_by = models.CharField(max_length=200)
    released_at = models.DateTimeField()
    approved_by = models.CharField(max_length=200, null=True)
    approved_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["run", "sha256"], name="billing_approval_once"),
            models.CheckConstraint(name="billing_approval_of_drafts", condition=Q(invoices__gt=0)),
            models.CheckConstraint(
                name="billing_approval_by_two",
                condition=Q(approved_by=None, approved_at=None)
                | Q(approved_by__isnull=False, approved_at__isnull=False) & ~Q(approved_by=models.F("released_by")),
            ),
        ]


class RunCheck(models.Model):
    """The thirteen differences of a run (rules/billing 4.1), computed when `sha256` was the hash of what there was to approve.

    The table is append-only. `differences` holds objects with number, title, value (a decimal as text) and named.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    run = models.ForeignKey(InvoiceRun, on_delete=models.PROTECT, related_name="checks")
    sha256 = models.CharField(max_length=64)
    made_at = models.DateTimeField()
    differences = models.JSONField()
