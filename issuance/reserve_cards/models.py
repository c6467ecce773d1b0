"""Reserve cards handed out to persons: the hand-out, with the officers who made and approved it (rules/issuance 5.7)."""

from collections.abc import Mapping
from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from issuance.activation.domain.identity_documents import FULL
from issuance.activation.models import Identification, Statement
from issuance.authz.scope import ScopedManager, ScopeRule
from issuance.carriers.models import Carrier, Eid
from issuance.people.models.persons import Person, Post
from issuance.records.models.stateful import Stateful
from issuance.reserve_cards.domain import OPEN, TRANSITIONS, IssueAction, IssueState
from siths_portal.lib.ids import new_id


class ReserveCardIssue(Stateful):
    """The hand-out of a reserve card to a person, for one assignment and until `valid_to` (exclusive).

    On level 2 it is bound at once. On level 3 the first officer identifies the person by `identity_document` and signs, then it
    waits until `waiting_until` for a second one; the two statements are what they signed. `eid` is set when the card is bound.
    The card of an open hand-out is still in stock, and no other hand-out can be opened for it. `identification` is how the
    holder was identified when the card was bound: by the second officer on level 3, by the officer on level 2 unless that waits
    for the activation. With it the holder activates the card without a visit.
    """

    subject = "reserve_issue"
    swedish = "Utlämningen"
    states = IssueState

    id = models.UUIDField(primary_key=True, default=new_id)
    carrier = models.ForeignKey(Carrier, on_delete=models.PROTECT, related_name="reserve_issues")
    person = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="reserve_issues")
    post = models.ForeignKey(Post, on_delete=models.PROTECT, related_name="reserve_issues")
    eid = models.OneToOneField(Eid, null=True, on_delete=models.PROTECT, related_name="reserve_issue")
    assurance_level = models.PositiveSmallIntegerField()
    valid_to = models.DateTimeField()
    officer_ref = models.CharField(max_length=200)
    identity_document = models.CharField(max_length=20, default="")
    first_statement = models.OneToOneField(Statement, null=True, on_delete=models.PROTECT, related_name="+")
    approver_ref = models.CharField(max_length=200, default="")
    approver_document = models.CharField(max_length=20, default="")
    second_statement = models.OneToOneField(Statement, null=True, on_delete=models.PROTECT, related_name="+")
    identification = models.OneToOneField(Identification, null=True, on_delete=models.PROTECT, related_name="reserve_issue")
    rejection = models.CharField(max_length=300, default="")
    created_at = models.DateTimeField()
    waiting_since = models.DateTimeField(null=True)
    waiting_until = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    objects: ClassVar[ScopedManager["ReserveCardIssue"]] = ScopedManager()
    scope = ScopeRule(path="post__organisation__scope_path", protected="person__is_protected", person="person_id")

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(state__in=[s.value for s in IssueState]), name="issuance_reserve_issue_state"),
            models.CheckConstraint(
                condition=Q(assurance_level=2) | Q(assurance_level=3, identity_document__in=FULL),
                name="issuance_reserve_issue_identified",
            ),
            models.CheckConstraint(
                condition=~Q(state=IssueState.BOUND.value) | Q(eid__isnull=False), name="issuance_reserve_issue_bound"
            ),
            models.CheckConstraint(
                condition=~Q(state=IssueState.BOUND.value, assurance_level=3)
                | Q(
                    first_statement__isnull=False,
                    second_statement__isnull=False,
                    approver_document__in=FULL,
                ),
                name="issuance_reserve_issue_two_signed",
            ),
            models.CheckConstraint(
                condition=Q(approver_ref="") | ~Q(approver_ref=F("officer_ref")), name="issuance_reserve_issue_two_officers"
            ),
            models.UniqueConstraint(
                fields=["carrier"], condition=Q(state__in=[s.value for s in OPEN]), name="issuance_one_open_reserve_issue"
            ),
        ]
        indexes = [
            models.Index(
                fields=["waiting_until", "id"],
                condition=Q(state__in=[s.value for s in OPEN]),
                name="issuance_reserve_issue_open",
            ),
            # For what an officer handed out today.
            models.Index(fields=["officer_ref", "created_at"], name="issuance_reserve_issue_officer"),
        ]

    @property
    def transitions(self) -> Mapping[tuple[IssueState, IssueAction], IssueState]:
        """The transitions, the same for every hand-out."""
        return TRANSITIONS
