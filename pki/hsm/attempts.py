"""Runs one operation in a token: in a thread that can be abandoned, and a second time after a reconnect if the sessions died."""

from collections.abc import Callable

import structlog
from pkcs11 import exceptions

from pki.hsm import calls, metrics
from pki.hsm.errors import HsmError, HsmUnavailable
from pki.hsm.module import Module, module
from pki.hsm.sessions import WorkSession

log = structlog.get_logger(__name__)

CALL_SECONDS = 10.0
# Creating an RSA-4096 key takes seconds, and the time varies.
LONG_FACTOR = 12

# After these errors the sessions cannot be trusted: the module is re-initialised, keys are looked up again, the call is repeated
# once.
_DEAD = (
    exceptions.DeviceError,
    exceptions.DeviceRemoved,
    exceptions.FunctionFailed,
    exceptions.GeneralError,
    exceptions.KeyHandleInvalid,
    exceptions.ObjectHandleInvalid,
    exceptions.SessionClosed,
    exceptions.SessionHandleInvalid,
    exceptions.SlotIDInvalid,
    exceptions.TokenNotPresent,
    exceptions.UserNotLoggedIn,
)
# Returned when the function is invoked, before any work (PKCS #11 2.40 section 5.1). CKR_SESSION_CLOSED comes during the work.
_NOT_BEGUN = (
    exceptions.KeyHandleInvalid,
    exceptions.ObjectHandleInvalid,
    exceptions.SessionHandleInvalid,
    exceptions.SlotIDInvalid,
    exceptions.TokenNotPresent,
    exceptions.UserNotLoggedIn,
)


def _is_dead(error: exceptions.PKCS11Error) -> bool:
    return isinstance(error, _DEAD) or _is_uninitialised(error)


def _is_uninitialised(error: exceptions.PKCS11Error) -> bool:
    # python-pkcs11 has no class of its own for CKR_CRYPTOKI_NOT_INITIALIZED.
    return "not initialized" in str(error)


class _SessionsDied(Exception):
    def __init__(self, generation: int, cause: str, *, began: bool) -> None:
        super().__init__(cause)
        self.generation = generation
        self.began = began


class Attempts:
    """Runs operations in the token with this label."""

    def __init__(
        self,
        *,
        path: str,
        token_label: str,
        read_pin: Callable[[], str],
        locking: str = "auto",
        call_seconds: float = CALL_SECONDS,
        module_arguments: str = "",
    ) -> None:
        self._path = path
        self._locking = locking
        self._arguments = module_arguments
        self._read_pin = read_pin
        self._seconds = call_seconds
        self.token_label = token_label

    @property
    def module(self) -> Module:
        """The token's module in this process."""
        return module(self._path, self._locking, self._arguments)

    def _run[T](self, operation: Callable[[WorkSession], T], *, factor: int = 1) -> T:
        here = self.module
        pool = here.pool(self.token_label)
        pool.check_circuit()
        try:
            result = calls.run(lambda: self._twice(here, operation), self._seconds * factor)
        except HsmUnavailable:
            pool.failed()
            raise
        except calls.GivenUp as lost:
            metrics.given_up()
            log.critical("hsm.call_given_up", token=self.token_label, began=lost.began)
            pool.failed()
            raise HsmUnavailable(str(lost), began=lost.began) from None
        pool.succeeded()
        return result

    def _twice[T](self, here: Module, operation: Callable[[WorkSession], T]) -> T:
        began = False
        try:
            try:
                return self._attempt(here, operation)
            except _SessionsDied as died:
                began = died.began
                here.restart(died.generation)
                return self._attempt(here, operation)
        except (_SessionsDied, HsmUnavailable) as error:
            raise HsmUnavailable(str(error), began=began or error.began) from error
        except HsmError as error:
            error.began = error.began or began
            raise

    def _attempt[T](self, here: Module, operation: Callable[[WorkSession], T]) -> T:
        began = False
        with here.entered() as generation:
            try:
                with here.pool(self.token_label).session(here.lib, self._read_pin) as work:
                    began = True
                    calls.begin()
                    return operation(work)
            except exceptions.PKCS11Error as error:
                metrics.failed(error)
                cause, dead = f"{type(error).__name__}: {error}".rstrip(": "), _is_dead(error)
                began = began and not isinstance(error, _NOT_BEGUN) and not _is_uninitialised(error)
            # The error is released before the module is: an object that it refers to would otherwise end a search of a later
            # session.
        if not dead:
            raise HsmError(cause, began=began)
        log.warning("hsm.session_died", error=cause)
        raise _SessionsDied(generation, cause, began=began)

    def is_present(self) -> bool:
        """Whether a token with this label is present. Opens no session; an absent token is not a failure of the module."""
        here = self.module

        def look() -> bool:
            with here.entered(), calls.inside():
                return any(slot.get_token().label == self.token_label for slot in here.lib.get_slots(token_present=True))

        def look_again() -> bool:
            generation = here.generation
            try:
                return look()
            except exceptions.PKCS11Error:
                here.restart(generation)
                return look()

        try:
            return calls.run(look_again, self._seconds)
        except (exceptions.PKCS11Error, calls.GivenUp) as error:
            raise HsmUnavailable(type(error).__name__) from None

    def _run_writing[T](self, operation: Callable[[WorkSession], T], *, factor: int = 1) -> T:
        """Runs `operation` in a separate session that may create token objects."""
        here = self.module

        def in_new_session(_work: WorkSession) -> T:
            session = here.pool(self.token_label).open_for_writing(here.lib, self._read_pin)
            try:
                return operation(WorkSession(session))
            finally:
                session.close()

        return self._run(in_new_session, factor=factor)
