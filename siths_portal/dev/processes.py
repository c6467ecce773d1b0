"""Processes of this machine, found by the environment that they were started with and never by name."""

import os
import signal
import time
from collections.abc import Iterable
from pathlib import Path


def read(path: Path) -> bytes:
    """Returns the file's content, or b"" if it does not exist or may not be read."""
    try:
        return path.read_bytes()
    except OSError:
        return b""


def _status(pid: int) -> list[str]:
    """Returns the fields of proc(5)'s stat from the state on: state, parent, process group, …"""
    return read(Path(f"/proc/{pid}/stat")).decode(errors="replace").rpartition(")")[2].split()


def running(pid: int) -> bool:
    """Returns whether the process exists and is not a zombie."""
    status = _status(pid)
    return bool(status) and status[0] not in "ZX"


def group(pid_file: Path, folder: Path) -> set[int]:
    """Returns the running processes in the process group of the id in `pid_file`, if their working folder is `folder`.

    The group exists also after its leader's death. The folder is compared because process ids are reused, although not while a
    group has the id.
    """
    leader = read(pid_file).split(b"\n")[0].strip().decode(errors="replace")
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        pid = int(process.name)
        if leader and _status(pid)[2:3] == [leader] and running(pid) and process.joinpath("cwd").resolve() == folder.resolve():
            found.add(pid)
    return found


def marked(**marks: str) -> set[int]:
    """Returns the running processes, except this one, whose environment has all of `marks`."""
    variables = {f"{name}={value}".encode() for name, value in marks.items()}
    folders = Path("/proc").glob("[0-9]*")
    found = {int(folder.name) for folder in folders if variables <= set(read(folder / "environ").split(b"\0"))}
    return {pid for pid in found if running(pid)} - {os.getpid()}


def send(pid: int, number: int) -> None:
    """Sends a signal to the process if it exists."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def end(pids: Iterable[int], *, seconds: float, interrupt: Iterable[int] = ()) -> None:
    """Sends SIGTERM to `pids` (SIGINT to `interrupt`, PostgreSQL's fast shutdown) and waits. Sends SIGKILL after `seconds`."""
    pids, interrupt = set(pids), set(interrupt)
    for pid in pids:
        send(pid, signal.SIGINT if pid in interrupt else signal.SIGTERM)
    deadline = time.monotonic() + seconds
    while any(running(pid) for pid in pids):
        if time.monotonic() > deadline:
            for pid in pids:
                send(pid, signal.SIGKILL)
        time.sleep(0.05)
