"""A ceremony for the operators' pages: its history, its remaining steps, and its record as files."""

import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from pki.ceremonies import plan, transcript
from pki.domain.ceremony_file import CeremonyFileError, parse
from pki.models import Event, KeyCeremony
from siths_portal.lib.errors import DomainError, NotFound

MOST_EVENTS = 100


@dataclass(frozen=True)
class CeremonyEvent:
    """An event of a ceremony file, from its proposal to its end. `facts` are the event's."""

    at: dt.datetime
    action: str
    actor_ref: str
    facts: Mapping[str, Any]


@dataclass(frozen=True)
class Remaining:
    """The remaining steps of a file, one Swedish line each; `obstacle` says why it cannot be executed, or is empty."""

    lines: tuple[str, ...]
    obstacle: str


@dataclass(frozen=True)
class Protocol:
    """The ceremony record as written: canonical JSON, the text for people to read and sign, and the JSON's file name."""

    name: str
    document: bytes = field(repr=False)
    readable: bytes = field(repr=False)


def ceremony_events(file_sha256: str) -> list[CeremonyEvent]:
    """Returns the history of a file, the oldest event first; at most MOST_EVENTS."""
    rows = Event.objects.filter(subject_type="ceremony", subject_ref=file_sha256).order_by("id")
    return [CeremonyEvent(row.at, row.action, row.actor_ref, row.facts) for row in rows[:MOST_EVENTS]]


def ceremony_remaining(file_text: str) -> Remaining:
    """Returns the remaining steps of a ceremony that has begun."""
    try:
        return Remaining(tuple(plan.intentions(parse(file_text.encode()))), "")
    except CeremonyFileError as error:
        return Remaining((), f"Filen går inte att följa. {error}.")
    except DomainError as error:
        return Remaining((), error.message)


def ceremony_protocol(ceremony_id: UUID) -> Protocol:
    """Returns the record of a finished ceremony. Raises NotFound if it does not exist or is not finished."""
    row = KeyCeremony.objects.filter(id=ceremony_id).exclude(transcript="").first()
    if row is None:
        raise NotFound("ceremony-unknown", "Ceremonin finns inte, eller har inget protokoll än.")
    return Protocol(transcript.file_name(row), row.transcript.encode(), transcript.readable(row))


def protocol_content(text: str) -> Mapping[str, Any]:
    """Returns a record's values, in the form of `pki.ceremonies.transcript.describe`."""
    content: Mapping[str, Any] = json.loads(text)
    return content
