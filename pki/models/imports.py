"""Take-overs of CAs: what was imported, how far each import has come, and what it found."""

from django.db import models

from pki.models.approvals import ApprovalRequest
from pki.models.authorities import CertificateAuthority
from pki.models.choices import ImportState
from siths_portal.lib.ids import new_id


class CaImport(models.Model):
    """An import of a CA's certificates and lists under dual control (rules/pki 9). What it reads is fixed by `inputs_sha256`.

    `inputs` are the files with size and SHA-256, `inputs_sha256` the hash of that list's canonical JSON. `position` is how many
    rows of the source a committed batch has passed, and `counts` what became of those. `report` stands when it is finished, and
    is fixed then; `signature` over it is by the token's key `signature_key_id` (see `pki.takeover.signatures`), empty until made.
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
    """A row that was not taken as it stands, or that two sources tell differently.

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
    """What the old service's lists said beside a CA's rows at a moment, in the shadow phase (rules/pki 9.4). Stays as it is.

    `lists` are the lists that were read, with number and SHA-256; `differences` how many there are of each kind of
    `pki.takeover.findings.DIFFERENCES`, empty if the lists say the same; `serials` the first of them, as pairs of kind and
    serial; `later` is how many were revoked here since, which differ by nature.
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
