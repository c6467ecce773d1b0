"""Calls that end: each operation runs in a thread of its own, which is given up when a C function does not return in time.

A C function cannot be cut short (E2.7), so the caller goes on without it, and the thread is replaced. What the thread
holds in this process is `lent` to it and is taken back at that moment. Only time inside the module counts (`inside`): the waits
for a lock or a session have limits of their own.
"""

import contextlib
import contextvars
import os
import threading
import time
from collections.abc import Callable, Iterator
from queue import SimpleQueue
from typing import Any


class GivenUp(Exception):
    """A call did not return in time. `began`: the token was at work, and may have done what was asked or do it yet."""

    def __init__(self, *, began: bool) -> None:
        super().__init__("a call into the module does not return")
        self.began = began


class _NobodyWaits(Exception):
    """Ends a thread that was given up and came back, before it takes anything more."""


class _Call:
    """One operation: what to do, what its thread holds meanwhile, and how it ended."""

    def __init__(self, work: Callable[[], Any], seconds: float) -> None:
        self.began = False
        self.lost = False
        self._work = work
        self._seconds = seconds
        self._context = contextvars.copy_context()
        self._guard = threading.Lock()
        self._loans: dict[object, Callable[[], None]] = {}
        self._since: float | None = None
        self._result: Any = None
        self._error: BaseException | None = None
        self._ended = threading.Lock()
        self._ended.acquire()

    def execute(self, worker: "_Worker") -> None:
        """In the call's thread: does the work and tells the caller, unless nobody waits any more."""
        _here.call = self
        try:
            self._result = self._context.run(self._work)
        except BaseException as error:  # noqa: BLE001  (raised in the caller's thread)
            self._error = error
        finally:
            _here.call = None
        with self._guard:
            if self.lost:
                return
            self._since = None
            _idle.append(worker)
            self._ended.release()

    def outcome(self) -> Any:
        """In the caller's thread: waits for the result. Raises what the work raised, or GivenUp."""
        pause = self._seconds
        while not self._ended.acquire(timeout=pause):
            since = self._since
            left = self._seconds if since is None else since + self._seconds - time.monotonic()
            if left <= 0 and self._give_up():
                raise GivenUp(began=self.began)
            pause = max(left, 0.01)
        if self._error is None:
            return self._result
        error, self._error = self._error, None
        try:
            raise error
        finally:
            del error  # which would hold on to this frame, and this frame to it

    def _give_up(self) -> bool:
        with self._guard:
            if not self._ended.locked():
                return False
            self.lost = True
            loans, self._loans = list(self._loans.values()), {}
        for when_lost in reversed(loans):
            when_lost()
        return True

    def enter(self) -> None:
        """Starts the clock. Raises _NobodyWaits in a thread that was given up."""
        with self._guard:
            if self.lost:
                raise _NobodyWaits
            self._since = time.monotonic()

    def leave(self) -> None:
        """Stops the clock."""
        self._since = None

    def lend(self, loan: object, when_lost: Callable[[], None]) -> None:
        """Notes what to do if the call is given up. Raises _NobodyWaits in a thread that was."""
        with self._guard:
            if self.lost:
                raise _NobodyWaits
            self._loans[loan] = when_lost

    def settle(self, loan: object) -> bool:
        """True if what was lent is still the thread's to give back."""
        with self._guard:
            return self._loans.pop(loan, None) is not None


class _Worker:
    """A thread that does one call after the other until one of them is given up."""

    def __init__(self) -> None:
        self.inbox: SimpleQueue[_Call] = SimpleQueue()
        threading.Thread(target=self._loop, name="hsm-call", daemon=True).start()

    def _loop(self) -> None:
        lost = False
        while not lost:
            call = self.inbox.get()
            call.execute(self)
            lost = call.lost
            del call  # and with it the result, which may be a secret


class _Here(threading.local):
    call: _Call | None = None


_here = _Here()
_idle: list[_Worker] = []


def run[T](work: Callable[[], T], seconds: float) -> T:
    """The result of `work`, done in another thread. Raises GivenUp if that is inside the module for longer than `seconds`.

    With 0 the work is done in this thread, without a limit; so it is for work within work.
    """
    if seconds <= 0 or _here.call is not None:
        return work()
    try:
        worker = _idle.pop()
    except IndexError:
        worker = _Worker()
    call = _Call(work, seconds)
    worker.inbox.put(call)
    result: T = call.outcome()
    return result


def begin() -> None:
    """Notes that the token is now asked to do what the call is for."""
    if _here.call is not None:
        _here.call.began = True


def step() -> None:
    """Begins the next part of a long call: the limit counts anew from here. Ends a thread that was given up."""
    if _here.call is not None:
        _here.call.enter()


def is_lost() -> bool:
    """True in a thread that was given up."""
    return _here.call is not None and _here.call.lost


@contextlib.contextmanager
def inside() -> Iterator[None]:
    """The calling thread is in the module, where the limit counts."""
    call = _here.call
    if call is None:
        yield
        return
    call.enter()
    try:
        yield
    finally:
        call.leave()


@contextlib.contextmanager
def lent(
    give_back: Callable[[], None], *, when_lost: Callable[[], None] | None = None, late: Callable[[], None] | None = None
) -> Iterator[None]:
    """Holds what was just acquired; `give_back` is called once: at the end, or when the call is given up.

    Where giving back means something else then, `when_lost` is called at that moment and `late` when the thread comes back.
    """
    call, loan = _here.call, object()
    if call is not None:
        try:
            call.lend(loan, when_lost or give_back)
        except _NobodyWaits:
            give_back()
            raise
    try:
        yield
    finally:
        if call is None or call.settle(loan):
            give_back()
        elif late is not None:
            late()


def _forget_threads() -> None:
    _idle.clear()
    _here.call = None


# The threads of the parent are not in the child.
os.register_at_fork(after_in_child=_forget_threads)
