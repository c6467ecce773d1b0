"""Requests from readers of the store to its publisher: limited in number, not repeated, dropped if no publisher reads them.

Requests are files, because readers have neither queue nor database. A request changes nothing by itself: the publisher checks
each one in the database.
"""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

FOLDER: Final = "wishes"
_EACH: Final = 0.25  # seconds between files of one reader
_AT_ONCE: Final = 100  # requests in a file
_FILES: Final = 20  # unread files; the folder must not fill the disk if the publisher is gone
_REMEMBERED: Final = 10_000
_AGAIN: Final = 5.0  # seconds after which the same request may be sent again
_LINE: Final = 80


class RefreshRequest(NamedTuple):
    """A missing response: for a certificate, or for a serial that was never issued."""

    ca_id: int
    serial: int
    unknown: bool


class RefreshRequests:
    """The requests of one reader."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / FOLDER
        self._sent_at: dict[RefreshRequest, float] = {}
        self._waiting: list[RefreshRequest] = []
        self._written_at = 0.0
        self._number = 0

    def response(self, ca_id: int, serial: int) -> None:
        """Requests the current response for a certificate."""
        self._add(RefreshRequest(ca_id, serial, unknown=False))

    def unknown(self, ca_id: int, serial: int) -> None:
        """Requests a signed `unknown`."""
        self._add(RefreshRequest(ca_id, serial, unknown=True))

    def _add(self, request: RefreshRequest) -> None:
        now = time.monotonic()
        if now - self._sent_at.get(request, -_AGAIN) >= _AGAIN and len(self._waiting) < _AT_ONCE:
            if len(self._sent_at) >= _REMEMBERED:
                self._sent_at.clear()
            self._sent_at[request] = now
            self._waiting.append(request)
        if self._waiting and now - self._written_at >= _EACH:
            self._written_at = now
            self._write()

    def _write(self) -> None:
        lines = "".join(f"{request.ca_id} {request.serial:x} {int(request.unknown)}\n" for request in self._waiting)
        self._waiting.clear()
        self._number += 1
        name = f"{os.getpid()}-{time.time_ns()}-{self._number}"
        try:
            if sum(1 for _ in os.scandir(self._folder)) >= _FILES:
                return
            (self._folder / f".{name}").write_text(lines)
            (self._folder / f".{name}").replace(self._folder / name)
        except OSError:
            return  # no publisher has made the folder, or it is full: the sweepers find missing responses


def take(folder: Path) -> Iterator[RefreshRequest]:
    """Yields the requests in the store's folder and removes their files. Skips invalid ones."""
    for entry in sorted((folder / FOLDER).glob("[!.]*"))[: 2 * _FILES]:
        try:
            with entry.open("rb") as file:
                text = file.read(_AT_ONCE * _LINE)
            entry.unlink()
        except OSError:
            continue
        for line in text.splitlines()[:_AT_ONCE]:
            words = line.split()
            try:
                ca_id, serial, unknown = int(words[0]), int(words[1], 16), words[2] == b"1"
            except (ValueError, IndexError):
                continue
            if 0 < serial < 1 << 159 and 0 < ca_id < 1 << 31:
                yield RefreshRequest(ca_id, serial, unknown)
