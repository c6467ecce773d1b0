"""Imports in every state for the pages' tests, without a folder or a command."""

import contextlib
import datetime as dt
from collections.abc import Iterator
from typing import Any

from pki.approvals import dual_control
from pki.models import (
    ApprovalAction,
    ApprovalRequest,
    CaComparison,
    CaImport,
    CertificateAuthority,
    Decision,
    Event,
    ImportFinding,
)
from pki.takeover.findings import LOCK
from siths_portal.lib import clock
from tests.lib.audit.audit_world import superuser

PLAN = {"rows": 12_000, "new": 11_990, "new_revoked": 1_200, "revoked": 0, "papers": 2, "findings": 10}
COUNTS = {"rows": 5_000, "new": 4_993, "new_revoked": 500, "new_serial_only": 3, "unchanged": 2}
FOUND = {"finding:serial": 3, "finding:listed-unknown": 2}
SHA = "5b" * 32


def asked(slug: str = "person-hsaid-3", *, inputs: str = SHA, **changes: Any) -> ApprovalRequest:
    """An import that somebody at the command line asked for."""
    document = {
        "slug": slug, "generation": 1, "certificate_sha256": "4c" * 32, "format": "jsonl", "key_id": "0a1b2c3d",
        "inputs_sha256": inputs,
    }  # fmt: skip
    return dual_control.request(
        action=ApprovalAction.IMPORT, summary=f"{slug} 1: import av certifikat och spärrlistor",
        document=document | PLAN | changes, requester_ref="operator:kim",
    )  # fmt: skip


def approved(request: ApprovalRequest, *refs: str) -> ApprovalRequest:
    for ref in refs or ("user:1", "user:2"):
        dual_control.decide(
            request_id=request.id, approver_ref=ref, decision=Decision.APPROVED, document_sha256=request.document_sha256
        )
    return request


def begun(request: ApprovalRequest, *, position: int = 5_000, **changes: Any) -> CaImport:
    """It has stored a batch, after ten seconds."""
    ca = CertificateAuthority.objects.get(slug=request.document["slug"], generation=1)
    now = clock.now()
    row = CaImport.objects.create(
        ca=ca, approval_request=request, inputs_sha256=request.document["inputs_sha256"], actor_ref="operator:kim",
        inputs=[{"name": "certificates.jsonl", "size": 123_456, "sha256": "6d" * 32}], position=position, counts=COUNTS | FOUND,
        started_at=now - dt.timedelta(seconds=10), last_batch_at=now, **changes,
    )  # fmt: skip
    _tell(row, "import.started", {})
    _tell(row, "certificates.imported", {"position": position, "count": 4_998, "serials_sha256": "7e" * 32})
    for number in range(3):
        ImportFinding.objects.create(
            ca_import=row, place=f"certificates.jsonl:{number + 7}", kind="serial", serial=f"0177A{number}"
        )
    for number in range(2):
        ImportFinding.objects.create(ca_import=row, place="crl", kind="listed-unknown", serial=f"0288B{number}")
    return row


def finished(row: CaImport) -> CaImport:
    """All is in, and the report is not signed yet."""
    row.state, row.finished_at, row.position = "finished", clock.now(), PLAN["rows"]
    row.counts = PLAN | FOUND | {"new": 11_991}
    del row.counts["findings"]
    row.report = {
        "dry_run": False, "format": "jsonl", "inputs": row.inputs, "inputs_sha256": row.inputs_sha256,
        "ca": {"slug": row.ca.slug, "generation": 1, "common_name": row.ca.common_name, "certificate_sha256": "4c" * 32},
        "counts": {name: number for name, number in row.counts.items() if ":" not in name},
        "rows": {"issued": 10_791, "revoked": 1_202}, "crl_number_above": "41", "findings": {"listed-unknown": 2, "serial": 3},
        "lists": [{"place": "crls/old.crl", "number": "41", "this_update": clock.now().isoformat(), "entries": 1_201, "scope": "",
                   "sha256": "8f" * 32}],
        "examples": [{"place": "certificates.jsonl:7", "kind": "serial", "serial": "0177A0", "detail": ""}],
    }  # fmt: skip
    row.save()
    _tell(row, "import.finished", {})
    return row


def compared(row: CaImport, differences: dict[str, int], serials: list[tuple[str, str]], later: int = 0) -> CaComparison:
    """What a comparison with the old service's list came to."""
    return CaComparison.objects.create(
        ca=row.ca, at=clock.now(), actor_ref="operator:kim", differences=differences, serials=serials, later=later,
        lists=[{"place": "crls/later.crl", "number": "42", "entries": 1_203, "sha256": "9f" * 32}],
    )  # fmt: skip


def _tell(row: CaImport, action: str, facts: dict[str, Any]) -> None:
    Event.record(
        actor_ref="operator:kim", action=action, subject_type="certificate_authority", subject_ref=str(row.ca_id),
        facts={"import": str(row.id)} | facts,
    )  # fmt: skip


@contextlib.contextmanager
def at_work() -> Iterator[None]:
    """As long as the command that imports runs, for whom it may concern: it holds this lock."""
    with superuser() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [LOCK])
        try:
            yield
        finally:  # not by closing the connection, which the database notices some time later
            cursor.execute("SELECT pg_advisory_unlock(%s)", [LOCK])
