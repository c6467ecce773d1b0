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


def running(pid: int) -> bool:
    """Whether the process is there and not only waiting to be reaped."""
    status = read(Path(f"/proc/{pid}/stat")).decode(errors="replace")
    return bool(status) and status.rpartition(")")[2].split()[0] not in "ZX"


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
