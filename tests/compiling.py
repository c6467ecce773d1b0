"""Compiles the tests of a fresh clone in a second process, the last file first, while the first process loads the first ones."""

import contextlib
import importlib
import os
import signal
import sys
from pathlib import Path


def begin(folder: Path) -> int | None:
    """Starts the process and returns its number; None if the files are compiled already."""
    files = [file for file in sorted(folder.rglob("test_*.py")) if not _is_compiled(file)]
    if len(files) < 50 or sys.dont_write_bytecode:
        return None
    pid = os.fork()
    if pid:
        return pid
    try:
        for file in reversed(files):
            if not _is_compiled(file):
                with contextlib.suppress(Exception):  # what cannot be loaded is told by the collection
                    importlib.import_module(".".join(file.relative_to(folder.parent).with_suffix("").parts))
    finally:
        os._exit(0)


def end(pid: int) -> None:
    """Ends the process: everything is loaded."""
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def _is_compiled(file: Path) -> bool:
    """Whether pytest has compiled the file, whose assertions it rewrites."""
    return any((file.parent / "__pycache__").glob(f"{file.stem}.*pytest*.pyc"))
