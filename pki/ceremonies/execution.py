"""The key ceremony: executes a reviewed and approved file in the token, and writes the ceremony record (rules/pki 7.2).

A file is executed once, with the approvals that it requires. Every step first checks whether it is done, so executing the same
file again completes an interrupted ceremony and changes nothing in a finished one. Only an act in the file changes an existing
CA: a file that describes the CA differently stops before the first step.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.db import transaction

from pki.ceremonies import plan, scratch, signatures, transcript
from pki.ceremonies.steps import Run, actor_ref
from pki.domain.ceremony_file import CeremonyFile
from pki.models import (
    CeremonyState,
    CertificateAuthority,
    Event,
    KeyCeremony,
)
from siths_portal.lib import clock, faults
from siths_portal.lib.database import locks
from siths_portal.lib.errors import Conflict

_LOCK = 0x70_6B_69_01  # one ceremony at a time, in the whole database


@dataclass(frozen=True)
class CeremonyResult:
    """The result of a ceremony. `changed` is False if every step was done before; otherwise `transcript` is the record's file."""

    changed: bool
    authorities: int
    transcript: Path | None


def perform(
    ceremony: CeremonyFile, *, approvals: Mapping[str, bytes] | None = None, say: Callable[[str], None] = lambda line: None
) -> CeremonyResult:
    """Executes the file and calls `say` for each step. `approvals` are signatures by name; None uses those stored for the file.

    Raises Conflict, Invalid for an approval that is not valid, HsmError, NotIssuable; a repeated call continues where it stopped.
    """
    with locks.held_or_raise(_LOCK, Conflict("ceremony-running", "En annan ceremoni pågår.")):
        record = plan.recorded(ceremony)
        if not plan.intentions(ceremony):
            if record is not None:
                transcript.keep(record)
            return CeremonyResult(False, len(ceremony.authorities), None)
        record = record or _begin(ceremony, approvals)
        _resume(record)
        faults.point("pki.ceremony.after-begin")
        try:
            rows = Run(ceremony, record.started_at, say).follow()
        except Exception as error:
            _fail(record, error)
            raise
        written = _finish(record, ceremony, rows)
        say(f"protokoll {written.name}")
        return CeremonyResult(True, len(ceremony.authorities), written)


def rehearse(ceremony: CeremonyFile) -> dict[str, Any]:
    """Executes the file without approvals in a scratch session and returns its record. Raises NotScratch in any other session."""
    scratch.check()
    plan.refuse_conflicts(ceremony, plan.rows())
    started = clock.now()
    rows = Run(ceremony, started, lambda line: None).follow()
    return transcript.describe(ceremony, rows, transcript.Span(started, clock.now()), {})


def _begin(ceremony: CeremonyFile, given: Mapping[str, bytes] | None) -> KeyCeremony:
    """Records the approvals and the beginning of the ceremony, in one transaction."""
    given = signatures.stored(ceremony) if given is None else given
    checked = signatures.check(ceremony, given)
    who = actor_ref(ceremony)
    with transaction.atomic(durable=True):
        record = KeyCeremony.objects.create(
            title=ceremony.title,
            environment=ceremony.environment,
            file_text=ceremony.text,
            file_sha256=ceremony.sha256,
            approval=signatures.record(ceremony, checked, actor_ref=who),
            participants=[{"role": each.role, "name": each.name} for each in ceremony.participants],
            started_at=clock.now(),
        )
        _tell(record, "ceremony.started", {"title": record.title, "approval": str(record.approval_id)})
    return record


def _resume(record: KeyCeremony) -> None:
    """Resumes an interrupted ceremony. Raises Conflict if the approval is now too old."""
    if record.approval.expires_at <= clock.now():
        raise Conflict("ceremony-too-old", "Ceremonins godkännanden har gått ut. Godkänn en ny fil.")
    if record.state == CeremonyState.FAILED:
        record.state, record.failure = CeremonyState.RUNNING, ""
        with transaction.atomic(durable=True):
            record.save(update_fields=["state", "failure"])
            _tell(record, "ceremony.resumed", {})


def _fail(record: KeyCeremony, error: Exception) -> None:
    record.state, record.failure = CeremonyState.FAILED, type(error).__name__
    with transaction.atomic(durable=True):
        record.save(update_fields=["state", "failure"])
        _tell(record, "ceremony.failed", {"failure": record.failure})


def _finish(record: KeyCeremony, ceremony: CeremonyFile, rows: list[CertificateAuthority]) -> Path:
    """Stores the record in the database, then as files, which can be written again from the database."""
    record.finished_at = clock.now()
    span = transcript.Span(record.started_at, record.finished_at)
    written = transcript.describe(ceremony, rows, span, transcript.approval(ceremony, record))
    record.state = CeremonyState.FINISHED
    record.outputs = transcript.outputs(written)
    record.transcript, record.transcript_sha256 = transcript.canonical(written)
    with transaction.atomic(durable=True):
        record.save(update_fields=["state", "finished_at", "outputs", "transcript", "transcript_sha256"])
        facts = {"title": record.title, "transcript": transcript.file_name(record), "transcript_sha256": record.transcript_sha256}
        _tell(record, "ceremony.completed", facts)
    faults.point("pki.ceremony.before-transcript")
    return transcript.keep(record)


def _tell(record: KeyCeremony, action: str, facts: dict[str, str]) -> None:
    Event.record(
        actor_ref=f"ceremony:{record.file_sha256[:16]}",
        action=action,
        subject_type="ceremony",
        subject_ref=record.file_sha256,
        facts=facts,
    )
