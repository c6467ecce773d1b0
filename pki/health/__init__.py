"""Health of the PKI: tokens, keys, CAs, CRLs, OCSP responders, clock and audit chains (rules/pki 8).

Start in `checks`, which the `pki` worker runs every five minutes; `reports` keeps the result for processes without a token.
The names below are for the operators' pages. They read the database and need no token.
"""

from pki.authorities.clock_guard import ClockReading
from pki.authorities.clock_guard import look as clock_reading
from pki.domain.findings import Severity
from pki.domain.responder_lifetime import RENEW_BEFORE as RESPONDER_RENEW_BEFORE
from pki.health.limits import LIMITS, Limit
from pki.health.reports import AuditCheckView, SeenFinding, audit_checks, latest_report
from pki.health.samples import KEPT as SAMPLES_KEPT
from pki.health.samples import OF_MANY, DayView
from pki.health.samples import of_day as measured_day
from pki.ocspd.metrics import GIVEN_UP as OCSP_STORE_GIVEN_UP

__all__ = [
    "LIMITS",
    "OCSP_STORE_GIVEN_UP",
    "OF_MANY",
    "RESPONDER_RENEW_BEFORE",
    "SAMPLES_KEPT",
    "AuditCheckView",
    "ClockReading",
    "DayView",
    "Limit",
    "SeenFinding",
    "Severity",
    "audit_checks",
    "clock_reading",
    "latest_report",
    "measured_day",
]
