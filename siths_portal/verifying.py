"""Verification of the audit chains, daily by the `pki` worker or by `audit_verify`; results are kept for pages and health."""

import datetime as dt
from functools import partial

import structlog

from billing import service as billing
from pki import health_reports
from siths_portal import chains, heads
from siths_portal.lib import audit_heads, audit_verification, clock

log = structlog.get_logger(__name__)

ACTOR = "system:audit"
EACH = dt.timedelta(hours=24)
"""How often every chain is walked from its beginning."""

INVOICES = "invoices"
"""What the walk over issued invoices is called beside the chains."""

_NAMED = 5


def verify_due() -> list[str]:
    """Walks each chain that nobody has walked whole for EACH, then the signed heads and the issued invoices.

    Returns the names of those that do not agree.

    What does not agree is logged as an error and kept, and shows in `pki.health` until a later walk agrees.
    """
    newest = {each.chain: each.at for each in health_reports.audit_checks(whole=True)}
    since = clock.now() - EACH
    walks = {chain.app: partial(_chain, chain) for chain in chains.all_chains()} | {
        health_reports.HEADS: _heads,
        INVOICES: _invoices,
    }
    bad = []
    for name, walk in walks.items():
        if name in newest and newest[name] > since:
            continue
        ok, text = walk()
        if not ok:
            log.error("audit.chain_broken", chain=name, text=text)
            bad.append(name)
    return bad


def _chain(chain: audit_verification.Tables) -> tuple[bool, str]:
    result = chains.verify(chain)
    text = describe(result)
    keep(chain.app, text, result.ok, result.checked, result.macs, actor_ref=ACTOR)
    return result.ok, text


def _heads() -> tuple[bool, str]:
    report = heads.examine()
    text = describe_heads(report)
    keep(health_reports.HEADS, text, not report.fault, report.count, None, actor_ref=ACTOR)
    return not report.fault, text


def _invoices() -> tuple[bool, str]:
    check = billing.verify_issued()
    text = describe_invoices(check)
    keep(INVOICES, text, not check.wrong, check.checked, None, actor_ref=ACTOR)
    return not check.wrong, text


def keep(chain: str, text: str, ok: bool, checked: int, macs: int | None, *, actor_ref: str, whole: bool = True) -> None:
    """Remembers one result. Raises DatabaseError where the database takes no rows."""
    health_reports.keep_audit_check(chain=chain, actor_ref=actor_ref, ok=ok, whole=whole, checked=checked, macs=macs, text=text)


def describe(result: audit_verification.Verification) -> str:
    """A line about one chain, in Swedish."""
    if not result.ok:
        span = f"händelser från {_time(result.since, 'början')} till {_time(result.until, 'nu')} är inte styrkta"
        return f"FEL vid sigill {result.first_bad}: {result.fault} ({result.checked} sigill stämmer); {span}"
    parts = [f"{result.checked} sigill stämmer", _macs(result)]
    if result.macs_missing:
        parts.append(f"{result.macs_missing} väntar på MAC")
    if result.unsealed:
        wait = audit_verification.age(result).total_seconds()
        parts.append(f"{result.unsealed} händelser väntar på sigill, den äldsta sedan {wait:.0f} s")
    else:
        parts.append("ingen händelse väntar på sigill")
    return ", ".join(parts)


def _macs(result: audit_verification.Verification) -> str:
    if result.macs is not None:
        return f"{result.macs} styrkta av HSM"
    return "MAC inte kontrollerade (token svarar inte)" if result.token_silent else "MAC inte kontrollerade (ingen PIN här)"


def describe_heads(report: audit_heads.Report) -> str:
    """A line about the file of signed heads, in Swedish."""
    if report.fault:
        return f"FEL: {report.fault} ({report.count} stämmer)"
    if report.last is None:
        return "inga undertecknade ännu"
    return f"{report.count} undertecknade stämmer, nr {report.last.number} från {_time(report.last.at, '')}"


def describe_invoices(check: billing.IssuedCheck) -> str:
    """A line about the issued invoices against their sealed events and stored files, in Swedish."""
    if check.wrong:
        return f"FEL: {', '.join(check.wrong[:_NAMED])} ({len(check.wrong)} av {check.checked} stämmer inte)"
    return f"{check.checked} utfärdade fakturor stämmer med händelser och filer"


def _time(moment: dt.datetime | None, otherwise: str) -> str:
    return f"{moment.astimezone(clock.STOCKHOLM):%Y-%m-%d %H:%M:%S}" if moment else otherwise
