"""Sessions of one token: one that is logged in and does no work, and a few that do the work and never log in.

A login belongs to process and token, not to the session; closing the session that logged in would log out all.
"""

import contextlib
import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pkcs11
import structlog
from pkcs11 import exceptions

from pki.hsm import metrics
from pki.hsm.calls import inside, is_lost, lent
from pki.hsm.errors import HsmConfigError, HsmPinError, HsmUnavailable
from pki.hsm.process_lock import turn

if TYPE_CHECKING:
    from pkcs11 import _pkcs11

log = structlog.get_logger(__name__)

MAX_SESSIONS = 4
BUSY_SECONDS = 30.0
BACK_OFF_SECONDS = (1, 2, 5, 10, 30)

PIN_ERRORS = (
    exceptions.PinExpired,
    exceptions.PinIncorrect,
    exceptions.PinInvalid,
    exceptions.PinLenRange,
    exceptions.PinLocked,
)

# Digests of refused PINs. They survive a fork, so that no child spends one more of the token's attempts.
_refused_pins: dict[str, bytes] = {}


def _digest(token_label: str, pin: str) -> bytes:
    return hashlib.pbkdf2_hmac("sha256", pin.encode(), token_label.encode(), 1000)


@dataclass
class WorkSession:
    """A session used by one thread at a time, with the objects already found in it, by class and CKA_ID, and their purposes."""

    session: pkcs11.Session
    found: dict[tuple[pkcs11.ObjectClass, str], pkcs11.Object] = field(default_factory=dict)
    purposes: dict[str, str] = field(default_factory=dict)


class SessionPool:
    """At most `MAX_SESSIONS` work sessions, last used first, and the circuit breaker that fails fast while the token is away."""

    def __init__(self, token_label: str) -> None:
        self.token_label = token_label
        self._idle: list[WorkSession] = []
        self._epoch = 0
        self._idle_lock = threading.Lock()
        self._free = threading.BoundedSemaphore(MAX_SESSIONS)
        self._login: pkcs11.Session | None = None
        self._login_lock = threading.Lock()
        self._serial: bytes | None = None
        self._circuit_lock = threading.Lock()
        self._failures = 0
        self._closed_until = 0.0

    def forget(self) -> None:
        """Drops all sessions without a call to the module: they ended with its generation."""
        with self._idle_lock:
            self._idle.clear()
            self._epoch += 1
        self._login = None

    @contextlib.contextmanager
    def session(self, lib: "_pkcs11.lib", read_pin: Callable[[], str]) -> Iterator[WorkSession]:
        """Yields a work session of a logged-in token. A session in which something failed is not used again."""
        if not self._free.acquire(timeout=BUSY_SECONDS):
            raise HsmUnavailable("all sessions of the token are busy")
        metrics.session_taken(self.token_label)
        with lent(self._release):
            token = self._logged_in(lib, read_pin)
            work, epoch = self._take(token)
            try:
                with inside():
                    yield work
            except BaseException:
                # An operation may be active in it. If it died with its token, closing it fails and does not matter. In an
                # abandoned thread that came back, another session may have its number by now.
                if not is_lost():
                    with contextlib.suppress(exceptions.PKCS11Error):
                        work.session.close()
                raise
            self._put_back(work, epoch)

    def _release(self) -> None:
        metrics.session_given_back(self.token_label)
        self._free.release()

    def open_for_writing(self, lib: "_pkcs11.lib", read_pin: Callable[[], str]) -> pkcs11.Session:
        """Returns a new session that may create token objects; the caller closes it."""
        return self._logged_in(lib, read_pin).open(rw=True)

    def _take(self, token: pkcs11.Token) -> tuple[WorkSession, int]:
        with self._idle_lock:
            epoch = self._epoch
            if self._idle:
                return self._idle.pop(), epoch
        with inside():
            return WorkSession(token.open()), epoch

    def _put_back(self, work: WorkSession, epoch: int) -> None:
        with self._idle_lock:
            if epoch == self._epoch:
                self._idle.append(work)

    def _logged_in(self, lib: "_pkcs11.lib", read_pin: Callable[[], str]) -> pkcs11.Token:
        if not self._login_lock.acquire(timeout=BUSY_SECONDS):
            raise HsmUnavailable("another thread is logging in")
        with lent(self._login_lock.release):
            if self._login is None:
                with turn(lib.so):
                    self._login = self._log_in(lib, read_pin())
            token: pkcs11.Token = self._login.token
            return token

    def _find_token(self, lib: "_pkcs11.lib") -> pkcs11.Token:
        tokens = [slot.get_token() for slot in lib.get_slots(token_present=True)]
        matching = [token for token in tokens if token.label == self.token_label]
        if not matching:
            raise exceptions.TokenNotPresent
        if len(matching) > 1:
            raise HsmConfigError("several tokens have the label in the settings")
        (token,) = matching
        if self._serial is None:
            self._serial = token.serial
        if token.serial != self._serial:
            raise HsmConfigError("another token has taken the label of the one that was used before")
        return token

    def _log_in(self, lib: "_pkcs11.lib", pin: str) -> pkcs11.Session:
        digest = _digest(self.token_label, pin)
        try:
            with inside():
                token = self._find_token(lib)
                if _refused_pins.get(self.token_label) == digest:
                    raise HsmPinError("the token has refused this PIN before")
                return self._open_logged_in(token, pin)
        except PIN_ERRORS as error:
            metrics.failed(error)
            _refused_pins[self.token_label] = digest
            log.error("hsm.login_refused", reason=type(error).__name__)
            raise HsmPinError(type(error).__name__) from None

    @staticmethod
    def _open_logged_in(token: pkcs11.Token, pin: str) -> pkcs11.Session:
        try:
            return token.open(user_pin=pin)
        except exceptions.UserAlreadyLoggedIn:
            return token.open()

    def check_circuit(self) -> None:
        """Raises HsmUnavailable at once while the token has recently failed twice in a row."""
        if time.monotonic() < self._closed_until:
            raise HsmUnavailable("the token failed a moment ago")

    def succeeded(self) -> None:
        """Closes the circuit breaker."""
        if not self._failures:
            return
        with self._circuit_lock:
            self._failures, self._closed_until = 0, 0.0
            metrics.circuit(self.token_label, is_open=False)

    def failed(self) -> None:
        """Opens the circuit breaker for 1, 2, 5, 10 and then 30 seconds. Concurrent calls count as one failure."""
        with self._circuit_lock:
            now = time.monotonic()
            if now < self._closed_until:
                return
            pause = BACK_OFF_SECONDS[min(self._failures, len(BACK_OFF_SECONDS) - 1)]
            self._failures += 1
            self._closed_until = now + pause
            metrics.circuit(self.token_label, is_open=True)
        log.error("hsm.unavailable", pause_seconds=pause)
