"""Processes of this machine, told apart by the environment that they were started with. Nothing is ever found by its name."""

import os
import signal
import time
from collections.abc import Iterable
from pathlib import Path


def read(path: Path) -> bytes:
    """The file's content; nothing if it is gone or somebody else's."""
    try:
        return path.read_bytes()
    except OSError:
        return b""


def _status(pid: int) -> list[str]:
    """The fields of proc(5)'s stat from the state on: state, parent, process group, …"""
    return read(Path(f"/proc/{pid}/stat")).decode(errors="replace").rpartition(")")[2].split()


def running(pid: int) -> bool:
    """Whether the process is there and not only waiting to be reaped."""
    status = _status(pid)
    return bool(status) and status[0] not in "ZX"


def group(pid_file: Path, folder: Path) -> set[int]:
    """Running processes of the group that the process in `pid_file` led, also after its death, if they work in `folder`.

    The folder is asked because ids are reused; an id is not, as long as a group bears it.
    """
    leader = read(pid_file).split(b"\n")[0].strip().decode(errors="replace")
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        pid = int(process.name)
        if leader and _status(pid)[2:3] == [leader] and running(pid) and process.joinpath("cwd").resolve() == folder.resolve():
            found.add(pid)
    return found


def marked(**marks: str) -> set[int]:
    """Running processes whose environment holds all of `marks`, but this one."""
    wanted = {f"{name}={value}".encode() for name, value in marks.items()}
    folders = Path("/proc").glob("[0-9]*")
    found = {int(folder.name) for folder in folders if wanted <= set(read(folder / "environ").split(b"\0"))}
    return {pid for pid in found if running(pid)} - {os.getpid()}


def send(pid: int, number: int) -> None:
    """Signals the process if it is still there."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def end(pids: Iterable[int], *, seconds: float, interrupt: Iterable[int] = ()) -> None:
    """Asks `pids` to end (`interrupt` by SIGINT, PostgreSQL's fast shutdown), waits, and insists after `seconds`."""
    pids, interrupt = set(pids), set(interrupt)
    for pid in pids:
        send(pid, signal.SIGINT if pid in interrupt else signal.SIGTERM)
    deadline = time.monotonic() + seconds
    while any(running(pid) for pid in pids):
        if time.monotonic() > deadline:
            for pid in pids:
                send(pid, signal.SIGKILL)
        time.sleep(0.05)
