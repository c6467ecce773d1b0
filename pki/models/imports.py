"""Imports of CAs: the input, the progress of each import, and its findings."""

from django.db import models

from pki.models.approvals import ApprovalRequest
from pki.models.authorities import CertificateAuthority
from pki.models.choices import ImportState
from siths_portal.lib.ids import new_id


class CaImport(models.Model):
    """An import of a CA's certificates and CRLs under dual control (rules/pki 9). `inputs_sha256` fixes what it reads.

    `inputs` are the files with size and SHA-256, `inputs_sha256` the hash of that list's canonical JSON. `position` is how many
    rows of the source committed batches have passed, and `counts` their outcomes. `report` is set when the import is finished and
    does not change; `signature` over it is by the token's key `signature_key_id` (see `pki.takeover.signatures`), empty until
    made.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    ca = models.ForeignKey(CertificateAuthority, on_delete=models.PROTECT, related_name="imports", db_index=False)
    approval_request = models.OneToOneField(ApprovalRequest, on_delete=models.PROTECT, related_name="ca_import")
    inputs = models.JSONField()
    inputs_sha256 = models.CharField(max_length=64)
    state = models.CharField(max_length=12, choices=ImportState.choices, default=ImportState.CERTIFICATES)
    position = models.PositiveBigIntegerField(default=0)
    counts = models.JSONField(default=dict)
    actor_ref = models.CharField(max_length=200)
    started_at = models.DateTimeField()
    last_batch_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    report = models.JSONField(null=True)
    signature = models.BinaryField(default=bytes)
    signature_key_id = models.CharField(max_length=40, default="", blank=True)
    signed_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(state__in=ImportState.values), name="pki_import_state"),
            models.UniqueConstraint(fields=["ca", "inputs_sha256"], name="pki_import_inputs"),
        ]


class ImportFinding(models.Model):
    """A row that was not imported unchanged, or on which two sources differ.

    `place` is the row (`certificates.jsonl:12`), `kind` one of `pki.takeover.findings.KINDS`, `serial` empty if the row has none.
    """

    ca_import = models.ForeignKey(CaImport, on_delete=models.PROTECT, related_name="findings", db_index=False)
    place = models.CharField(max_length=200)
    kind = models.CharField(max_length=40)
    serial = models.CharField(max_length=40, default="", blank=True)
    detail = models.CharField(max_length=200, default="", blank=True)

    class Meta:
        indexes = [models.Index(fields=["ca_import", "kind", "id"], name="pki_import_finding")]


class CaComparison(models.Model):
    """The old service's CRLs compared with a CA's rows at one moment of the shadow phase (rules/pki 9.4). Never changes.

    `lists` are the CRLs that were read, with number and SHA-256; `differences` the count of each kind of
    `pki.takeover.findings.DIFFERENCES`, empty if there are none; `serials` the first of them, as pairs of kind and serial;
    `later` counts certificates that were revoked here since, which are expected to differ.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    ca = models.ForeignKey(CertificateAuthority, on_delete=models.PROTECT, related_name="comparisons", db_index=False)
    at = models.DateTimeField()
    actor_ref = models.CharField(max_length=200)
    lists = models.JSONField()
    differences = models.JSONField()
    serials = models.JSONField()
    later = models.PositiveIntegerField()

    class Meta:
        indexes = [models.Index(fields=["ca", "id"], name="pki_comparison_ca")]
