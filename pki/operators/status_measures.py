"""Metrics of the published status, for graphs, alarms and the operators' page (rules/pki 5.5, 6.1).

Runs in the `pki` worker, which has the database and the files: every quarter of a minute, in a few short queries. Stored
responses are counted every five minutes, since that scans an index. `pki.ocspd.metrics` has the responder processes' own counts.
"""

import datetime as dt
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db.models import Count

from pki.models import CaImport, CertIdHash, ImportState, OcspResponse, StatusReport
from pki.ocspd import presence, signer_health
from pki.ocspd.reading import Store, StoreMissing
from pki.operators import status
from pki.operators.status import CaStatus, ListStatus
from siths_portal.lib import clock
from siths_portal.lib.monitoring import metrics

COUNT_EACH = dt.timedelta(minutes=5)
NAN = float("nan")

_CA, _SCOPE = ["ca"], ["ca", "scope"]


def _gauge(name: str, text: str, labels: list[str] | None = None) -> Any:
    return metrics.gauge(name, text, labels or [], mode="mostrecent")


_CRL_AGE = _gauge("crl_age_seconds", "Since thisUpdate of the oldest CRL of the scope", _SCOPE)
_CRL_PERIODS = _gauge("crl_age_periods", "The same in periods of the CA: late above 1.5", _SCOPE)
_CRL_LEFT = _gauge("crl_validity_left", "Remaining fraction of the validity of the CRL that expires first, 1 to 0", _SCOPE)
_CRL_ENTRIES = _gauge("crl_entries", "Entries of all CRLs of the scope", _SCOPE)
_CRL_BYTES = _gauge("crl_size_bytes", "Octets of all CRLs of the scope", _SCOPE)
_CRL_LACKS = _gauge("crl_lacking_seconds", "Since the first revocation that no CRL lists; 0 if all are listed", _SCOPE)
_CRL_FAILURES = _gauge("crl_failures", "Failed attempts in a row to make a CRL", _SCOPE)

_QUEUE = _gauge("ocsp_sign_queue_depth", "Certificates without a response with their present status, at most 10000", _CA)
_HELD = _gauge("certificates_held", "Certificates on hold, at most 10000", _CA)
_LAG = _gauge("ocsp_status_lag_seconds", "Since the first change of status without a response; 0 if all have one", _CA)
_AGE = _gauge("ocsp_response_age_seconds", "Age of the stored response that expires first", _CA)
_ANSWER_LEFT = _gauge("ocsp_response_left_seconds", "Until the first stored response expires; negative after it", _CA)
_ANSWER_PART = _gauge(
    "ocsp_response_validity_left", "Remaining fraction of the validity of the response that expires first, 1 to 0", _CA
)
_COVERAGE = _gauge("ocsp_response_coverage", "Fraction of the certificates that have a current response, 0 to 1", _CA)
_SIGNER_LEFT = _gauge("ocsp_signer_left_seconds", "Until the responder's certificate expires; 0 without one", _CA)
_STORE_LAG = _gauge("ocsp_store_lag_seconds", "Since the OCSP store last followed the database")
_NOT_SIGNED = _gauge("ocsp_not_signable_seconds", "Since no new OCSP response can be signed; 0 while they can")
_PROCESSES = _gauge("ocspd_processes", "Processes of the OCSP responder that reported in the last half minute")
_IMPORT_IDLE = _gauge("pki_import_idle_seconds", "Since an import that is not finished last stored a batch; 0 without one")
_MEASURED = _gauge("pki_status_measured_seconds", "When these metrics were measured, in seconds since 1970")


def measure() -> StatusReport:
    """Reads the status, sets the metrics, and stores for the pages the values that only this process has."""
    now = clock.now()
    report, _made = StatusReport.objects.get_or_create(id=1, defaults={"seen_at": now})
    if report.counted_at is None or report.counted_at <= now - COUNT_EACH:
        report.stored, report.counted_at = _stored(now), now
    folder = Path(settings.PKI_OCSP_STORE_DIR)
    report.store, report.processes, report.seen_at = _store(folder), presence.processes(folder), now
    report.save()
    for each in status.ca_statuses():
        _show_lists(each, now)
        if each.has_answers:
            _show_answers(each, now)
    if report.store:
        _STORE_LAG.set(now.timestamp() - report.store["followed_at"])
    elif (folder / "current").exists():
        _STORE_LAG.set(float("inf"))  # of another boot, or damaged: no process uses it
    fault = signer_health.fault(folder, now.timestamp())
    _NOT_SIGNED.set(0 if fault is None else now.timestamp() - fault.since)
    _PROCESSES.set(len(report.processes))
    _IMPORT_IDLE.set(_import_idle(now))
    _MEASURED.set(now.timestamp())
    return report


def name_of(ca: CaStatus) -> str:
    """Returns the CA's name in metric labels."""
    return f"{ca.slug}:{ca.generation}"


def _show_lists(ca: CaStatus, now: dt.datetime) -> None:
    scopes = {
        "all": [each for each in ca.lists if each.shard is None],
        "shards": [each for each in ca.lists if each.shard is not None],
    }
    for scope, lists in scopes.items():
        # The last CRL of a CA has no nextUpdate: its age is not a fault.
        living = [each for each in lists if each.this_update is not None and each.next_update is not None]
        labels = (name_of(ca), scope)
        if lists:
            _CRL_ENTRIES.labels(*labels).set(sum(each.entries for each in lists))
            _CRL_BYTES.labels(*labels).set(sum(each.size for each in lists))
            _CRL_FAILURES.labels(*labels).set(max(each.failures for each in lists))
            first = min((each.first_lacking for each in lists if each.first_lacking), default=now)
            _CRL_LACKS.labels(*labels).set((now - first).total_seconds())
        if living:
            oldest = max(each.age(now) for each in living)
            _CRL_AGE.labels(*labels).set(oldest.total_seconds())
            _CRL_PERIODS.labels(*labels).set(oldest / ca.period)
            _CRL_LEFT.labels(*labels).set(min(_part_left(each, now) for each in living))


def _part_left(each: ListStatus, now: dt.datetime) -> float:
    if each.this_update is None or each.next_update is None:
        return 1.0
    return (each.next_update - now) / (each.next_update - each.this_update)


def _show_answers(ca: CaStatus, now: dt.datetime) -> None:
    answers, name = ca.answers, name_of(ca)
    _QUEUE.labels(name).set(answers.waiting)
    _HELD.labels(name).set(answers.held)
    _LAG.labels(name).set((now - answers.waiting_since).total_seconds() if answers.waiting_since else 0)
    # Without responses these metrics have no value, and an old value would be wrong.
    _AGE.labels(name).set((now - answers.oldest).total_seconds() if answers.oldest else NAN)
    _ANSWER_LEFT.labels(name).set((answers.first_end - now).total_seconds() if answers.first_end else NAN)
    part = answers.part_left(now)
    _ANSWER_PART.labels(name).set(NAN if part is None else part)
    if answers.coverage is not None:
        _COVERAGE.labels(name).set(answers.coverage)
    if answers.expected:
        _SIGNER_LEFT.labels(name).set((answers.signer_until - now).total_seconds() if answers.signer_until else 0)


def _stored(now: dt.datetime) -> dict[str, int]:
    """Returns the number of certificates with a current response, by CA id: each certificate has one response for each hash."""
    current = OcspResponse.objects.filter(next_update__gt=now).order_by().values_list("ca_id").annotate(Count("id"))
    return {str(ca_id): number // len(CertIdHash) for ca_id, number in current}


def _store(folder: Path) -> dict[str, Any]:
    """Returns the values of the store's header; empty without a usable store."""
    try:
        index = Store(folder).index()
    except StoreMissing:
        return {}
    return {"generation": index.name, "followed_at": index.followed_at}


def _import_idle(now: dt.datetime) -> float:
    row = CaImport.objects.exclude(state=ImportState.FINISHED).order_by("started_at").first()
    return (now - (row.last_batch_at or row.started_at)).total_seconds() if row else 0.0
