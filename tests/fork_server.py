"""Starts of Python processes from one that has loaded the libraries: a start then costs a third.

Tests start some thousand processes, and each would load the same thousand modules of libraries. `use` lets `subprocess` have such
a process forked by a server instead. Its parent is the test process, as ever: so it is waited for, signalled and found by its
number as any other. The server knows no module of ours and no setting of Django's; a forked process reads both afresh.

What starts again, as a service or a command, is forked from another server that has loaded our modules for it
(`tests/fork_loaded.py`) and nothing more: it has opened nothing and asked nobody. The settings are read afresh. If one differs
that a module read when it was loaded, or a variable does, the start is an ordinary one.

Only plain starts are forked (`Request.of`). All others, and all if the server cannot work here, are what they were. A test of
what a start itself loads, or of the environment that a process shows, asks for a start `anew`.
"""

import contextlib
import json
import os
import platform
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

INTERPRETER = sys.executable  # as this run began: tests put programs of their own in its place
HARMLESS = {"PYTHONPATH", "PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE"}
"""A start without any variable that is read at the start may be forked in spite of these. It has the guard, which says more often
no, and writes without a buffer.
"""

LARGEST = 1 << 20
QUIETLY = ["-W", "ignore"]


@dataclass(frozen=True)
class Request:
    """What to run: a command line after the interpreter's name, a folder and the whole environment."""

    command: list[str]
    folder: str
    environment: dict[str, str]
    own_session: bool
    own_group: bool

    @classmethod
    def of(cls, args: Any, environment: Mapping[str, str], settings: Mapping[str, Any]) -> "Request | None":
        """The request for `subprocess.Popen`'s arguments; None if they ask for more than a fork can give."""
        if not isinstance(args, list | tuple) or len(args) < 2 or os.fspath(args[0]) != INTERPRETER:
            return None
        command = [os.fsdecode(part) for part in args[1:]]
        program = plain(command)
        unusual = ("executable", "preexec_fn", "pass_fds", "shell", "gid", "gids", "uid")
        if not program or any(settings[name] for name in unusual) or settings["umask"] != -1:
            return None
        if settings["process_group"] not in (-1, 0):
            return None
        if program[0] not in ("-m", "-c") and not program[0].endswith(".py"):
            return None
        if "SITHS_HOUSE" in environment:  # a supervisor looks for its processes by the environment that they began with
            return None
        folder = Path(settings["cwd"] or ".").resolve()
        own_session, own_group = settings["start_new_session"], settings["process_group"] == 0
        return cls(command, str(folder), dict(environment), own_session, own_group) if folder.is_dir() else None


def plain(command: list[str]) -> list[str]:
    """The command line without the interpreter's options."""
    return command[2:] if command[:2] == QUIETLY else command


def _read_at_start(environment: Mapping[str, str]) -> dict[str, str]:
    """What interpreter and loader read of an environment at their start."""
    return {name: value for name, value in environment.items() if name.startswith(("PYTHON", "LD_", "OPENSSL", "MALLOC"))}


class _Server:
    """The server as the test process has it: started with its first request."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._line: socket.socket | None = None
        self._read_at_start = _read_at_start(os.environ)

    def start(self, request: Request, streams: Sequence[int]) -> int | None:
        """The number of the process that now runs the request with the three streams; None if the server cannot."""
        wanted = _read_at_start(request.environment)
        if wanted != self._read_at_start and (wanted or self._read_at_start.keys() - HARMLESS):
            return None
        with self._lock:
            try:
                line = self._line or self._begin()
                socket.send_fds(line, [json.dumps(asdict(request)).encode()], list(streams))
                answer = line.recv(64)
            except OSError:
                return None
        return int(answer or 0) or None

    def _begin(self) -> socket.socket:
        self._line, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._line.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, LARGEST)
        with theirs:
            command = [sys.executable, str(Path(__file__).with_name("fork_process.py").resolve()), str(theirs.fileno())]
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
        request = None if getattr(_anew, "wanted", False) else Request.of(settings["args"], environment, settings)
        streams = [settings["p2cread"], settings["c2pwrite"], settings["errwrite"]]
        pid = server.start(request, [own if given == -1 else given for own, given in enumerate(streams)]) if request else None
        if pid is None:
            start_anew(self, *values)
            return
        self.pid, self._child_created = pid, True
        ends = ("p2cread", "p2cwrite", "c2pread", "c2pwrite", "errread", "errwrite")
        self._close_pipe_fds(*(settings[name] for name in ends))

    subprocess.Popen._execute_child = execute_child  # type: ignore[attr-defined]
