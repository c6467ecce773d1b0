"""Verifying one audit chain with all that is known of it: events, seals, MACs, signed heads."""

import dataclasses
import datetime as dt
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from django.db import models

from siths_portal.lib import clock
from siths_portal.lib.audit import macs as audit_macs
from siths_portal.lib.audit import traversal
from siths_portal.lib.audit.heads import Mark
from siths_portal.lib.audit.keys import AuditKeys, KeysUnavailable


@dataclass(frozen=True)
class Verification:
    """What a walk found. `first_bad` is the number of the first seal that is not as it must be, `fault` says what; else None.

    `since` is the time of the last event that agreed, number `reached`; up to `until` nothing is vouched for, None: up to now.
    `macs` counts MACs that were recomputed with the token, None if it was not asked; `macs_missing` seals that wait for one.
    """

    checked: int
    reached: int
    first_bad: int | None = None
    fault: str | None = None
    since: dt.datetime | None = None
    until: dt.datetime | None = None
    macs: int | None = None
    macs_missing: int = 0
    token_silent: bool = False
    unsealed: int = 0
    unsealed_since: dt.datetime | None = None

    @property
    def ok(self) -> bool:
        """True if everything that was compared agrees."""
        return self.first_bad is None

    def but(self, seq: int, text: str) -> "Verification":
        """The same with a fault that something outside the database knows of."""
        beyond = seq > self.reached
        since, until = (self.since, None) if beyond else (None, self.since)
        return dataclasses.replace(self, first_bad=seq, fault=text, since=since, until=until)


def age(verification: Verification) -> dt.timedelta:
    """How long the oldest unsealed event has waited; zero if none waits."""
    if verification.unsealed_since is None:
        return dt.timedelta()
    return clock.now() - verification.unsealed_since


type Marks = Callable[[], Iterable[Mark]]


@dataclass(frozen=True)
class Tables:
    """One application's events, their seals and the MACs over them."""

    app: str
    events: Any
    seals: Any
    macs: Any


def verify(tables: Tables, *, keys: AuditKeys | None = None, marks: Marks = tuple, start: int = 1) -> Verification:
    """Walks the chain from seal `start` to its end in flat memory. Without `keys`, MACs are counted and not recomputed."""
    if keys is not None:
        try:
            return _Walk(tables, keys, marks, start).walk()
        except KeysUnavailable:
            return dataclasses.replace(_Walk(tables, None, marks, start).walk(), token_silent=True)
    return _Walk(tables, None, marks, start).walk()


class _Walk:
    def __init__(self, tables: Tables, keys: AuditKeys | None, marks: Marks, start: int) -> None:
        self.tables = tables
        self.start = start
        self.position = traversal.Position()
        self.checked = 0
        self.reader = audit_macs.Reader(tables.app, tables.macs, keys, start)
        self.with_keys = keys is not None
        self.marks = (mark for mark in marks() if mark.seq >= start)
        self.mark = next(self.marks, None)
        self.passed: Mark | None = None

    def walk(self) -> Verification:
        """The whole of it."""
        begun = traversal.begin(self.tables.events, self.tables.seals, self.start)
        if isinstance(begun, traversal.Fault):
            return self._bad(begun)
        if self.start > 1 and (fault := traversal.stray(self.tables.events, self.tables.seals, begun)):
            return self._bad(fault)
        self.position = begun
        for step in traversal.steps(self.tables.events, self.tables.seals, begun):
            if fault := self._first(step):
                good = [each for each in step.sealed if each.seq < fault.seq]
                self._advance(good)
                return self._bad(fault)
            self._advance(step.sealed)
        if self.mark is not None:
            return self._cut(self.mark)
        return self._tail()

    def _first(self, step: traversal.Step) -> traversal.Fault | None:
        """The first of what the MACs, the signed heads and the walk itself find in this step."""
        found = [self.reader.first_wrong(step.sealed), self._against_marks(step.sealed)]
        if step.fault:
            found.append(self.reader.judged(step.fault))
        return min((each for each in found if each), key=lambda each: each.seq, default=None)

    def _against_marks(self, sealed: Iterable[traversal.Sealed]) -> traversal.Fault | None:
        for each in sealed:
            while self.mark is not None and self.mark.seq == each.seq:
                if self.mark.digest != each.digest:
                    earlier = self.passed.seq if self.passed else self.start - 1
                    text = (
                        f"sigillet är inte det som huvud nr {self.mark.number} styrkte; det första ändrade följer efter {earlier}"
                    )
                    return traversal.Fault(each.seq, text)
                self.passed, self.mark = self.mark, next(self.marks, None)
        return None

    def _advance(self, sealed: Any) -> None:
        if sealed:
            last = sealed[-1]
            self.position = traversal.Position(last.seq, last.digest, at=last.at)
            self.checked += len(sealed)

    def _cut(self, mark: Mark) -> Verification:
        """The chain ends before what was signed."""
        newest = mark
        for later in self.marks:
            newest = later
        text = f"sigill saknas fram till nummer {newest.seq}, som huvud nr {newest.number} styrkte"
        return dataclasses.replace(self._bad(traversal.Fault(self.position.seq + 1, text)), until=newest.at)

    def _bad(self, fault: traversal.Fault) -> Verification:
        return Verification(
            self.checked,
            self.position.seq,
            first_bad=fault.seq,
            fault=fault.text,
            since=self.position.at,
            until=self._until(fault),
            macs=self.reader.checked if self.with_keys else None,
            macs_missing=self.reader.waiting,
        )

    def _until(self, fault: traversal.Fault) -> dt.datetime | None:
        """The time of the next event that is vouched for: the following one's if only this one's was touched, else none's."""
        seals = self.tables.seals.objects.filter(seq__gt=fault.seq)
        following = seals.order_by("seq").first() if fault.alone else None
        if following is None or not self.reader.vouches(following.seq, bytes(following.digest)):
            following = seals.order_by("-seq").first()
        event = self.tables.events.objects.filter(id=following.event_id).first() if following else None
        return event.at if event else None

    def _tail(self) -> Verification:
        newest = self.tables.seals.objects.order_by("-seq").first()
        waiting = self.tables.events.objects.all()
        if newest is not None:
            waiting = waiting.filter(models.Q(xid__gt=newest.event_xid) | models.Q(xid=newest.event_xid, id__gt=newest.event_id))
        first = waiting.aggregate(n=models.Count("id"), since=models.Min("at"))
        return Verification(
            self.checked,
            self.position.seq,
            since=self.position.at,
            macs=self.reader.checked if self.with_keys else None,
            macs_missing=self.reader.waiting,
            unsealed=first["n"],
            unsealed_since=first["since"] if first["n"] else None,
        )
