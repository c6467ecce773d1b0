"""Writes an incident's files to a new folder that only the operator may enter, encrypted or not, with the event of the export."""

import contextlib
import dataclasses
import hashlib
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from django.db import connection, transaction

from issuance.records.models.events import Event
from siths_portal.lib import clock
from siths_portal.lib.canonical import canonical_json, sha256_hex
from siths_portal.lib.files import csv_files
from siths_portal.lib.files.atomic import sync_folder, write_atomically
from siths_portal.ops import encryption, incidents
from siths_portal.ops.incidents import Selection

SUMMARY = "summary.json"


@dataclasses.dataclass(frozen=True)
class Exported:
    """The folder of an export, None of a dry run, and the number of rows of each file."""

    folder: Path | None
    counts: dict[str, int]


class NothingFound(Exception):
    """No certificate and no card fits the selection. Nothing is written."""


def export(
    selection: Selection, target: Path, *, actor_ref: str, groups: Sequence[encryption.Recipients] = (), dry_run: bool = False
) -> Exported:
    """Writes the files to a new folder in `target`; with `groups` encrypted to both groups of custodians. Raises NothingFound,
    OSError and `encryption.FAILURES`, and then leaves no folder. A dry run counts only and records no event.
    """
    folder = target / f"incident-{clock.now().astimezone(clock.STOCKHOLM):%Y%m%d-%H%M%S}"
    with _removed_if_it_fails(folder), transaction.atomic(durable=True):
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        incidents.select(selection)
        counts = incidents.counts()
        if not any(counts.values()):
            raise NothingFound
        if dry_run:
            return Exported(None, counts)
        folder.mkdir(mode=0o700)
        files = {name: digest for part in incidents.PARTS for name, digest in [_write(folder, part, groups)]}
        summary = canonical_json(
            {"at": clock.now(), "by": actor_ref, "selection": selection.given(), "counts": counts, "sha256": files}
        )
        write_atomically(folder / SUMMARY, summary, mode=0o600)
        facts = {"selection": _plain(selection), "counts": counts, "encrypted": bool(groups), "sha256": sha256_hex(summary)}
        Event.record(
            actor_ref=actor_ref, action="incident.exported", subject_type="incident", subject_ref=folder.name, facts=facts
        )
    sync_folder(target)
    return Exported(folder, counts)


@contextlib.contextmanager
def _removed_if_it_fails(folder: Path) -> Iterator[None]:
    existed = folder.exists()
    try:
        yield
    except BaseException:
        if not existed:
            shutil.rmtree(folder, ignore_errors=True)
        raise


def _plain(selection: Selection) -> dict[str, Any]:
    return {name: value if isinstance(value, int) else str(value) for name, value in selection.given().items()}


def _write(folder: Path, part: incidents.Part, groups: Sequence[encryption.Recipients]) -> tuple[str, str]:
    """Writes one file and returns its name and its SHA-256 in hexadecimal."""
    path = folder / f"{part.name}.csv{'.age' if groups else ''}"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        opened: contextlib.AbstractContextManager[BinaryIO] = contextlib.nullcontext(file)
        with encryption.encrypting(file, groups) if groups else opened as plain:
            _fill(plain, part)
        file.flush()
        os.fsync(file.fileno())
    with path.open("rb") as written:
        return path.name, hashlib.file_digest(written, "sha256").hexdigest()


def _fill(file: BinaryIO, part: incidents.Part) -> None:
    for chunk in csv_files.stream(part.columns, incidents.rows(part)):
        file.write(chunk)
