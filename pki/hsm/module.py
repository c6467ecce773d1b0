"""The PKCS #11 module in this process: initialised for threads, finalised by a single thread, discarded in a forked child.

python-pkcs11 calls C_Initialize(NULL), which declares a single thread to the module, and then lets threads run in it at once; so
the module is finalised and initialised again with CKF_OS_LOCKING_OK (PKCS #11 2.40 section 5.4). If the module refuses that,
every call takes one lock instead.
"""

import contextlib
import ctypes
import os
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pkcs11
import structlog
from pkcs11.exceptions import PKCS11Error

from pki.hsm import metrics
from pki.hsm.calls import inside
from pki.hsm.errors import HsmConfigError, HsmUnavailable
from pki.hsm.locks import SharedLock
from pki.hsm.process_lock import turn
from pki.hsm.sessions import SessionPool
from siths_portal.lib import faults

if TYPE_CHECKING:
    from pkcs11 import _pkcs11

log = structlog.get_logger(__name__)

CKF_OS_LOCKING_OK = 0x2
CKR_OK = 0x0
CKR_CRYPTOKI_ALREADY_INITIALIZED = 0x191
FORK_WAIT_SECONDS = 5.0


class _InitializeArguments(ctypes.Structure):
    """CK_C_INITIALIZE_ARGS."""

    _fields_ = [
        ("create_mutex", ctypes.c_void_p),
        ("destroy_mutex", ctypes.c_void_p),
        ("lock_mutex", ctypes.c_void_p),
        ("unlock_mutex", ctypes.c_void_p),
        ("flags", ctypes.c_ulong),
        ("reserved", ctypes.c_char_p),
    ]


_CALL = ctypes.CFUNCTYPE(ctypes.c_ulong, ctypes.c_void_p)


class _FunctionList(ctypes.Structure):
    """The head of CK_FUNCTION_LIST."""

    _fields_ = [("version", ctypes.c_ubyte * 2), ("initialize", _CALL), ("finalize", _CALL)]


class Module:
    """One module in one process.

    `locking` is `auto`, `os` or `global` and is used at the next initialisation. `arguments` is the text that some modules
    require (`pReserved` of CK_C_INITIALIZE_ARGS; NSS finds its database by it). `generation` counts initialisations; sessions of
    an earlier one are never used.
    """

    def __init__(self, path: str, locking: str, arguments: str = "") -> None:
        self.path = path
        self.arguments = arguments
        self.generation = 0
        self.global_lock = locking == "global"
        self.locking = locking
        self._lock = SharedLock()
        self._pools: dict[str, SessionPool] = {}
        self._pools_lock = threading.Lock()

    @property
    def lib(self) -> "_pkcs11.lib":
        """The module as an object of python-pkcs11."""
        return pkcs11.lib(self.path)

    def pool(self, token_label: str) -> SessionPool:
        """The sessions of one token."""
        with self._pools_lock:
            if token_label not in self._pools:
                self._pools[token_label] = SessionPool(token_label)
            return self._pools[token_label]

    @contextlib.contextmanager
    def entered(self) -> Iterator[int]:
        """Lets the calling thread into the module, with others if the module allows it, and yields the generation."""
        if self.generation == 0:
            self.restart(0)
        with self._lock.exclusive() if self.global_lock else self._lock.shared():
            yield self.generation

    def restart(self, generation: int) -> None:
        """Re-initialises the module unless another thread has done so since `generation`. Raises HsmUnavailable."""
        with self._lock.exclusive():
            if self.generation != generation:
                return
            for pool in self._pools.values():
                pool.forget()
            faults.die_within("log-in to a token", lambda: turn(self.path))
            with turn(self.path), inside():
                self._initialise(threads_inside=self._lock.lost)
            self.generation += 1
            if generation:
                metrics.reconnected()
        if generation:
            log.warning("hsm.restarted", generation=self.generation)

    def _initialise(self, threads_inside: int) -> None:
        """Finalises and initialises the library.

        With abandoned threads inside it is not finalised, which would be undefined (PKCS #11 2.40 section 5.4): new sessions are
        opened, and this process can do no more.
        """
        try:
            pkcs11.lib(self.path)
        except PKCS11Error as error:
            if "loading" in str(error):
                raise HsmConfigError("the PKCS#11 module cannot be loaded") from error
            raise HsmUnavailable("the PKCS#11 module does not start") from error
        functions = ctypes.POINTER(_FunctionList)()
        if ctypes.CDLL(self.path).C_GetFunctionList(ctypes.byref(functions)) != CKR_OK:
            raise HsmConfigError("the PKCS#11 module has no function list")
        good = {CKR_OK}
        if threads_inside:
            log.error("hsm.not_finalised", threads_inside=threads_inside)
            good.add(CKR_CRYPTOKI_ALREADY_INITIALIZED)
        else:
            # In a forked child some modules return "not initialised" here, which has the same effect.
            functions.contents.finalize(None)
        if self.locking != "global":
            if self._call_initialize(functions.contents, CKF_OS_LOCKING_OK) in good:
                self.global_lock = False
                return
            if self.locking == "os":
                raise HsmConfigError("the PKCS#11 module refuses operating system locks (HSM_LOCKING=os)")
        self.global_lock = True
        if self._call_initialize(functions.contents, 0) not in good:
            raise HsmUnavailable("the PKCS#11 module does not start")

    def _call_initialize(self, functions: _FunctionList, flags: int) -> int:
        reserved = self.arguments.encode() or None
        if not flags and reserved is None:
            return int(functions.initialize(None))
        # A variable, so that it outlives the call.
        arguments = _InitializeArguments(flags=flags, reserved=reserved)
        return int(functions.initialize(ctypes.addressof(arguments)))

    def pause_for_fork(self) -> bool:
        """Waits until no thread is inside the module, so that a child inherits no held lock. Returns False if that took too long.

        Does not wait for abandoned threads: the child's first call may block on a lock of theirs, and then times out.
        """
        try:
            return self._lock.acquire_exclusive(timeout=FORK_WAIT_SECONDS)
        except HsmUnavailable:
            return False

    def resume_after_fork(self) -> None:
        """Lets threads in again, in the parent."""
        self._lock.release_exclusive()


_modules: dict[str, Module] = {}
_modules_lock = threading.Lock()
_paused: list[Module] = []
# A child keeps the parent's objects but never uses them: their session numbers belong to the parent.
_inherited: list[dict[str, Module]] = []


def module(path: str, locking: str, arguments: str = "") -> Module:
    """Returns this process's module, one for each path. It is not touched before its first use."""
    with _modules_lock:
        if path not in _modules:
            _modules[path] = Module(path, locking, arguments)
        return _modules[path]


def _before_fork() -> None:
    _modules_lock.acquire()
    _paused.extend(each for each in _modules.values() if each.pause_for_fork())


def _after_fork_in_parent() -> None:
    while _paused:
        _paused.pop().resume_after_fork()
    _modules_lock.release()


def _after_fork_in_child() -> None:
    global _modules, _modules_lock
    _inherited.append(_modules)
    _modules = {}
    _modules_lock = threading.Lock()
    _paused.clear()


os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child)
