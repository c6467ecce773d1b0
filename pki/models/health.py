"""Results for processes without a token: the newest health report, and verified audit chains."""

from django.db import models


class HealthReport(models.Model):
    """The newest run of `pki.health.checks.measure`, in one row, which each run replaces. `HealthSample` has earlier values.

    `findings` are `{subject, severity, text, measure, value, since}` in the order in which they were found; `since` is ISO 8601,
    the run in which the severity last changed.
    """

    id = models.PositiveSmallIntegerField(primary_key=True, default=1, editable=False)
    seen_at = models.DateTimeField()
    findings = models.JSONField(default=list)

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="pki_healthreport_one")]


class HealthSample(models.Model):
    """What one run of `pki.health.checks.measure` measured, for the curves of a day: one row for each five minutes.

    `at` is the beginning of the five minutes. `values` has the value of each finding with a limit, by its subject, without those
    of CAs and chains. `ocsp_answers` counts the responses of the OCSP responder's processes since each began; None without one.
    `responses` has the counts of `pki.health.response_times.counted`, with which the next run compares.
    """

    at = models.DateTimeField(primary_key=True)
    values = models.JSONField(default=dict)
    ocsp_answers = models.BigIntegerField(null=True)
    responses = models.JSONField(default=dict, db_default={})


class StatusReport(models.Model):
    """The newest run of `pki.operators.status_measures.measure`, in one row: what only the worker sees of the published status.

    `store` is the OCSP store's header, empty without one; `processes` are the responder's last heartbeats; `stored` counts
    current responses by the CA's id, as of `counted_at`.
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

    `whole` is False if it began after the first seal. `checked` counts matching seals, or statements of the file. `macs` counts
    those that were recomputed with the token, and is None if that was not requested. `text` is the command's output, in Swedish.
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
