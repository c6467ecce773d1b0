"""Verification of the audit chains and of the tables that they protect, daily in the `pki` worker or by `audit_verify`.

Results are stored for pages and health checks. WALKS are the checks in addition to the chains: tables and documents that must
agree with sealed events and hashes.
"""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import structlog
from django.apps import apps

from billing import service as billing
from issuance import service as issuance
from pki.authorities.clock_guard import ClockWentBack
from pki.health import reports
from pki.hsm import HsmError
from pki.ocsp import status_integrity
from pki.ocsp.presigning import SelfCheckFailed
from siths_portal.lib import clock
from siths_portal.lib.audit import heads as audit_heads
from siths_portal.lib.audit import verification
from siths_portal.lib.database import documents
from siths_portal.wiring import chains, heads

log = structlog.get_logger(__name__)

ACTOR = "system:audit"
EACH = dt.timedelta(hours=24)
"""How often every chain is walked from its beginning."""

NAMED = 5
"""How many rows that differ the line of a walk names."""


@dataclass(frozen=True)
class Compared:
    """The result of a check: how many rows it compared, which differ, and a Swedish line."""

    checked: int
    wrong: tuple[str, ...]
    text: str

    @classmethod
    def of(cls, checked: int, wrong: tuple[str, ...], agreeing: str) -> "Compared":
        """Returns a result with the line `agreeing` if nothing differs, else a line with the first that differ."""
        if not wrong:
            return cls(checked, wrong, f"{checked} {agreeing}")
        return cls(checked, wrong, f"FEL: {', '.join(wrong[:NAMED])} ({len(wrong)} av {checked} stämmer inte)")


def _invoices() -> Compared:
    check = billing.verify_issued()
    return Compared.of(check.checked, tuple(check.wrong), "utfärdade fakturor stämmer med händelser och filer")


def _receipts() -> Compared:
    check = issuance.verify_receipts()
    return Compared.of(check.checked, check.wrong, "kvittenser stämmer med händelser")


def _identifications() -> Compared:
    check = issuance.verify_identifications()
    return Compared.of(check.checked, check.wrong, "identifieringar stämmer med händelserna")


def _people() -> Compared:
    check = issuance.verify_people()
    return Compared.of(check.checked, check.wrong, "personers nummer och uppdrag stämmer med händelserna")


def _roles() -> Compared:
    check = issuance.verify_roles()
    return Compared.of(check.checked, check.wrong, "roller, personkontroller och utbildningar stämmer med händelserna")


def _states() -> Compared:
    check = issuance.verify_states()
    return Compared.of(check.checked, check.wrong, "kort, SITHS eID, beställningar och aktiveringar stämmer med händelserna")


def _statuses() -> Compared:
    check = status_integrity.verify_statuses()
    return Compared.of(check.checked, check.wrong, "certifikat har den status som händelserna säger")


def _revocations() -> Compared:
    check = status_integrity.verify_revocations()
    return Compared.of(check.checked, check.wrong, "spärrade certifikat har en händelse och inget OCSP-svar som säger giltigt")


def _documents(app: str) -> Compared:
    checked, wrong = 0, list[str]()
    for count, altered in documents.altered(apps.get_model(app, "Document")):
        checked += count
        wrong += altered
    return Compared.of(checked, tuple(wrong), "dokument stämmer med sina kontrollsummor")


@dataclass(frozen=True)
class Walk:
    """A check in addition to the chains: the name of its result, its Swedish label and its application.

    `each` is its period. `mend` repairs what differs, if that is possible.
    """

    name: str
    label: str
    app: str
    compare: Callable[[], Compared]
    each: dt.timedelta = EACH
    mend: Callable[[], object] | None = None


WALKS = (
    Walk("certificates", "certifikat", "pki", _statuses),
    # At each run of the task, since relying parties get the wrong status until it is repaired.
    Walk("revocations", "spärrar", "pki", _revocations, dt.timedelta(minutes=30), status_integrity.sign_contradicted),
    Walk("invoices", "fakturor", "billing", _invoices),
    Walk("billing-documents", "dokument (billing)", "billing", partial(_documents, "billing")),
    Walk("receipts", "kvittenser", "issuance", _receipts),
    Walk("identifications", "identifieringar", "issuance", _identifications),
    Walk("people", "personer", "issuance", _people),
    Walk("roles", "roller", "issuance", _roles),
    Walk("states", "tillstånd", "issuance", _states),
    Walk("issuance-documents", "dokument (issuance)", "issuance", partial(_documents, "issuance")),
)


def verify_due() -> list[str]:
    """Verifies each chain that is due, then the signed heads and WALKS. Returns the names of those that do not agree.

    A disagreement is logged as an error and stored, and `pki.health.checks` reports it until a later verification agrees.
    """
    newest = {each.chain: each.at for each in reports.audit_checks(whole=True)}
    now = clock.now()
    walks: dict[str, tuple[dt.timedelta, Callable[[], tuple[bool, str]]]] = {
        chain.app: (EACH, partial(_chain, chain)) for chain in chains.all_chains()
    }
    walks |= {reports.HEADS: (EACH, _heads)} | {walk.name: (walk.each, partial(_compare, walk)) for walk in WALKS}
    bad = []
    for name, (each, walk) in walks.items():
        if name in newest and newest[name] > now - each:
            continue
        ok, text = walk()
        if not ok:
            log.error("audit.chain_broken", chain=name, text=text)
            bad.append(name)
    return bad


def _chain(chain: verification.Tables) -> tuple[bool, str]:
    result = chains.verify(chain)
    text = describe(result)
    keep(chain.app, text, result.ok, result.checked, result.macs, actor_ref=ACTOR)
    return result.ok, text


def _heads() -> tuple[bool, str]:
    report = heads.examine()
    text = describe_heads(report)
    keep(reports.HEADS, text, not report.fault, report.count, None, actor_ref=ACTOR)
    return not report.fault, text


def _compare(walk: Walk) -> tuple[bool, str]:
    result = walk.compare()
    keep(walk.name, result.text, not result.wrong, result.checked, None, actor_ref=ACTOR)
    if result.wrong and walk.mend is not None:
        _mend(walk.name, walk.mend)
    return not result.wrong, result.text


def _mend(name: str, mend: Callable[[], object]) -> None:
    """Repairs what can be repaired. If the token does not respond, the next run tries again."""
    try:
        mend()
    except (HsmError, SelfCheckFailed, ClockWentBack) as error:
        log.error("audit.not_mended", chain=name, error=type(error).__name__)


def keep(chain: str, text: str, ok: bool, checked: int, macs: int | None, *, actor_ref: str, whole: bool = True) -> None:
    """Stores one result. Raises DatabaseError if the database accepts no rows."""
    reports.keep_audit_check(chain=chain, actor_ref=actor_ref, ok=ok, whole=whole, checked=checked, macs=macs, text=text)


def describe(result: verification.Verification) -> str:
    """Returns a Swedish line about one chain."""
    if not result.ok:
        span = f"händelser från {_time(result.since, 'början')} till {_time(result.until, 'nu')} är inte styrkta"
        return f"FEL vid sigill {result.first_bad}: {result.fault} ({result.checked} sigill stämmer); {span}"
    parts = [f"{result.checked} sigill stämmer", _macs(result)]
    if result.macs_missing:
        parts.append(f"{result.macs_missing} väntar på MAC")
    if result.unsealed:
        wait = verification.age(result).total_seconds()
        parts.append(f"{result.unsealed} händelser väntar på sigill, den äldsta sedan {wait:.0f} s")
    else:
        parts.append("ingen händelse väntar på sigill")
    return ", ".join(parts)


def _macs(result: verification.Verification) -> str:
    if result.macs is not None:
        return f"{result.macs} styrkta av HSM"
    return "MAC inte kontrollerade (token svarar inte)" if result.token_silent else "MAC inte kontrollerade (ingen PIN här)"


def describe_heads(report: audit_heads.Report) -> str:
    """Returns a Swedish line about the file of signed heads."""
    if report.fault:
        return f"FEL: {report.fault} ({report.count} stämmer)"
    if report.last is None:
        return "inga signerade än"
    return f"{report.count} signerade stämmer, nr {report.last.number} från {_time(report.last.at, '')}"


def _time(moment: dt.datetime | None, otherwise: str) -> str:
    return f"{moment.astimezone(clock.STOCKHOLM):%Y-%m-%d %H:%M:%S}" if moment else otherwise
