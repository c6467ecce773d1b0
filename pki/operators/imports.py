"""Imports of CAs for the operators' pages: the request, the progress, the findings and the report.

The id of an import is its approval request's, which exists from the start; the import begins after two others have approved it.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import QuerySet

from pki.models import ApprovalAction, ApprovalRequest, CaComparison, CaImport, Event, ImportFinding, ImportState
from pki.operators.approvals import ApprovalView, approval
from pki.takeover import signatures
from pki.takeover.findings import DIFFERENCES, KINDS, LOCK
from pki.takeover.reports import ImportReport
from siths_portal.lib import clock
from siths_portal.lib.errors import NotFound
from siths_portal.lib.lists import Rows

STEPS = 20
COMPARISONS = 10
SERIALS = 20
OF_LISTS = ("listed-unknown", "listed-not-revoked", "listed-differently", "not-listed", "list-unreadable")
"""Kinds of findings about differences between the old service's CRLs and the other data."""
_PLANNED = ("rows", "new", "new_revoked", "revoked", "papers", "findings")


@dataclass(frozen=True)
class ImportLine:
    """An import in a list.

    `state` is `open`, `approved`, `rejected`, `withdrawn` or `expired` until it begins, then `certificates`, `lists` or
    `finished`. `position` rows of the source are stored, of the dry run's `rows`. `common_name` is the CA's, empty in requests of
    older versions.
    """

    id: UUID
    slug: str
    generation: int
    common_name: str
    state: str
    requester_ref: str
    created_at: dt.datetime
    started_at: dt.datetime | None
    finished_at: dt.datetime | None
    last_batch_at: dt.datetime | None
    position: int
    rows: int
    findings: int

    @property
    def has_begun(self) -> bool:
        """Returns whether the import has begun, so that some rows may be stored."""
        return self.started_at is not None


@dataclass(frozen=True)
class FindingCount:
    """The number of findings of a kind; `text` is its Swedish description."""

    kind: str
    text: str
    number: int


@dataclass(frozen=True)
class ImportStep:
    """An event of an import; `facts` are the event's."""

    at: dt.datetime
    action: str
    actor_ref: str
    facts: Mapping[str, Any]


@dataclass(frozen=True)
class ComparisonView:
    """One comparison of the old service's CRLs with our rows.

    `differences` is empty if they agree; `serials` has the first SERIALS of them, with the kind in Swedish. `later` counts
    revocations here after the old CRL.
    """

    at: dt.datetime
    actor_ref: str
    lists: Sequence[Mapping[str, Any]]
    differences: tuple[FindingCount, ...]
    serials: tuple[tuple[str, str], ...]
    later: int


@dataclass(frozen=True)
class ImportRecord:
    """All data of one import.

    `plan` is the dry run's result, `counts` the progress; `inputs` are the files with size and SHA-256. `is_running`: a process
    executes it now. `report` is set when it is finished. `comparisons` are the CA's, the newest first.
    """

    line: ImportLine
    approval: ApprovalView
    format: str
    certificate_sha256: str
    inputs_sha256: str
    inputs: Sequence[Mapping[str, Any]]
    plan: Mapping[str, int]
    counts: Mapping[str, int]
    findings: tuple[FindingCount, ...]
    steps: tuple[ImportStep, ...]
    comparisons: tuple[ComparisonView, ...]
    is_running: bool
    is_external: bool
    report: Mapping[str, Any] | None = field(repr=False)
    report_sha256: str
    signed_at: dt.datetime | None
    signature_key_id: str

    @property
    def rate(self) -> float:
        """Returns rows a second from its beginning to its newest batch; 0 while that cannot be calculated."""
        if self.line.started_at is None or self.line.last_batch_at is None or self.line.finished_at is not None:
            return 0
        seconds = (self.line.last_batch_at - self.line.started_at).total_seconds()
        return self.line.position / seconds if seconds > 0 else 0

    def differences(self) -> tuple[FindingCount, ...]:
        """Returns the number of findings of each kind about the old CRLs, also the kinds without findings."""
        found = {each.kind: each.number for each in self.findings}
        return tuple(FindingCount(kind, KINDS[kind], found.get(kind, 0)) for kind in OF_LISTS)


@dataclass(frozen=True)
class FindingLine:
    """A row that was not imported unchanged, or on which two sources differ."""

    place: str
    serial: str
    detail: str


@dataclass(frozen=True)
class ReportFile:
    """The report or its signature, as a file to save."""

    name: str
    content: bytes = field(repr=False)


def imports() -> Rows[ApprovalRequest, ImportLine]:
    """Returns imports. The ids of their requests rise with time."""
    return Rows(_rows(), lambda found: [_line(row) for row in found])


def import_record(import_id: UUID) -> ImportRecord:
    """Returns all data of one import. Raises NotFound."""
    request, row = _found(import_id)
    document, report = request.document, row.report if row else None
    return ImportRecord(
        line=_line(request),
        approval=approval(import_id),
        format=document["format"],
        certificate_sha256=document["certificate_sha256"],
        inputs_sha256=document["inputs_sha256"],
        inputs=row.inputs if row else (),
        plan={name: int(document.get(name, 0)) for name in _PLANNED},
        counts={name: number for name, number in row.counts.items() if not name.startswith("finding:")} if row else {},
        findings=tuple(_counted(row)) if row else (),
        steps=tuple(_steps(row)) if row else (),
        comparisons=tuple(_comparisons(row)) if row else (),
        is_running=row is not None and row.state != ImportState.FINISHED and _is_running(row),
        is_external=not document["key_id"],
        report=report,
        report_sha256=ImportReport(report).sha256 if report else "",
        signed_at=row.signed_at if row else None,
        signature_key_id=row.signature_key_id if row else "",
    )


def import_findings(import_id: UUID, kind: str) -> Rows[ImportFinding, FindingLine]:
    """Returns an import's findings of one kind; their ids rise in the order of the import.

    Raises NotFound, also for an unknown kind.
    """
    _request, row = _found(import_id)
    if row is None or kind not in KINDS:
        raise _unknown()
    rows = ImportFinding.objects.filter(ca_import=row, kind=kind)
    return Rows(rows, lambda found: [FindingLine(each.place, each.serial, each.detail) for each in found])


def finding_text(kind: str) -> str:
    """Returns the description of a kind of findings."""
    return KINDS[kind]


def import_report(import_id: UUID, kind: str) -> ReportFile:
    """Returns a finished import's report as `json` or `txt`, its signature as `sig` (DER), or the signature's key as `pem`.

    Raises NotFound.
    """
    _request, row = _found(import_id)
    if row is None or row.report is None:
        raise _unknown()
    report = ImportReport(row.report)
    name = f"{report.stem}.{kind}"
    if kind == "json":
        return ReportFile(name, report.content)
    if kind == "txt":
        return ReportFile(name, report.text().encode())
    signature = signatures.of(row)
    if signature is None or kind not in ("sig", "pem"):
        raise _unknown()
    return ReportFile(name, signature.der if kind == "sig" else signature.public_key)


def _rows() -> QuerySet[ApprovalRequest]:
    return ApprovalRequest.objects.filter(action=ApprovalAction.IMPORT).select_related("ca_import").defer("ca_import__report")


def _found(import_id: UUID) -> tuple[ApprovalRequest, CaImport | None]:
    found = ApprovalRequest.objects.filter(action=ApprovalAction.IMPORT, pk=import_id).select_related("ca_import").first()
    if found is None:
        raise _unknown()
    return found, getattr(found, "ca_import", None)


def _unknown() -> NotFound:
    return NotFound("import-unknown", "Importen eller det som söks i den finns inte.")


def _line(request: ApprovalRequest) -> ImportLine:
    row = getattr(request, "ca_import", None)
    late = request.state in ("open", "approved") and request.expires_at <= clock.now()
    counts = row.counts if row else {}
    return ImportLine(
        id=request.id,
        slug=request.document["slug"],
        generation=request.document["generation"],
        common_name=request.document.get("common_name", ""),
        state=row.state if row else "expired" if late else request.state,
        requester_ref=request.requester_ref,
        created_at=request.created_at,
        started_at=row.started_at if row else None,
        finished_at=row.finished_at if row else None,
        last_batch_at=row.last_batch_at if row else None,
        position=row.position if row else 0,
        rows=int(request.document.get("rows", 0)),
        findings=sum(number for name, number in counts.items() if name.startswith("finding:")),
    )


def _counted(row: CaImport) -> list[FindingCount]:
    """Returns the number of each kind, in the order of an import's steps."""
    return [
        FindingCount(kind, text, row.counts[f"finding:{kind}"]) for kind, text in KINDS.items() if f"finding:{kind}" in row.counts
    ]


def _steps(row: CaImport) -> list[ImportStep]:
    """Returns its newest STEPS events, the newest first: its beginning and end, and each stored batch."""
    events = Event.objects.filter(subject_type="certificate_authority", subject_ref=str(row.ca_id), facts__import=str(row.pk))
    return [ImportStep(each.at, each.action, each.actor_ref, each.facts) for each in events.order_by("-id")[:STEPS]]


def _comparisons(row: CaImport) -> list[ComparisonView]:
    found = CaComparison.objects.filter(ca_id=row.ca_id, at__gte=row.started_at).order_by("-id")[:COMPARISONS]
    return [
        ComparisonView(
            at=each.at,
            actor_ref=each.actor_ref,
            lists=each.lists,
            differences=tuple(FindingCount(kind, DIFFERENCES[kind], number) for kind, number in each.differences.items()),
            serials=tuple((serial, DIFFERENCES[kind]) for kind, serial in each.serials[:SERIALS]),
            later=each.later,
        )
        for each in found
    ]


def _is_running(row: CaImport) -> bool:
    """Returns whether a process executes this import now.

    It does if a process holds the import lock in this database, and this is the unfinished import that stored a batch last.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND classid = 0 AND objid = %s AND objsubid = 1 "
            "AND granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())) "
            "AND %s = (SELECT id FROM pki_caimport WHERE state <> %s ORDER BY coalesce(last_batch_at, started_at) DESC LIMIT 1)",
            [LOCK, row.pk, str(ImportState.FINISHED)],
        )
        return bool(cursor.fetchone() == (True,))
