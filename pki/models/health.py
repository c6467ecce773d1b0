"""What the last looks at the PKI found, for those who have no token: the newest health report, and verified audit chains."""

from django.db import models


class HealthReport(models.Model):
    """The newest run of `pki.health.checks.measure`, in one row: it is replaced at each run, and graphs hold what was before.

    `findings` are `{subject, severity, text, measure, value, since}` in the order in which they were found; `since` is ISO 8601,
    the run in which the severity became what it is.
    """

    id = models.PositiveSmallIntegerField(primary_key=True, default=1, editable=False)
    seen_at = models.DateTimeField()
    findings = models.JSONField(default=list)

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="pki_healthreport_one")]


class StatusReport(models.Model):
    """The newest run of `pki.operators.status_measures.measure`, in one row: what only the worker sees of the answers to
    relying parties.

    `store` is what the OCSP store's header says, empty without one; `processes` are the responder's, by what each last told;
    `stored` counts current answers by the CA's id, as of `counted_at`.
    """

    id = models.PositiveSmallIntegerField(primary_key=True, default=1, editable=False)
    seen_at = models.DateTimeField()
    store = models.JSONField(default=dict)
    processes = models.JSONField(default=list)
    stored = models.JSONField(default=dict)
    counted_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="pki_statusreport_one")]


class AuditCheck(models.Model):
    """One verification of one audit chain, or of the file of signed heads (`chain` is then `heads`); append-only.

    `whole` is False if it began after the first seal. `checked` counts seals, or statements of the file, that agree. `macs`
    counts those that were recomputed with the token, and is None where it was not asked. `text` is what the command said,
    in Swedish.
    """

    chain = models.CharField(max_length=40)
    at = models.DateTimeField()
    actor_ref = models.CharField(max_length=200)
    ok = models.BooleanField()
    whole = models.BooleanField()
    checked = models.BigIntegerField()
    macs = models.BigIntegerField(null=True)
    text = models.CharField(max_length=500)

    class Meta:
        indexes = [models.Index(fields=["chain", "-id"], name="pki_auditcheck_newest")]
