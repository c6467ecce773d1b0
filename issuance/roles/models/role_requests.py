"""Requests for global roles, each decided by a second administrator (ADR 0296)."""

from django.db import models
from django.db.models import F, Q

from issuance.authz.roles import GLOBAL_ROLES
from issuance.people.models.persons import Person
from issuance.roles.models.grants import RoleGrant
from siths_portal.lib.ids import new_id


class RoleRequestState(models.TextChoices):
    """The state of a request. Every state but OPEN is final."""

    OPEN = "open"
    APPROVED = "approved"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"


class RoleRequest(models.Model):
    """A global role that one administrator requests for a person and another decides (`decided_by_ref`).

    `first_day` and `last_day` are days in Stockholm; None means from the approval, or without an end. `grant` is the role that
    the approval gave. The database refuses changes of decided requests, and decisions by the requester or the person.
    """

    id = models.UUIDField(primary_key=True, default=new_id)
    person = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="role_requests")
    role = models.CharField(max_length=30)
    protected_persons = models.BooleanField(default=False)
    first_day = models.DateField(null=True)
    last_day = models.DateField(null=True)
    reason = models.CharField(max_length=500)
    requester_ref = models.CharField(max_length=200)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    state = models.CharField(max_length=10, choices=RoleRequestState.choices, default=RoleRequestState.OPEN)
    closed_at = models.DateTimeField(null=True)
    decided_by_ref = models.CharField(max_length=200, default="")
    decision_reason = models.CharField(max_length=500, default="")
    grant = models.OneToOneField(RoleGrant, null=True, on_delete=models.PROTECT, related_name="request")

    class Meta:
        indexes = [models.Index(fields=["state", "-created_at", "-id"], name="issuance_role_request_listing")]
        constraints = [
            models.CheckConstraint(
                condition=Q(role__in=sorted(role.value for role in GLOBAL_ROLES)), name="issuance_role_request_role"
            ),
            models.CheckConstraint(condition=Q(state__in=RoleRequestState.values), name="issuance_role_request_state"),
            models.CheckConstraint(condition=~Q(decided_by_ref=F("requester_ref")), name="issuance_role_request_second_person"),
            models.CheckConstraint(
                condition=Q(state=RoleRequestState.APPROVED, grant__isnull=False)
                | (~Q(state=RoleRequestState.APPROVED) & Q(grant=None)),
                name="issuance_role_request_grant",
            ),
            models.UniqueConstraint(
                fields=["person", "role"], condition=Q(state=RoleRequestState.OPEN), name="issuance_role_request_once"
            ),
        ]
