"""Where a run of tests keeps what ends with it: databases, queues, tokens, files of its processes.

In memory if the machine has enough of it: a run makes and deletes some hundred thousand files, and a file system with a journal
takes a twentieth of the run's time for them. Paths are short, since those of unix sockets have to be.
"""

import os
import re
import tempfile
from pathlib import Path

MEMORY, DISK = "/dev/shm", "/tmp"
ROOM = 6 << 30
"""Bytes that must be free: more than twice what the folders of a whole run hold at a time."""

_durable = False


def be_durable() -> None:
    """Keeps the folders on the disk: for benchmarks, which measure what a durable database costs."""
    global _durable
    _durable = True


def _has_room() -> bool:
    if not (os.path.ismount(MEMORY) and os.access(MEMORY, os.W_OK)):
        return False
    files = os.statvfs(MEMORY)
    available = re.search(r"^MemAvailable: +(\d+) kB$", Path("/proc/meminfo").read_text(), re.M)
    return available is not None and min(files.f_bavail * files.f_frsize, int(available[1]) << 10) >= ROOM


def new_folder(prefix: str, mode: int) -> Path:
    """A new folder with a short path, in memory if there is room."""
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir=DISK if _durable or not _has_room() else MEMORY))
    folder.chmod(mode)
    return folder
