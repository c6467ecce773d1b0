"""Traversal of an audit chain: compares events in feed order with their seals, chunk by chunk, up to the first fault."""

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import models

from siths_portal.lib.audit.seals import GENESIS, link
from siths_portal.lib.database import feeds

CHUNK = 1000


@dataclass(frozen=True)
class Position:
    """The last seal that agreed: number and digest, and its event's cursor and time. Number 0 is before the first seal."""

    seq: int = 0
    digest: bytes = GENESIS
    cursor: feeds.Cursor = feeds.START
    at: dt.datetime | None = None


@dataclass(frozen=True)
class Sealed:
    """A seal that agrees with its event and with all earlier seals."""

    seq: int
    digest: bytes
    event_id: int
    at: dt.datetime


@dataclass(frozen=True)
class Fault:
    """The first wrong seal, with a Swedish text.

    `event_id` is the event that the seal refers to. A MAC may confirm one of the digests `computed` and `stored`. `alone` is true
    if a MAC confirms that only this seal or event was changed.
    """

    seq: int
    text: str
    event_id: int | None = None
    computed: bytes = b""
    stored: bytes = b""
    alone: bool = False


@dataclass(frozen=True)
class Step:
    """The result of one chunk: the seals that agree, the position after them, and the fault that ended it, if any."""

    sealed: Sequence[Sealed]
    position: Position
    fault: Fault | None = None


def begin(event_model: Any, seal_model: Any, start: int) -> Position | Fault:
    """Returns the position before seal `start`, or a fault if the previous seal or its event is missing.

    The previous seal's digest is trusted.
    """
    if start == 1:
        return Position()
    before = seal_model.objects.filter(seq=start - 1).first()
    if before is None:
        return Fault(start - 1, "sigillet saknas")
    event = event_model.objects.filter(id=before.event_id).first()
    if event is None:
        return Fault(before.seq, f"händelse {before.event_id} saknas", before.event_id)
    return Position(before.seq, bytes(before.digest), feeds.cursor_of(event), event.at)


def steps(event_model: Any, seal_model: Any, position: Position) -> Iterator[Step]:
    """Yields the steps from `position` to the chain's end or its first fault."""
    while True:
        rows = list(seal_model.objects.filter(seq__gt=position.seq).order_by("seq")[:CHUNK])
        if not rows:
            return
        step = advance(event_model, seal_model, rows, position)
        yield step
        if step.fault:
            return
        position = step.position


def advance(event_model: Any, seal_model: Any, rows: Sequence[Any], position: Position) -> Step:
    """Compares `rows`, the seals after `position`, with the events after it in the feed."""
    events = list(beyond(event_model, position.cursor).order_by("xid", "id")[: len(rows)])
    sealed: list[Sealed] = []
    for number, row in enumerate(rows):
        event = events[number] if number < len(events) else None
        fault = _fault(event_model, seal_model, row, event, position)
        if fault or event is None:
            return Step(sealed, position, fault)
        position = Position(row.seq, bytes(row.digest), feeds.cursor_of(event), event.at)
        sealed.append(Sealed(row.seq, position.digest, event.id, event.at))
    return Step(sealed, position)


def beyond(event_model: Any, cursor: feeds.Cursor) -> models.QuerySet[Any]:
    """Returns the events after `cursor` in the feed, sealed or not."""
    events: models.QuerySet[Any] = event_model.objects.filter(
        models.Q(xid__gt=cursor.xid) | models.Q(xid=cursor.xid, id__gt=cursor.id)
    )
    return events


def _fault(event_model: Any, seal_model: Any, row: Any, event: Any, position: Position) -> Fault | None:
    if row.seq != position.seq + 1:
        return Fault(position.seq + 1, "sigillet saknas")
    if event is None or row.event_id != event.id:
        return _misplaced(event_model, seal_model, row, event)
    computed = link(position.digest, event)
    if computed != bytes(row.digest):
        text = f"händelse {event.id} eller dess sigill är ändrat"
        return Fault(row.seq, text, event.id, computed, bytes(row.digest))
    if row.event_xid != event.xid:
        return Fault(row.seq, f"sigillet för händelse {event.id} har ett annat transaktionsnummer än händelsen", event.id)
    return None


def _misplaced(event_model: Any, seal_model: Any, row: Any, found: Any) -> Fault:
    """Returns the fault of a seal that refers to another event than the next one in the feed."""
    named = event_model.objects.filter(id=row.event_id).first()
    if named is None:
        return Fault(row.seq, f"händelse {row.event_id} saknas", row.event_id)
    if found is None:
        return Fault(row.seq, f"händelse {named.id} ligger före sin plats i kedjan", named.id)
    seal = seal_model.objects.filter(event_id=found.id).first()
    if seal is None:
        return Fault(row.seq, f"händelse {found.id} är inskjuten före kedjans slut, utan sigill", found.id)
    if named.xid != row.event_xid:
        return Fault(row.seq, f"ordningen är ändrad: händelse {named.id} eller dess sigill är flyttat", named.id)
    if seal.event_xid != found.xid:
        return Fault(seal.seq, f"ordningen är ändrad: händelse {found.id} är flyttad", found.id)
    return Fault(row.seq, f"ordningen är ändrad: sigillet gäller händelse {named.id}, men före den kommer {found.id}", named.id)


def stray(event_model: Any, seal_model: Any, position: Position) -> Fault | None:
    """Returns a fault if the number of events up to `position` differs from its seal number, else None.

    A traversal that starts at `position` does not see earlier events; this finds inserted and deleted ones.
    """
    here = position.cursor
    events = event_model.objects.filter(models.Q(xid__lt=here.xid) | models.Q(xid=here.xid, id__lte=here.id))
    if events.count() == position.seq:
        return None
    known = seal_model.objects.filter(event_id=models.OuterRef("id"))
    extra = events.filter(~models.Exists(known)).order_by("xid", "id").first()
    if extra is not None:
        later = models.Q(event_xid__gt=extra.xid) | models.Q(event_xid=extra.xid, event_id__gt=extra.id)
        following = seal_model.objects.filter(later).aggregate(first=models.Min("seq"))["first"]
        return Fault(following or position.seq, f"händelse {extra.id} är inskjuten före kedjans slut, utan sigill", extra.id)
    orphans = seal_model.objects.filter(seq__lte=position.seq).exclude(
        models.Exists(event_model.objects.filter(id=models.OuterRef("event_id")))
    )
    first = orphans.aggregate(first=models.Min("seq"))["first"]
    return Fault(first or position.seq, "färre händelser än sigill")
