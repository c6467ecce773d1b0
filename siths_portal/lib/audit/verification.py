"""Verification of one audit chain against its events, seals, MACs and signed heads."""

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
    """The result of a verification. `first_bad` is the number of the first wrong seal and `fault` a Swedish text; else None.

    `reached` is the number of the last seal that agreed, `since` the time of its event. Events between `since` and `until` are
    not confirmed; `until` is None if no later event is. `macs` counts the MACs that the token recomputed (None without keys),
    `macs_missing` the seals without a MAC.
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
        """Returns a copy with a fault that a file outside the database shows."""
        beyond = seq > self.reached
        since, until = (self.since, None) if beyond else (None, self.since)
        return dataclasses.replace(self, first_bad=seq, fault=text, since=since, until=until)


def age(verification: Verification) -> dt.timedelta:
    """Returns how long the oldest unsealed event has waited, or zero."""
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
    """Verifies the chain from seal `start` to its end with constant memory. Without `keys` it counts MACs and recomputes none.

    `token_silent` in the result means that the token did not respond, so no MAC was recomputed.
    """
    if keys is not None:
        try:
            return _Verifier(tables, keys, marks, start).run()
        except KeysUnavailable:
            return dataclasses.replace(_Verifier(tables, None, marks, start).run(), token_silent=True)
    return _Verifier(tables, None, marks, start).run()


class _Verifier:
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

    def run(self) -> Verification:
        """Verifies the chain up to its end or its first fault."""
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
        """Returns the first fault that the MACs, the signed heads or the traversal found in this step."""
        faults = [self.reader.first_wrong(step.sealed), self._against_marks(step.sealed)]
        if step.fault:
            faults.append(self.reader.judged(step.fault))
        return min((each for each in faults if each), key=lambda each: each.seq, default=None)

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
        """Returns the result for a chain that ends before the signed head `mark`."""
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
        """Returns the time of the following event if a MAC confirms it, else of the newest sealed event."""
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
