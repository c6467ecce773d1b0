"""Key ceremonies: the proposal and its signatures, the approval, the acts and their record (rules/pki 7.2)."""

from django.db import models

from pki.models.approvals import ApprovalRequest
from pki.models.choices import CeremonyState
from siths_portal.lib.ids import new_id


class KeyCeremony(models.Model):
    """One execution of one ceremony file. A file is executed once: a new ceremony needs a new file.

    `file_text` is the whole file; `file_sha256` is the hash of its bytes, which the approvers signed. `participants` are its
    `{role, name}`. `outputs` are `{kind, name, sha256}` of everything that was created. `transcript` is canonical JSON and
    `transcript_sha256` its hash; they are set with the state `finished`, after which the row never changes. `failure` is the name
    of the error that ended the last attempt. The approved content never changes, and no row is removed.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    title = models.CharField(max_length=200)
    environment = models.CharField(max_length=40)
    file_text = models.TextField()
    file_sha256 = models.CharField(max_length=64, unique=True)
    approval = models.OneToOneField(ApprovalRequest, on_delete=models.PROTECT, related_name="ceremony")
    participants = models.JSONField()
    state = models.CharField(max_length=10, choices=CeremonyState.choices, default=CeremonyState.RUNNING)
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)
    failure = models.CharField(max_length=200, default="", blank=True)
    outputs = models.JSONField(default=list)
    transcript = models.TextField(default="", blank=True)
    transcript_sha256 = models.CharField(max_length=64, default="", blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(state__in=CeremonyState.values), name="pki_ceremony_state"),
            models.CheckConstraint(
                condition=models.Q(~models.Q(transcript_sha256=""), state=CeremonyState.FINISHED, finished_at__isnull=False)
                | models.Q(~models.Q(state=CeremonyState.FINISHED), finished_at__isnull=True, transcript_sha256=""),
                name="pki_ceremony_finished",
            ),
        ]

    def __str__(self) -> str:
        return str(self.id)


class CeremonyProposal(models.Model):
    """A ceremony file that waits for its approvers' signatures. The proposed content never changes, and no row is removed.

    `required` of the approvers in the file must sign. The proposal is closed once a `KeyCeremony` has the same `file_sha256`, or
    somebody withdrew it; a withdrawn file may be proposed again.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    title = models.CharField(max_length=200)
    environment = models.CharField(max_length=40)
    file_text = models.TextField()
    file_sha256 = models.CharField(max_length=64)
    required = models.PositiveSmallIntegerField()
    proposed_by_ref = models.CharField(max_length=200)
    proposed_at = models.DateTimeField()
    withdrawn_by_ref = models.CharField(max_length=200, default="", blank=True)
    withdrawn_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["file_sha256"], condition=models.Q(withdrawn_at=None), name="pki_ceremonyproposal_once"
            ),
        ]

    def __str__(self) -> str:
        return str(self.id)


class CeremonySignature(models.Model):
    """An approver's detached CMS over the file of a proposal, verified when it was registered; append-only.

    `approver_ref` is as in the file, `registered_by_ref` the operator who registered it.
    """

    proposal = models.ForeignKey(CeremonyProposal, on_delete=models.PROTECT, related_name="signatures")
    approver_ref = models.CharField(max_length=200)
    signature = models.BinaryField()
    certificate_der = models.BinaryField()
    signed_at = models.DateTimeField()
    registered_by_ref = models.CharField(max_length=200)
    registered_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["proposal", "approver_ref"], name="pki_ceremonysignature_once"),
        ]
