"""A lock that many may share and one may hold alone; who wants it alone goes first."""

import contextlib
import threading
import time
from collections.abc import Iterator


class SharedLock:
    """Shared by operations in the module, held alone while the module is finalised. Not re-entrant."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._sharing = 0
        self._alone = False
        self._waiting = 0

    @contextlib.contextmanager
    def shared(self) -> Iterator[None]:
        """Holds the lock together with others."""
        with self._condition:
            while self._alone or self._waiting:
                self._condition.wait()
            self._sharing += 1
        try:
            yield
        finally:
            with self._condition:
                self._sharing -= 1
                self._condition.notify_all()

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Holds the lock when everyone else has let go."""
        self.acquire_alone(timeout=None)
        try:
            yield
        finally:
            self.release_alone()

    def acquire_alone(self, *, timeout: float | None) -> bool:
        """Waits up to `timeout` seconds for the lock. False if it was not to be had."""
        deadline = None if timeout is None else time.monotonic() + timeout
        with self._condition:
            self._waiting += 1
            try:
                while self._alone or self._sharing:
                    rest = None if deadline is None else deadline - time.monotonic()
                    if rest is not None and rest <= 0:
                        return False
                    self._condition.wait(rest)
                self._alone = True
                return True
            finally:
                self._waiting -= 1
                self._condition.notify_all()

    def release_alone(self) -> None:
        """Lets go of what `acquire_alone` took."""
        with self._condition:
            self._alone = False
            self._condition.notify_all()
