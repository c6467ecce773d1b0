"""The program of the servers that fork for `fork_server`: the first one and those that it begins."""

import atexit
import contextlib
import ctypes.util
import gc
import importlib
import json
import os
import runpy
import signal
import socket
import sys
import threading
import types
import warnings
from collections import OrderedDict
from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import NoReturn

from fork_loaded import Loaded, become, program_of
from fork_server import LARGEST, Request, plain

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
weasyprint
""".split()  # noqa: SIM905
"""Libraries that read neither settings nor variables of the environment while they are loaded."""

KEPT = 6  # servers that have loaded our modules: those that were used last

_CLONE = 56  # of Linux on x86-64; elsewhere nothing is forked here
_PARENT, _SET_TID, _CLEAR_TID, _GET_TID_ADDRESS = 0x8000, 0x01000000, 0x00200000, 40  # linux/sched.h, linux/prctl.h


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


def _serve(line: socket.socket, servers: "_Servers | None" = None, loaded: Loaded | None = None) -> Request | None:
    """Forks a process for each request: returns the request in the new one, and None in the server when the tests are over.

    Raises _Load in a process that is to be a further server.
    """
    while True:
        message, streams, _, _ = socket.recv_fds(line, LARGEST, 3)
        if not message:
            return None
        request = Request(**json.loads(message))
        try:
            pid = servers.fork(request, message, streams) if servers else None
        except _Load:
            line.detach()
            raise
        if pid is None and (loaded is None or loaded.fits(request)):
            pid = _fork_for_my_parent()
            if pid == 0:
                for own, given in enumerate(streams):
                    os.dup2(given, own)
                os.closerange(3, 1 << 16)
                line.detach()
                if servers:
                    servers.let_go()
                return request
        for stream in streams:
            os.close(stream)
        line.send(str(pid).encode() if pid and pid > 0 else b"0")


class _Load(Exception):
    """Raised in the process that is to load our modules, with the request for which."""

    def __init__(self, line: int, request: Request) -> None:
        self.line, self.request = line, request


class _Servers:
    """The servers that have loaded our modules, as the first one has them: each for a service or command that starts again."""

    def __init__(self) -> None:
        self._lines: OrderedDict[Hashable, socket.socket] = OrderedDict()
        self._seen: set[Hashable] = set()
        self._failed: set[Hashable] = set()

    def fork(self, request: Request, message: bytes, streams: Sequence[int]) -> int | None:
        """Returns the id of the process that a loaded server forked, or None if no server can serve the request."""
        program = program_of(request)
        if program is None or program in self._failed:
            return None
        if program not in self._seen:
            self._seen.add(program)
            return None
        line = self._lines.get(program) or self._begin(program, request)
        self._lines.move_to_end(program)
        try:
            socket.send_fds(line, [message], list(streams))
            answer = line.recv(64)
        except OSError:
            answer = b""
        if not answer:  # it could not load the modules
            self._lines.pop(program).close()
            self._failed.add(program)
        return int(answer or 0) or None

    def let_go(self) -> None:
        """Forgets the descriptors, which are closed, in a forked process."""
        for line in self._lines.values():
            line.detach()

    def _begin(self, program: Hashable, request: Request) -> socket.socket:
        if len(self._lines) == KEPT:
            self._lines.popitem(last=False)[1].close()
        mine, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        if _fork_for_my_parent() == 0:
            line = os.dup2(theirs.detach(), 3)
            os.closerange(4, 1 << 16)
            mine.detach()
            self.let_go()
            raise _Load(line, request)
        theirs.close()
        self._lines[program] = mine
        return mine


def _serve_loaded(line: int, request: Request) -> None:
    """Loads our modules for such requests, and forks for those that fit. In a forked process, runs it to its end."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in range(3):
        os.dup2(nothing, stream)
    os.close(nothing)
    try:
        loaded = Loaded(request)
    except (Exception, SystemExit):  # noqa: BLE001  (an ordinary start follows, loads the same modules and shows the fault)
        os._exit(1)
    wanted = _serve(socket.socket(fileno=line), loaded=loaded)
    if wanted is None:
        os._exit(0)
    loaded.become(wanted)
    _end(_run_to_its_end(wanted.command))


def _run(command: list[str]) -> None:
    if plain(command) != command:
        warnings.simplefilter("ignore")
    command = plain(command)
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
    del sys.path[0], sys.modules["fork_server"], sys.modules["fork_loaded"]  # what a plain start does not have
    find_library, ctypes.util.find_library = ctypes.util.find_library, lambda name: None  # as `lib.pdf.child` does
    for name in LOADED:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    ctypes.util.find_library = find_library
    gc.freeze()
    try:
        wanted = _serve(socket.socket(fileno=int(sys.argv[1])), _Servers())
    except _Load as asked:
        to_load: _Load | None = asked
    else:
        to_load = None
    if to_load:
        _serve_loaded(to_load.line, to_load.request)
    elif wanted:
        become(wanted)
        _end(_run_to_its_end(wanted.command))
