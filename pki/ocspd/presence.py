"""A responder process's heartbeat for operators: a small file next to the store, rewritten every few seconds.

It is not a health check: a process that no longer answers may still write it. Readers treat a process with an old file as gone.
"""

import json
import os
import threading
import time
from pathlib import Path
from typing import Any, Final

from pki.ocspd.metrics import Counts
from pki.ocspd.reading import Store, StoreMissing
from siths_portal.lib import clock

FOLDER: Final = "processes"
EACH: Final = 5.0
"""Seconds between two heartbeats."""
GONE: Final = 30.0
"""Seconds without a heartbeat after which a process counts as gone."""
FORGOTTEN: Final = 3600.0


class Presence:
    """One process's heartbeat in `folder`."""

    def __init__(self, folder: Path, counts: Counts) -> None:
        self._folder = folder / FOLDER
        self._store = Store(folder)
        self._counts = counts
        self._started_at = clock.now().timestamp()

    def start(self) -> None:
        """Starts to write heartbeats in a thread of its own; the thread ends if the folder cannot be written."""
        threading.Thread(target=self._run, name="presence", daemon=True).start()

    def _run(self) -> None:
        while True:
            try:
                self.tell()
            except OSError:
                return
            time.sleep(EACH)

    def tell(self) -> None:
        """Writes the file. Raises OSError."""
        self._folder.mkdir(exist_ok=True)
        generation, followed_at = "", None
        try:
            index = self._store.index()
            generation, followed_at = index.name, index.followed_at
        except StoreMissing:
            pass
        told = {
            "pid": os.getpid(),
            "started_at": self._started_at,
            "told_at": clock.now().timestamp(),
            "generation": generation,
            "followed_at": followed_at,
            "answered": self._counts.answered.total(),
            "errors": self._counts.errors.total(),
        }
        path = self._folder / f"{os.getpid()}.json"
        being_written = path.with_suffix(".new")
        being_written.write_text(json.dumps(told))
        being_written.replace(path)
        self._forget()

    def _forget(self) -> None:
        """Removes the files of processes that ended long ago."""
        limit = clock.now().timestamp() - FORGOTTEN
        for path in self._folder.iterdir():
            try:
                if path.stat().st_mtime < limit:
                    path.unlink()
            except FileNotFoundError:
                continue


def processes(folder: Path) -> list[dict[str, Any]]:
    """Returns the last heartbeats of the processes that use the store in `folder`, by start time; skips those that are gone."""
    found = []
    limit = clock.now().timestamp() - GONE
    for path in (folder / FOLDER).glob("*.json"):
        try:
            told = json.loads(path.read_text())
            if told["told_at"] >= limit:
                found.append(told)
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return sorted(found, key=lambda told: (told["started_at"], told["pid"]))
