"""Imports a file of the HSA directory into the mirror of assignments, completely or not at all (ADR 0260, 0263).

The import checks the rows one by one and stages them, then computes the changes in temporary tables. One short transaction
applies the changes to people, assignments and visibility, each with its event.
"""

import contextlib
import datetime as dt
import hashlib
import itertools
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from io import BufferedReader, RawIOBase
from pathlib import Path

import structlog
from django.conf import settings
from django.db import Error, IntegrityError, OperationalError, transaction
from django.db.models.functions import Upper

from issuance.organisations.models import Organisation
from issuance.people.ports_files import DirectoryFiles
from issuance.people.services import directory_import_apply, directory_import_plan
from issuance.people.services.directory_import_plan import DirectoryImportCounts, RefusedRow
from issuance.people.services.directory_import_rows import COLUMNS, Stager
from issuance.records.models.events import Event
from siths_portal.lib import clock, ports
from siths_portal.lib.database import bulk, locks
from siths_portal.lib.errors import Conflict, Invalid, Unavailable

log = structlog.get_logger(__name__)

CHUNK = 5_000
"""The number of rows in memory at once."""

FEW = 3
"""The number of assignments that one file may end regardless of their share of all."""

ATTEMPTS = 5
"""How often the import plans the change again after concurrent changes to the same people."""

_OTHERS_WERE_FIRST = ("23505", "40P01", "55P03")
"""SQLSTATEs of a duplicate row, a deadlock, and a lock timeout."""

_LOCK = locks.number("issuance.directory_import")

type ReportProgress = Callable[[int, int], None]
"""A progress callback, with the numbers of octets and rows read."""


@dataclass(frozen=True)
class DirectoryImportOptions:
    """How to read a file. `as_of` is when the file was made, by default its modification time.

    `full`: assignments that are missing in the file end. `accept_losses`: however many those are. `nobody_protected`: a file
    without any protection flags is accepted.
    """

    full: bool = False
    accept_losses: bool = False
    nobody_protected: bool = False
    dry_run: bool = False
    encoding: str = "utf-8"
    as_of: dt.datetime | None = None


@dataclass
class DirectoryImportResult:
    """The content of a file and its changes, or in a dry run the planned changes, with the first refused rows."""

    counts: DirectoryImportCounts
    sha256: str
    seconds: float
    problems: list[RefusedRow] = field(default_factory=list)

    @property
    def whole(self) -> bool:
        """True if no row was refused and no loss was held back."""
        return not self.counts.refused and not self.counts.held


def run(
    path: Path,
    options: DirectoryImportOptions,
    *,
    report_progress: ReportProgress = lambda _octets, _rows: None,
    shown: int = 1000,
) -> DirectoryImportResult:
    """Imports the file into the mirror. No transaction may be open.

    Importing the same file again changes nothing; an interrupted run has changed nothing. Raises OSError if the file cannot be
    read, Invalid if it is malformed, Conflict while another import runs, Unavailable if concurrent changes to the same people do
    not stop. Refused rows and held losses raise no error; see `DirectoryImportResult.whole`.
    """
    begun = time.monotonic()
    with path.open("rb", buffering=0) as raw, locks.held_or_raise(_LOCK, _running()):
        changed_at = dt.datetime.fromtimestamp(os.fstat(raw.fileno()).st_mtime, tz=dt.UTC)
        as_of = min(options.as_of or changed_at, clock.now())
        digested = _Digested(raw)
        try:
            directory_import_plan.stage()
            _stage(digested, options, report_progress)
            counts = _change(as_of, options, digested.sha256)
            problems = directory_import_plan.problems(shown)
        finally:
            with contextlib.suppress(Error):  # a session that broke has no temporary tables any more
                directory_import_plan.clear()
    outcome = DirectoryImportResult(counts, digested.sha256, time.monotonic() - begun, problems)
    _log(outcome, options)
    return outcome


def _running() -> Conflict:
    return Conflict("import-running", "En import av katalogen pågår redan. Vänta tills den är klar.")


class _Digested(RawIOBase):
    """A file read once from its beginning, with the hash and the count of the octets read."""

    def __init__(self, raw: RawIOBase) -> None:
        super().__init__()
        self._raw, self._hash, self.octets = raw, hashlib.sha256(), 0

    def readable(self) -> bool:
        """True."""
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        """Reads from the file and updates hash and count."""
        count = self._raw.readinto(buffer) or 0
        self._hash.update(memoryview(buffer)[:count])
        self.octets += count
        return count

    @property
    def sha256(self) -> str:
        """The SHA-256 of what was read."""
        return self._hash.hexdigest()


def _stage(file: _Digested, options: DirectoryImportOptions, report_progress: ReportProgress) -> None:
    """Fills the staging table in chunks."""
    keys = Organisation.objects.annotate(upper=Upper("hsa_id")).values_list("upper", "pk")
    stager = Stager(dict(keys), prefixes=frozenset(settings.HSA_ID_PREFIXES), today=clock.today())
    found = ports.get(DirectoryFiles).rows(BufferedReader(file, 1 << 16), encoding=options.encoding)
    rows = 0
    for chunk in itertools.batched(found, CHUNK):
        rows += bulk.copy(directory_import_plan.STAGING, COLUMNS, (stager.staged(row) for row in chunk))
        report_progress(file.octets, rows)
    if not rows:
        raise Invalid("no-rows", "Filen har inga uppdrag. Inget har ändrats.")


def _change(as_of: dt.datetime, options: DirectoryImportOptions, sha256: str) -> DirectoryImportCounts:
    for attempt in range(ATTEMPTS):
        counts = _planned(as_of, options)
        if options.dry_run or not counts.changes:
            return counts
        try:
            with transaction.atomic(durable=True):
                directory_import_apply.apply_plan(now=clock.now(), as_of=as_of)
                _record(counts, as_of, options, sha256)
        except (IntegrityError, OperationalError) as error:
            if getattr(error.__cause__, "pgcode", None) not in _OTHERS_WERE_FIRST:
                raise
            log.warning("directory_import.others_were_first", attempt=attempt)
            time.sleep(0.1 * (attempt + 1))
        else:
            return counts
    message = "Andra ändrade samma personer hela tiden. Inget har ändrats. Kör igen."
    raise Unavailable("import-outrun", message)


def _planned(as_of: dt.datetime, options: DirectoryImportOptions) -> DirectoryImportCounts:
    """Returns the plan without the losses that are held back. Raises Invalid for a file without any protection flag."""
    counts = directory_import_plan.work_out(as_of=as_of, today=clock.today(), full=options.full)
    if not counts.protection_told and not options.nobody_protected and counts.refused < counts.rows:
        raise Invalid(
            "protection-untold",
            "Filen säger inte om någon har skyddade personuppgifter (hsaProtectedPerson). Exportera det också. "
            "Har ingen i filen skyddade personuppgifter, kör med --nobody-protected.",
        )
    _hold_losses(counts, options)
    return counts


def _hold_losses(counts: DirectoryImportCounts, options: DirectoryImportOptions) -> None:
    """Removes suspicious losses from the plan unless they are accepted (ADR 0263).

    Losses are suspicious if there are too many, if some row could not be read, or if protected people lost assignments, because
    the account that exported the file may lack the right to read those.
    """
    moves = sum(counts.posts.get(act, 0) for act in directory_import_plan.LEAVING)
    if options.accept_losses:
        return
    if counts.lost + moves > max(FEW, counts.live * settings.DIRECTORY_IMPORT_LOST_PERCENT // 100):
        directory_import_plan.hold_losses(moves=True)
        counts.held, counts.lost, counts.lost_protected = counts.lost + moves, 0, 0
        counts.posts |= dict.fromkeys(directory_import_plan.LEAVING, 0)
    elif counts.lost and counts.unread:
        directory_import_plan.hold_losses(moves=False)
        counts.held, counts.lost, counts.lost_protected = counts.lost, 0, 0
    elif counts.lost_protected:
        directory_import_plan.hold_protected()
        counts.held, counts.lost = counts.lost_protected, counts.lost - counts.lost_protected


def _record(counts: DirectoryImportCounts, as_of: dt.datetime, options: DirectoryImportOptions, sha256: str) -> None:
    """Records the import's own event: the file's hash, the options, and the counts."""
    Event.record(
        actor_ref=directory_import_apply.RULE,
        action="catalogue.imported",
        subject_type="catalogue",
        subject_ref="import",
        facts={
            "sha256": sha256,
            "as_of": as_of.isoformat(),
            "full": options.full,
            "losses_accepted": options.accept_losses,
            "rows": counts.rows,
            "refused": counts.refused,
            "held": counts.held,
            "people_new": counts.new_people,
            "people_changed": counts.changed_people,
            "posts_new": counts.posts.get("add", 0),
            "posts_changed": counts.posts.get("change", 0),
            "posts_moved": counts.posts.get("move", 0),
            "posts_ended": counts.ended,
        },
    )


def _log(outcome: DirectoryImportResult, options: DirectoryImportOptions) -> None:
    counts = outcome.counts
    log_result = log.error if counts.held else log.info
    log_result(
        "directory_import.held" if counts.held else "directory_import.done",
        dry_run=options.dry_run,
        rows=counts.rows,
        refused=counts.refused,
        new_people=counts.new_people,
        lost=counts.lost,
        held=counts.held,
        seconds=round(outcome.seconds, 1),
    )
