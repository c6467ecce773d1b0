"""Makes a backup: the database by `pg_basebackup`, and the folders that belong to it, encrypted while they are read.

A backup is a folder named by its time with one encrypted archive for each part and `manifest.json`. The folder gets its name only
when everything is on disk, so a folder with a name is complete.
"""

import datetime as dt
import hashlib
import json
import os
import shutil
import subprocess
import tarfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from django.conf import settings

from siths_portal.lib import clock
from siths_portal.lib.files import backup_names, journal
from siths_portal.lib.files.atomic import sync_folder, write_atomically
from siths_portal.ops import encryption
from siths_portal.ops.cluster import ClusterError, program

MANIFEST = "manifest.json"
FORMAT = 1
DATABASE = "database"
JOURNALS = ("pki", "billing")
_PART = ".part-"
_EACH = 5.0  # seconds between two reports of progress

type Report = Callable[[str, int], None]
"""Is called with the name of a part and the bytes of it that are written so far."""


class BackupError(RuntimeError):
    """The backup was not made, or cannot be used; the text says why, in Swedish."""


@dataclass(frozen=True)
class Backup:
    """A complete backup. `started_at` is before its first byte was read: the journal since then adds what it lacks."""

    folder: Path
    started_at: dt.datetime
    parts: Mapping[str, Mapping[str, Any]]

    @property
    def size(self) -> int:
        """The bytes of its archives."""
        return sum(int(part["bytes"]) for part in self.parts.values())


def parts() -> list[tuple[str, list[Path]]]:
    """Returns the parts in the order in which they are read, each with its folders.

    The anchors of the audit chains come before the database, so that they are never ahead of it. The tokens come after it, so
    that they have every key that it names.
    """
    anchors = Path(settings.AUDIT_ANCHOR_DIR)
    return [("audit", [anchors]), (DATABASE, []), ("folders", [Path(folder) for folder in settings.BACKUP_FOLDERS])]


def make(target: Path, *, report: Report) -> Backup:
    """Makes a backup in a new folder below `target`. Leaves nothing there if it fails. Raises BackupError, WrongKeys."""
    groups = encryption.recipients([Path(file) for file in settings.BACKUP_RECIPIENT_FILES])
    check()
    started = clock.now()
    unfinished = target / f"{_PART}{backup_names.name_of(started)}"
    try:
        unfinished.mkdir(mode=0o700)
        found = {}
        for name, folders in parts():
            with _read(name, folders) as source:
                found[name] = _write(unfinished / f"{name}.tar.age", source, groups, partial(report, name))
        stated = {
            "format": FORMAT,
            "started_at": started.isoformat(),
            "database": settings.DATABASES["default"]["NAME"],
            "parts": found,
        }
        write_atomically(unfinished / MANIFEST, json.dumps(stated, indent=1).encode(), mode=0o600)
        folder = unfinished.rename(target / unfinished.name.removeprefix(_PART))
        sync_folder(target)
    except (*encryption.FAILURES, ClusterError, tarfile.TarError) as error:
        raise BackupError(str(error)) from error
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return Backup(folder, started, found)


def check() -> None:
    """Raises BackupError if something that a backup needs is missing: the role's connection, the program, a folder."""
    if not settings.DATABASE_BACKUP_URL:
        raise BackupError("DATABASE_BACKUP_URL saknas: rollen som får kopiera databasen")
    missing = [str(folder) for _, folders in parts() for folder in folders if not folder.is_dir()]
    if missing:
        raise BackupError(f"mappen finns inte: {', '.join(missing)}")
    names = [folder.name for _, folders in parts() for folder in folders]
    if len(set(names)) < len(names):
        raise BackupError("två mappar i BACKUP_FOLDERS har samma namn")
    try:
        program("pg_basebackup")
    except ClusterError as error:
        raise BackupError(str(error)) from None


@contextmanager
def _read(name: str, folders: Sequence[Path]) -> Iterator[BinaryIO]:
    """Yields a tar stream of the part."""
    if name == DATABASE:
        with _base_backup() as stream:
            yield stream
    else:
        with encryption.fed(lambda pipe: _pack(pipe, folders)) as stream:
            yield stream


def _pack(pipe: BinaryIO, folders: Sequence[Path]) -> None:
    with tarfile.open(fileobj=pipe, mode="w|") as archive:
        for folder in folders:
            archive.add(folder, folder.name)


@contextmanager
def _base_backup() -> Iterator[BinaryIO]:
    """Yields the database's files as `pg_basebackup` sends them, with the WAL that makes them consistent. Raises ClusterError."""
    command = [program("pg_basebackup"), "--pgdata=-", "--format=tar", "--wal-method=fetch", "--checkpoint=fast", "--no-password"]
    command += [f"--dbname={settings.DATABASE_BACKUP_URL}"]
    password = {"PGPASSWORD": settings.DATABASE_BACKUP_PASSWORD} if settings.DATABASE_BACKUP_PASSWORD else {}
    with subprocess.Popen(
        command, cwd="/", env=os.environ | password, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as child:
        if child.stdout is None or child.stderr is None:
            raise ClusterError("pg_basebackup")
        try:
            yield child.stdout  # type: ignore[misc]
        except BaseException:
            child.kill()
            raise
        told = child.stderr.read().decode(errors="replace").strip()
    if child.returncode:
        raise ClusterError(f"pg_basebackup: {told[-2000:]}")


class _Measured:
    """A file being written, with the hash and the number of its bytes."""

    def __init__(self, file: BinaryIO, report: Callable[[int], None]) -> None:
        self._file, self._report, self._next = file, report, time.monotonic() + _EACH
        self.hash, self.size = hashlib.sha256(), 0

    def write(self, data: bytes) -> int:
        """Writes all of `data`. Raises OSError."""
        self._file.write(data)
        self.hash.update(data)
        self.size += len(data)
        if time.monotonic() >= self._next:
            self._report(self.size)
            self._next = time.monotonic() + _EACH
        return len(data)

    def flush(self) -> None:
        """Passes on what is buffered. Raises OSError."""
        self._file.flush()


def _write(
    path: Path, source: BinaryIO, groups: Sequence[encryption.Recipients], report: Callable[[int], None]
) -> dict[str, Any]:
    """Writes the encrypted stream to disk and returns its size and hash."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        measured = _Measured(file, report)
        encryption.encrypt(source, measured, groups)  # type: ignore[arg-type]
        file.flush()
        os.fsync(file.fileno())
    report(measured.size)
    return {"file": path.name, "bytes": measured.size, "sha256": measured.hash.hexdigest()}


def read(folder: Path) -> Backup:
    """Returns the backup in `folder`. Raises BackupError if there is none."""
    try:
        stated = json.loads((folder / MANIFEST).read_text())
        if stated["format"] != FORMAT:
            raise BackupError(f"{folder} har ett annat format")
        return Backup(folder, dt.datetime.fromisoformat(stated["started_at"]), stated["parts"])
    except (OSError, ValueError, KeyError, TypeError):
        raise BackupError(f"{folder} är ingen säkerhetskopia") from None


def found_in(target: Path) -> list[Backup]:
    """Returns the complete backups below `target`, the oldest first."""
    return [read(path.parent) for path in sorted(target.glob(f"*/{MANIFEST}")) if not path.parent.name.startswith(".")]


def thin_out(target: Path, *, keep: int) -> list[str]:
    """Removes all but the newest `keep` backups, and the journal's files that none of these needs. Returns what was removed."""
    kept = found_in(target)
    old, kept = kept[:-keep], kept[-keep:]
    for backup in old:
        shutil.rmtree(backup.folder)
    removed = [backup.folder.name for backup in old]
    if kept:
        for name in JOURNALS:
            removed += [f"{name}/{path.name}" for path in journal.remove_before(name, kept[0].started_at)]
    return removed
