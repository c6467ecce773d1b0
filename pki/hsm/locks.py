"""A shared lock with exclusive mode; an exclusive request goes first. Abandoned threads do not count."""

import contextlib
import threading
import time
from collections.abc import Iterator

from pki.hsm.calls import lent
from pki.hsm.errors import HsmUnavailable


class SharedLock:
    """Shared by operations in the module, held exclusively while the module is finalised. Not re-entrant.

    `lost` counts threads that shared it and were abandoned inside the module. While a thread that held it exclusively is
    abandoned, nobody gets the lock: HsmUnavailable.
    """

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._sharing = 0
        self._exclusive = False
        self._stuck = False
        self._waiting = 0
        self.lost = 0

    @contextlib.contextmanager
    def shared(self) -> Iterator[None]:
        """Holds the lock together with others."""
        with self._condition:
            while self._exclusive or self._waiting:
                self._refuse_stuck()
                self._condition.wait()
            self._sharing += 1
        with lent(lambda: self._share(-1), when_lost=lambda: self._share(-1, lost=1), late=lambda: self._share(0, lost=-1)):
            yield

    def _share(self, change: int, *, lost: int = 0) -> None:
        with self._condition:
            self._sharing += change
            self.lost += lost
            self._condition.notify_all()

    @contextlib.contextmanager
    def exclusive(self) -> Iterator[None]:
        """Holds the lock exclusively, once all others have released it."""
        self.acquire_exclusive(timeout=None)
        with lent(self.release_exclusive, when_lost=self._stick, late=self.release_exclusive):
            yield

    def acquire_exclusive(self, *, timeout: float | None) -> bool:
        """Waits up to `timeout` seconds for exclusive mode. Returns False if the time ran out."""
        deadline = None if timeout is None else time.monotonic() + timeout
        with self._condition:
            self._waiting += 1
            try:
                while self._exclusive or self._sharing:
                    self._refuse_stuck()
                    rest = None if deadline is None else deadline - time.monotonic()
                    if rest is not None and rest <= 0:
                        return False
                    self._condition.wait(rest)
                self._exclusive = True
                return True
            finally:
                self._waiting -= 1
                self._condition.notify_all()

    def release_exclusive(self) -> None:
        """Releases the lock that `acquire_exclusive` took."""
        with self._condition:
            self._exclusive = self._stuck = False
            self._condition.notify_all()

    def _stick(self) -> None:
        with self._condition:
            self._stuck = True
            self._condition.notify_all()

    def _refuse_stuck(self) -> None:
        if self._stuck:
            raise HsmUnavailable("an earlier call into the module has not returned")
