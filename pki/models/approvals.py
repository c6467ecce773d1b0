"""Dual control: requests that need several persons' approval, and each person's decision (rules/pki 7.1)."""

from django.db import models

from pki.models.choices import ApprovalAction, ApprovalState, Decision
from siths_portal.lib.ids import new_id


class ApprovalRequest(models.Model):
    """An act of the PKI that one person alone may not carry out.

    `document` describes exactly the act, and `document_sha256` is the hash of its canonical JSON: approvals refer to that hash,
    and `pki.approvals.dual_control.use` refuses another document. `required` counts distinct approvers other than the requester.
    An approved request is used once. `*_ref` are the caller's opaque references to persons.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    action = models.CharField(max_length=20, choices=ApprovalAction.choices)
    summary = models.CharField(max_length=200)
    document = models.JSONField()
    document_sha256 = models.CharField(max_length=64)
    required = models.PositiveSmallIntegerField()
    requester_ref = models.CharField(max_length=200)
    state = models.CharField(max_length=10, choices=ApprovalState.choices, default=ApprovalState.OPEN)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(state__in=ApprovalState.values), name="pki_approval_state"),
            models.CheckConstraint(condition=models.Q(required__gte=1), name="pki_approval_required"),
        ]
        indexes = [models.Index(fields=["state", "-created_at", "-id"], name="pki_approval_listing")]

    def __str__(self) -> str:
        return str(self.id)


class Approval(models.Model):
    """One person's decision on a request; append-only. `document_sha256` is the hash of the document that the person saw.

    `signature` and `certificate_der` are present if the person signed the decision with their own certificate.
    """

    request = models.ForeignKey(ApprovalRequest, on_delete=models.PROTECT, related_name="approvals")
    approver_ref = models.CharField(max_length=200)
    decision = models.CharField(max_length=10, choices=Decision.choices)
    document_sha256 = models.CharField(max_length=64)
    justification = models.CharField(max_length=1000, default="", blank=True)
    signature = models.BinaryField(null=True)
    certificate_der = models.BinaryField(null=True)
    at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["request", "approver_ref"], name="pki_approval_once"),
            models.CheckConstraint(condition=models.Q(decision__in=Decision.values), name="pki_approval_decision"),
        ]
