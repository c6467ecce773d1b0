"""What a process of the responder tells of itself to operators: a small file beside the store, written anew every few seconds.

It is no health check: a process that does not answer may still write. Who reads it takes what is old for gone.
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
"""Seconds between two signs of life."""
GONE: Final = 30.0
"""Seconds without one after which a process is taken for gone."""
FORGOTTEN: Final = 3600.0


class Presence:
    """One process's sign of life in `folder`."""

    def __init__(self, folder: Path, counts: Counts) -> None:
        self._folder = folder / FOLDER
        self._store = Store(folder)
        self._counts = counts
        self._started_at = clock.now().timestamp()

    def start(self) -> None:
        """Tells from now on, in a thread apart from the requests; never if the folder cannot be written."""
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
        """Removes what processes left that ended long ago."""
        limit = clock.now().timestamp() - FORGOTTEN
        for path in self._folder.iterdir():
            try:
                if path.stat().st_mtime < limit:
                    path.unlink()
            except FileNotFoundError:
                continue


def processes(folder: Path) -> list[dict[str, Any]]:
    """What the processes of the store in `folder` told last, by their start; those that are gone are left out."""
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
