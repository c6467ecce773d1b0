"""Calls with a time limit: each operation runs in its own thread, which is abandoned if a C function does not return in time.

A C function cannot be interrupted (E2.7), so the caller continues without it, and a new thread replaces the old one. What the
thread holds in this process is `lent` to it and is taken back at that moment. Only time inside the module counts (`inside`):
waiting for a lock or a session has its own limit.
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
    """A call did not return in time. `began`: the token had started, and may have carried out the operation or still do so."""

    def __init__(self, *, began: bool) -> None:
        super().__init__("a call into the module does not return")
        self.began = began


class _Abandoned(Exception):
    """Ends an abandoned thread that came back, before it acquires anything more."""


class _Call:
    """One operation: the work, what its thread holds in the meantime, and how it ended."""

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
        """Runs the work in the call's thread and wakes the caller, unless the call was abandoned."""
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
        """Waits in the caller's thread for the result. Raises what the work raised, or GivenUp."""
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
            del error  # a local `error` would refer to this frame, and this frame to it

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
        """Starts the clock. Raises _Abandoned in an abandoned thread."""
        with self._guard:
            if self.lost:
                raise _Abandoned
            self._since = time.monotonic()

    def leave(self) -> None:
        """Stops the clock."""
        self._since = None

    def lend(self, loan: object, when_lost: Callable[[], None]) -> None:
        """Registers what to do if the call is abandoned. Raises _Abandoned in an abandoned thread."""
        with self._guard:
            if self.lost:
                raise _Abandoned
            self._loans[loan] = when_lost

    def settle(self, loan: object) -> bool:
        """Returns True if the thread still has to give back the loan."""
        with self._guard:
            return self._loans.pop(loan, None) is not None


class _Worker:
    """A thread that executes one call after another until one of them is abandoned."""

    def __init__(self) -> None:
        self.inbox: SimpleQueue[_Call] = SimpleQueue()
        threading.Thread(target=self._loop, name="hsm-call", daemon=True).start()

    def _loop(self) -> None:
        lost = False
        while not lost:
            call = self.inbox.get()
            call.execute(self)
            lost = call.lost
            del call  # and thereby the result, which may be a secret


class _Here(threading.local):
    call: _Call | None = None


_here = _Here()
_idle: list[_Worker] = []


def run[T](work: Callable[[], T], seconds: float) -> T:
    """Returns the result of `work`, run in another thread. Raises GivenUp if it is inside the module for more than `seconds`.

    With 0 the work runs in this thread, without a limit; so does work that is started within work.
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
    """Marks that the token now starts the operation of this call."""
    if _here.call is not None:
        _here.call.began = True


def step() -> None:
    """Begins the next part of a long call: the limit restarts here. Ends an abandoned thread."""
    if _here.call is not None:
        _here.call.enter()


def is_lost() -> bool:
    """Returns True in an abandoned thread."""
    return _here.call is not None and _here.call.lost


@contextlib.contextmanager
def inside() -> Iterator[None]:
    """Marks that the calling thread is in the module, where the limit counts."""
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
    """Holds what was just acquired; `give_back` is called once: at the end, or when the call is abandoned.

    If an abandoned call needs something else, `when_lost` is called at that moment and `late` when the thread comes back.
    """
    call, loan = _here.call, object()
    if call is not None:
        try:
            call.lend(loan, when_lost or give_back)
        except _Abandoned:
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


# A forked child does not have the parent's threads.
os.register_at_fork(after_in_child=_forget_threads)
