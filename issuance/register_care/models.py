"""Rows of work, the nightly comparison that finds them, and reminders to holders (rules/issuance 7.11)."""

from collections.abc import Mapping
from typing import ClassVar

from django.db import models
from django.db.models import Q

from issuance.authz.scope import ScopedManager, ScopeRule
from issuance.carriers.models import Carrier
from issuance.notices.models import SETTLED, Mailed, MailState
from issuance.offices.models import Office
from issuance.orders.models.orders import CardOrder
from issuance.organisations.models import Organisation
from issuance.people.models.persons import Person
from issuance.records.models.stateful import Stateful
from issuance.register_care.domain.states import LONGEST_REASON, TRANSITIONS, WorkAction, WorkState
from siths_portal.lib.ids import new_id


class WorkItem(Stateful):
    """A row of a work list: something that is wrong, which `kind` (`domain.kinds`) and `subject_id` identify while it stands.

    `facts` says what is wrong, without personal data; the nightly comparison keeps it and `due`, the last day, up to date.
    `assignee_ref` is the responsible officer, empty if nobody is. `postponed_until` is set while the row is postponed. `reason`,
    `decided_by_ref` and `decided_at` are those of the last decision.
    """

    subject = "work_item"
    swedish = "Raden"
    states = WorkState

    id = models.UUIDField(primary_key=True, default=new_id)
    kind = models.CharField(max_length=30)
    subject_id = models.UUIDField()
    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="work_items")
    person = models.ForeignKey(Person, null=True, on_delete=models.PROTECT, related_name="work_items")
    carrier = models.ForeignKey(Carrier, null=True, on_delete=models.PROTECT, related_name="work_items")
    order = models.ForeignKey(CardOrder, null=True, on_delete=models.PROTECT, related_name="work_items")
    office = models.ForeignKey(Office, null=True, on_delete=models.PROTECT, related_name="work_items")
    due = models.DateField()
    facts = models.JSONField(default=dict)
    found_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    assignee_ref = models.CharField(max_length=200, default="")
    postponed_until = models.DateField(null=True)
    reason = models.CharField(max_length=LONGEST_REASON, default="")
    decided_by_ref = models.CharField(max_length=200, default="")
    decided_at = models.DateTimeField(null=True)

    objects: ClassVar[ScopedManager["WorkItem"]] = ScopedManager()
    scope = ScopeRule(path="organisation__scope_path", protected="person__is_protected", holder="person", person="person_id")

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(state__in=[s.value for s in WorkState]), name="issuance_work_state"),
            models.CheckConstraint(
                condition=Q(state=WorkState.POSTPONED.value) ^ Q(postponed_until=None), name="issuance_work_postponed"
            ),
            models.CheckConstraint(condition=Q(state=WorkState.GONE.value) ^ Q(ended_at=None), name="issuance_work_ended"),
            models.UniqueConstraint(
                fields=["kind", "subject_id"], condition=~Q(state=WorkState.GONE.value), name="issuance_work_once_per_cause"
            ),
        ]
        indexes = [
            # For a list in the order of its due days, of a narrow and of a wide scope.
            models.Index(
                fields=["organisation", "kind", "state", "due", "id"],
                condition=~Q(state=WorkState.GONE.value),
                name="issuance_work_page",
            ),
            models.Index(
                fields=["kind", "state", "due", "id"], condition=~Q(state=WorkState.GONE.value), name="issuance_work_all"
            ),
        ]

    @property
    def transitions(self) -> Mapping[tuple[WorkState, WorkAction], WorkState]:
        """The transitions of every row."""
        return TRANSITIONS


class CareRun(models.Model):
    """The comparison of one night: how far it came, and what it did.

    `position` is the last person who was read in the register, of `persons` in all. `kinds` are the codes of the kinds whose
    causes were found; a killed run goes on with the others. `refusals` counts how often the register did not answer;
    `register_whole` is True if everybody was read. `found`, `gone` and `changed` count rows that began, rows whose cause is gone,
    and people whom the register changed.
    """

    night = models.DateField(unique=True)
    begun_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    position = models.UUIDField(null=True)
    persons = models.PositiveIntegerField(default=0)
    read = models.PositiveIntegerField(default=0)
    refusals = models.PositiveIntegerField(default=0)
    register_ended = models.BooleanField(default=False)
    register_whole = models.BooleanField(default=False)
    kinds = models.JSONField(default=list)
    found = models.PositiveIntegerField(default=0)
    gone = models.PositiveIntegerField(default=0)
    changed = models.PositiveIntegerField(default=0)


class CardReminder(Mailed):
    """A reminder by e-mail of a card that is sent and not activated.

    `days` is the day after sending for which it is made, empty if an officer asked for it.
    """

    id = models.UUIDField(primary_key=True, default=new_id)
    carrier = models.ForeignKey(Carrier, on_delete=models.PROTECT, related_name="reminders")
    days = models.PositiveSmallIntegerField(null=True)
    requested_by_ref = models.CharField(max_length=200)
    requested_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["carrier", "days"], condition=Q(days__isnull=False), name="issuance_reminder_once_a_day"
            ),
            models.UniqueConstraint(
                fields=["carrier"], condition=Q(state=MailState.WAITING.value), name="issuance_reminder_one_waits"
            ),
            models.CheckConstraint(condition=SETTLED, name="issuance_reminder_settled"),
        ]
        indexes = [
            models.Index(fields=["next_at"], condition=Q(next_at__isnull=False), name="issuance_reminder_due"),
        ]
