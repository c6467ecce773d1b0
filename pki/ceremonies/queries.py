"""Views of key ceremonies for other packages: the executed file, its approvals, the outputs, and the ceremony record."""

import datetime as dt
from dataclasses import dataclass, field
from uuid import UUID

from pki.models import KeyCeremony
from siths_portal.lib.errors import NotFound
from siths_portal.lib.lists import Rows


@dataclass(frozen=True)
class CeremonyView:
    """A ceremony in a list. `state` is a `CeremonyState`; `failure` is the error that ended the last attempt of a failed one."""

    id: UUID
    title: str
    environment: str
    state: str
    file_sha256: str
    started_at: dt.datetime
    finished_at: dt.datetime | None
    failure: str
    transcript_sha256: str


@dataclass(frozen=True)
class ParticipantView:
    """A participant with the role at the ceremony."""

    role: str
    name: str


@dataclass(frozen=True)
class OutputView:
    """An output. `kind` is key, certificate, ocsp-signer, crl or ocsp-answer; `sha256` is the hash of its bytes."""

    kind: str
    name: str
    sha256: str


@dataclass(frozen=True)
class CeremonyRecord:
    """A complete ceremony. `file_text` is the approved file, `transcript` its record as canonical JSON, empty until the end."""

    view: CeremonyView
    approval_id: UUID
    participants: tuple[ParticipantView, ...]
    outputs: tuple[OutputView, ...]
    file_text: str = field(repr=False)
    transcript: str = field(repr=False)


def ceremonies() -> Rows[KeyCeremony, CeremonyView]:
    """Returns ceremonies. Their ids rise with time."""
    rows = KeyCeremony.objects.defer("file_text", "transcript", "outputs")
    return Rows(rows, lambda found: [_view(row) for row in found])


def ceremony(ceremony_id: UUID) -> CeremonyRecord:
    """Returns one ceremony. Raises NotFound."""
    row = KeyCeremony.objects.filter(id=ceremony_id).first()
    if row is None:
        raise NotFound("ceremony-unknown", "Ceremonin finns inte.")
    return CeremonyRecord(
        view=_view(row),
        approval_id=row.approval_id,
        participants=tuple(ParticipantView(each["role"], each["name"]) for each in row.participants),
        outputs=tuple(OutputView(**each) for each in row.outputs),
        file_text=row.file_text,
        transcript=row.transcript,
    )


def _view(row: KeyCeremony) -> CeremonyView:
    return CeremonyView(
        id=row.id,
        title=row.title,
        environment=row.environment,
        state=row.state,
        file_sha256=row.file_sha256,
        started_at=row.started_at,
        finished_at=row.finished_at,
        failure=row.failure,
        transcript_sha256=row.transcript_sha256,
    )
