"""The newest health report and audit chain verifications, stored for pages, whose processes have no token to run checks."""

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.db import transaction

from pki.domain.findings import Finding, Severity
from pki.models import AuditCheck, HealthReport
from siths_portal.lib import clock

HEADS = "heads"
"""The name of the file of signed heads among the chains."""


@dataclass(frozen=True)
class SeenFinding:
    """A finding of the last check. `since` is the check at which it got its severity."""

    subject: str
    severity: Severity
    text: str
    measure: str
    value: float
    since: dt.datetime


@dataclass(frozen=True)
class HealthView:
    """The findings of the last check, in the order of the checks."""

    seen_at: dt.datetime
    findings: tuple[SeenFinding, ...]


@dataclass(frozen=True)
class AuditCheckView:
    """The last verification of a chain, by its application's label, or of the signed heads. `macs`: recomputed ones, or None."""

    chain: str
    at: dt.datetime
    actor_ref: str
    ok: bool
    whole: bool
    checked: int
    macs: int | None
    text: str


@transaction.atomic
def keep(found: Iterable[Finding]) -> None:
    """Replaces the report. Two concurrent calls wait for each other."""
    now = clock.now()
    HealthReport.objects.get_or_create(id=1, defaults={"seen_at": now})
    row = HealthReport.objects.select_for_update().get(id=1)
    known = _since(row.findings)
    row.findings = [
        {
            "subject": each.subject,
            "severity": int(each.severity),
            "text": each.text,
            "measure": each.measure,
            "value": each.value,
            "since": known.get((each.subject, int(each.severity)), now.isoformat()),
        }
        for each in found
    ]
    row.seen_at = now
    row.save(update_fields=["seen_at", "findings"])


def _since(findings: Iterable[Mapping[str, Any]]) -> dict[tuple[str, int], str]:
    """Returns since when each finding of a report has had its severity, by subject and severity."""
    return {(each["subject"], each["severity"]): each["since"] for each in findings}


def latest_report() -> HealthView | None:
    """Returns the newest report, or None before the first."""
    row = HealthReport.objects.first()
    if row is None:
        return None
    return HealthView(
        row.seen_at,
        tuple(
            SeenFinding(
                each["subject"],
                Severity(each["severity"]),
                each["text"],
                each["measure"],
                each["value"],
                dt.datetime.fromisoformat(each["since"]),
            )
            for each in row.findings
        ),
    )


def keep_audit_check(*, chain: str, actor_ref: str, ok: bool, whole: bool, checked: int, macs: int | None, text: str) -> None:
    """Stores one verification of a chain, for pages."""
    AuditCheck.objects.create(
        chain=chain,
        at=clock.now(),
        actor_ref=actor_ref,
        ok=ok,
        whole=whole,
        checked=checked,
        macs=macs,
        text=text[:500],
    )


def audit_checks(*, whole: bool = False) -> list[AuditCheckView]:
    """Returns the last verification of each verified chain, by name; with `whole` the last one from the chain's first seal."""
    rows = AuditCheck.objects.filter(**({"whole": True} if whole else {})).order_by("chain", "-id").distinct("chain")
    return [AuditCheckView(row.chain, row.at, row.actor_ref, row.ok, row.whole, row.checked, row.macs, row.text) for row in rows]
