"""The key ceremony: does what a reviewed and approved file says, in the token, and writes down what was done (rules/pki 7.2).

A file is followed once, with the approvals that it demands. Every step asks first whether it is done, so a ceremony that was cut
off is finished by following the same file again, and a finished one changes nothing. A CA that is there is never changed but by
an act that the file names: another description of it stops everything before it starts.
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.db import connection, transaction

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
from siths_portal.lib.errors import Conflict

_LOCK = 0x70_6B_69_01  # one ceremony at a time, in the whole database


@dataclass(frozen=True)
class CeremonyResult:
    """What a ceremony came to: `changed` is False if everything was there; `transcript` is the file that tells, if changed."""

    changed: bool
    authorities: int
    transcript: Path | None


def perform(
    ceremony: CeremonyFile, *, approvals: Mapping[str, bytes] | None = None, say: Callable[[str], None] = lambda line: None
) -> CeremonyResult:
    """Follows the file; `say` is told each step. `approvals` are signatures by name, or else those that lie ready for the file.

    Raises Conflict, Invalid for an approval that does not hold, HsmError, NotIssuable; repeating goes on where it stopped.
    """
    with _alone():
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
    """Follows the file without approvals where nothing of it stays, and returns its protocol. Raises NotScratch elsewhere."""
    scratch.check()
    plan.refuse_conflicts(ceremony, plan.rows())
    started = clock.now()
    rows = Run(ceremony, started, lambda line: None).follow()
    return transcript.describe(ceremony, rows, transcript.Span(started, clock.now()), {})


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [_LOCK])
        if not cursor.fetchone()[0]:  # type: ignore[index]
            raise Conflict("ceremony-running", "En annan ceremoni pågår.")
        try:
            yield
        finally:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [_LOCK])


def _begin(ceremony: CeremonyFile, given: Mapping[str, bytes] | None) -> KeyCeremony:
    """Records the approvals and that the ceremony begins, in one transaction."""
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
    """Takes up one that was cut off. Raises Conflict if what was approved is too old by now."""
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
    """Keeps the protocol in the database, then as files: those can be written again from there."""
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
