"""A ceremony as operators look at it: its history, what is left to do, and its protocol as files."""

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
    """Something that was noted of a ceremony file, from its proposal to its end. `facts` are the event's."""

    at: dt.datetime
    action: str
    actor_ref: str
    facts: Mapping[str, Any]


@dataclass(frozen=True)
class Remaining:
    """What following the file once more would do, in Swedish, one line each; `obstacle` why it cannot be followed, or empty."""

    lines: tuple[str, ...]
    obstacle: str


@dataclass(frozen=True)
class Protocol:
    """The protocol as it was written: canonical JSON, the same for people to read and sign, and the JSON's file name."""

    name: str
    document: bytes = field(repr=False)
    readable: bytes = field(repr=False)


def ceremony_events(file_sha256: str) -> list[CeremonyEvent]:
    """The history of a file, the oldest first; at most MOST_EVENTS."""
    rows = Event.objects.filter(subject_type="ceremony", subject_ref=file_sha256).order_by("id")
    return [CeremonyEvent(row.at, row.action, row.actor_ref, row.facts) for row in rows[:MOST_EVENTS]]


def ceremony_remaining(file_text: str) -> Remaining:
    """What is left of a ceremony that was begun."""
    try:
        return Remaining(tuple(plan.intentions(parse(file_text.encode()))), "")
    except CeremonyFileError as error:
        return Remaining((), f"Filen går inte att följa. {error}.")
    except DomainError as error:
        return Remaining((), error.message)


def ceremony_protocol(ceremony_id: UUID) -> Protocol:
    """The protocol of a finished ceremony. Raises NotFound for one that is not there or not finished."""
    row = KeyCeremony.objects.filter(id=ceremony_id).exclude(transcript="").first()
    if row is None:
        raise NotFound("ceremony-unknown", "Ceremonin finns inte, eller har inget protokoll än.")
    return Protocol(transcript.file_name(row), row.transcript.encode(), transcript.readable(row))


def protocol_content(text: str) -> Mapping[str, Any]:
    """A protocol's values, as `pki.ceremonies.transcript.describe` makes them."""
    content: Mapping[str, Any] = json.loads(text)
    return content
