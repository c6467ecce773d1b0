"""A month's run and its items, one for each customer."""

from django.db import models

from siths_portal.lib.ids import new_id


class RunState(models.TextChoices):
    """The states of a run. Drafting and issuing are transactions and not states, so a crash cannot leave a wrong state."""

    OPEN = "open", "Öppnad"
    REVIEW = "review", "Granskas"
    ISSUED = "issued", "Utfärdad"


class InvoiceRun(models.Model):
    """The one run of a month. `program_version` belongs to the processing history (BFNAR 2013:2 chapter 9)."""

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


class RunItem(models.Model):
    """One customer of a run. The draft includes ledger entries with an id up to `cutoff`.

    `reasons` holds pairs of rule and Swedish sentence that say why the item is blocked.
    """

    run = models.ForeignKey(InvoiceRun, on_delete=models.PROTECT, related_name="items")
    party_id = models.UUIDField()
    state = models.CharField(max_length=10, choices=ItemState, default=ItemState.PENDING)
    cutoff = models.BigIntegerField()
    reasons = models.JSONField(default=list)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "party_id"], name="billing_item_once")]
        indexes = [models.Index(fields=["run", "state"], name="billing_item_state")]
