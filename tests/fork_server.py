"""Starts of Python processes from one that has loaded the libraries: a start then costs a third.

Tests start some thousand processes, and each would load the same thousand modules of libraries. `use` lets `subprocess` have such
a process forked by a server instead. Its parent is the test process, as ever: so it is waited for, signalled and found by its
number as any other. The server knows no module of ours and no setting of Django's; a forked process reads both afresh.

Only plain starts are forked (`_Request.of`). All others, and all if the server cannot work here, are what they were. A test of
what a start itself loads, or of the environment that a process shows, asks for a start `anew`.
"""

import atexit
import contextlib
import ctypes
import gc
import importlib
import json
import os
import platform
import runpy
import signal
import socket
import subprocess
import sys
import threading
import types
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NoReturn

LOADED = """
celery.app.amqp celery.app.routes celery.apps.worker celery.bin.celery celery.bin.worker celery.concurrency.prefork
celery.concurrency.solo celery.concurrency.thread celery.fixups.django celery.worker.consumer celery.worker.strategy
kombu.transport.redis granian.cli granian.server.mp
django.contrib.messages.storage.fallback django.contrib.postgres.constraints django.contrib.postgres.fields
django.contrib.postgres.indexes django.contrib.postgres.search django.contrib.staticfiles.storage
django.core.cache.backends.redis django.core.management.base django.core.management.commands.check django.core.wsgi
django.db.backends.postgresql.base django.db.migrations.writer django.forms django.middleware.common django.middleware.csrf
django.middleware.gzip django.middleware.security django.shortcuts django.template.backends.django django.template.defaulttags
django.template.loader_tags django.views.decorators.http environ whitenoise.middleware
asn1crypto.cms asn1crypto.crl asn1crypto.ocsp asn1crypto.tsp cryptography.fernet
cryptography.hazmat.primitives.asymmetric.rsa cryptography.hazmat.primitives.ciphers.aead
cryptography.hazmat.primitives.serialization.pkcs12 cryptography.x509.ocsp joserfc.jwe joserfc.jwt lxml.etree pkcs11
PIL.ImageChops authlib.oauth2.rfc7523 csv inflection personnummer requests segno structlog uritemplate wsgiref.simple_server
""".split()  # noqa: SIM905
"""Libraries that read neither settings nor variables of the environment while they are loaded."""

_CLONE = 56  # of Linux on x86-64; elsewhere nothing is forked here
_PARENT, _SET_TID, _CLEAR_TID, _GET_TID_ADDRESS = 0x8000, 0x01000000, 0x00200000, 40  # linux/sched.h, linux/prctl.h
_LARGEST = 1 << 20
QUIETLY = ["-W", "ignore"]


@dataclass(frozen=True)
class _Request:
    """What to run: a command line after the interpreter's name, a folder and the whole environment."""

    command: list[str]
    folder: str
    environment: dict[str, str]
    own_session: bool

    @classmethod
    def of(cls, args: Any, environment: Mapping[str, str], settings: Mapping[str, Any]) -> "_Request | None":
        """The request for `subprocess.Popen`'s arguments; None if they ask for more than a fork can give."""
        if not isinstance(args, list | tuple) or len(args) < 2 or os.fspath(args[0]) != sys.executable:
            return None
        command = [os.fsdecode(part) for part in args[1:]]
        plain = command[2:] if command[:2] == QUIETLY else command
        unusual = ("executable", "preexec_fn", "pass_fds", "shell", "gid", "gids", "uid")
        if not plain or any(settings[name] for name in unusual) or settings["umask"] != -1 or settings["process_group"] != -1:
            return None
        if plain[0] not in ("-m", "-c") and not plain[0].endswith(".py"):
            return None
        if "SITHS_HOUSE" in environment:  # a supervisor looks for its processes by the environment that they began with
            return None
        folder = Path(settings["cwd"] or ".").resolve()
        return cls(command, str(folder), dict(environment), settings["start_new_session"]) if folder.is_dir() else None


def _read_at_start(environment: Mapping[str, str]) -> dict[str, str]:
    """What interpreter and loader read of an environment at their start."""
    return {name: value for name, value in environment.items() if name.startswith(("PYTHON", "LD_", "OPENSSL", "MALLOC"))}


class _Server:
    """The server as the test process has it: started with its first request."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._line: socket.socket | None = None
        self._read_at_start = _read_at_start(os.environ)

    def start(self, request: _Request, streams: Sequence[int]) -> int | None:
        """The number of the process that now runs the request with the three streams; None if the server cannot."""
        if _read_at_start(request.environment) != self._read_at_start:
            return None
        with self._lock:
            try:
                line = self._line or self._begin()
                socket.send_fds(line, [json.dumps(asdict(request)).encode()], list(streams))
                answer = line.recv(64)
            except OSError:
                return None
        return int(answer) if answer else None

    def _begin(self) -> socket.socket:
        self._line, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._line.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _LARGEST)
        with theirs:
            command = [sys.executable, str(Path(__file__).resolve()), str(theirs.fileno())]
            self._process = subprocess.Popen(command, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL)
        return self._line


_anew = threading.local()


@contextlib.contextmanager
def anew() -> Iterator[None]:
    """Starts processes without the server meanwhile, in this thread: for tests of what a start itself loads."""
    _anew.wanted = True
    try:
        yield
    finally:
        _anew.wanted = False


def use() -> None:
    """Lets `subprocess` start plain Python processes by the server from now on, in this process."""
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        return
    server = _Server()
    start_anew = subprocess.Popen._execute_child  # type: ignore[attr-defined]
    names = start_anew.__code__.co_varnames[1 : start_anew.__code__.co_argcount]

    def execute_child(self: Any, *values: Any) -> None:
        settings = dict(zip(names, values, strict=True))
        environment = os.environ if settings["env"] is None else settings["env"]
        request = None if getattr(_anew, "wanted", False) else _Request.of(settings["args"], environment, settings)
        streams = [settings["p2cread"], settings["c2pwrite"], settings["errwrite"]]
        pid = server.start(request, [own if given == -1 else given for own, given in enumerate(streams)]) if request else None
        if pid is None:
            start_anew(self, *values)
            return
        self.pid, self._child_created = pid, True
        ends = ("p2cread", "p2cwrite", "c2pread", "c2pwrite", "errread", "errwrite")
        self._close_pipe_fds(*(settings[name] for name in ends))

    subprocess.Popen._execute_child = execute_child  # type: ignore[attr-defined]


# --- the server's process --------------------------------------------------------------------------------------------------


def _fork_for_my_parent() -> int:
    """As os.fork, but the new process is a child of this one's parent."""
    python, libc = ctypes.pythonapi, ctypes.PyDLL(None)
    address = ctypes.c_void_p()
    libc.prctl(_GET_TID_ADDRESS, ctypes.byref(address))  # where the C library keeps the thread's number, as its own fork sets it
    flags = ctypes.c_ulong(_PARENT | _SET_TID | _CLEAR_TID | signal.SIGCHLD)
    nothing = ctypes.c_ulong(0)
    python.PyOS_BeforeFork()
    pid = int(libc.syscall(_CLONE, flags, nothing, nothing, address, nothing))
    if pid == 0:
        python.PyOS_AfterFork_Child()
    else:
        python.PyOS_AfterFork_Parent()
    return pid


def _serve(line: socket.socket) -> _Request | None:
    """Forks a process for each request: returns the request in the new one, and None in the server when the tests are over."""
    while True:
        message, streams, _, _ = socket.recv_fds(line, _LARGEST, 3)
        if not message:
            return None
        pid = _fork_for_my_parent()
        if pid == 0:
            for own, given in enumerate(streams):
                os.dup2(given, own)
            os.closerange(3, 1 << 16)
            line.detach()
            return _Request(**json.loads(message))
        for stream in streams:
            os.close(stream)
        line.send(str(pid).encode() if pid > 0 else b"")


def _become(request: _Request) -> None:
    """Makes this process what the interpreter would have made of the request."""
    if request.own_session:
        os.setsid()
    os.chdir(request.folder)
    os.environ.clear()
    os.environ.update(request.environment)


def _run(command: list[str]) -> None:
    if command[:2] == QUIETLY:
        warnings.simplefilter("ignore")
        command = command[2:]
    first, *rest = command
    if first == "-m":
        sys.path.insert(0, str(Path.cwd()))
        sys.argv = rest
        runpy.run_module(rest[0], run_name="__main__", alter_sys=True)
        return
    main = sys.modules["__main__"] = types.ModuleType("__main__")
    if first == "-c":
        sys.path.insert(0, "")
        sys.argv = ["-c", *rest[1:]]
        code = compile(rest[0], "<string>", "exec")
    else:
        sys.path.insert(0, str(Path(first).resolve().parent))
        sys.argv = command
        code = compile(Path(first).read_bytes(), first, "exec")
        main.__file__ = first
    exec(code, vars(main))


def _run_to_its_end(command: list[str]) -> int:
    """Runs the command and returns its status. What is no plain end is raised, for the interpreter to deal with."""
    try:
        _run(command)
    except SystemExit as end:
        if not isinstance(end.code, int | None):
            raise
        return end.code or 0
    return 0


def _end(status: int) -> NoReturn:
    """Ends as the interpreter does, but frees nothing: to free what is shared with the server would copy it first."""
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.flush()
    os._exit(status & 0xFF)


if __name__ == "__main__":
    del sys.path[0]  # this file's folder
    for name in LOADED:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    gc.freeze()
    if wanted := _serve(socket.socket(fileno=int(sys.argv[1]))):
        _become(wanted)
        _end(_run_to_its_end(wanted.command))
