"""The catalogue from a file into the mirror of posts, all of it or nothing (ADR 0260, 0263).

The rows are read and checked one after another and staged; what they would change is worked out beside the tables; one short
transaction then changes what differs. People, posts and where people are visible follow, each change with its event.
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
"""Rows that are in memory at once."""

FEW = 3
"""So many posts may end by one file whatever share of all they are."""

ATTEMPTS = 5
"""How often the change is planned anew where somebody else changes the same people meanwhile."""

_OTHERS_WERE_FIRST = ("23505", "40P01", "55P03")
"""SQLSTATE of a row that is there already, a deadlock, and a lock that was not to be had."""

_LOCK = locks.number("issuance.directory_import")

type Say = Callable[[int, int], None]
"""Told of progress: octets and rows that were read."""


@dataclass(frozen=True)
class DirectoryImportOptions:
    """How a file is to be read. `as_of` is when it was made, without which its time of change tells.

    `full`: posts that are not in it end. `accept_losses`: however many. `nobody_protected`: it may say so by saying nothing.
    """

    full: bool = False
    accept_losses: bool = False
    nobody_protected: bool = False
    dry_run: bool = False
    encoding: str = "utf-8"
    as_of: dt.datetime | None = None


@dataclass
class DirectoryImportResult:
    """What a file held and what it changed, or would change by a dry run; the first of the rows that were not taken."""

    counts: DirectoryImportCounts
    sha256: str
    seconds: float
    problems: list[RefusedRow] = field(default_factory=list)

    @property
    def whole(self) -> bool:
        """True if every row was taken and nothing held back."""
        return not self.counts.refused and not self.counts.held


def run(
    path: Path, options: DirectoryImportOptions, *, say: Say = lambda _octets, _rows: None, shown: int = 1000
) -> DirectoryImportResult:
    """Lets the mirror follow the file. No transaction may be open.

    The same file again changes nothing; a run that was cut off has changed nothing. Raises OSError for a file that cannot be
    read, Invalid for one that is not what it should be, Conflict while another import runs, Unavailable where others change the
    same people again and again. Refused rows and losses that were held back are no error here: `DirectoryImportResult.whole`
    tells.
    """
    begun = time.monotonic()
    with path.open("rb", buffering=0) as raw, locks.alone(_LOCK, _running()):
        changed_at = dt.datetime.fromtimestamp(os.fstat(raw.fileno()).st_mtime, tz=dt.UTC)
        as_of = min(options.as_of or changed_at, clock.now())
        digested = _Digested(raw)
        try:
            directory_import_plan.stage()
            _stage(digested, options, say)
            counts = _change(as_of, options, digested.sha256)
            problems = directory_import_plan.problems(shown)
        finally:
            with contextlib.suppress(Error):  # a session that broke has no temporary tables any more
                directory_import_plan.clear()
    outcome = DirectoryImportResult(counts, digested.sha256, time.monotonic() - begun, problems)
    _tell(outcome, options)
    return outcome


def _running() -> Conflict:
    return Conflict("import-running", "En import av katalogen pågår redan. Vänta tills den är klar.")


class _Digested(RawIOBase):
    """A file that is read once, from its beginning, with the hash and the number of what was read."""

    def __init__(self, raw: RawIOBase) -> None:
        super().__init__()
        self._raw, self._hash, self.octets = raw, hashlib.sha256(), 0

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        """Reads as the file does."""
        count = self._raw.readinto(buffer) or 0
        self._hash.update(memoryview(buffer)[:count])
        self.octets += count
        return count

    @property
    def sha256(self) -> str:
        """Of what was read."""
        return self._hash.hexdigest()


def _stage(file: _Digested, options: DirectoryImportOptions, say: Say) -> None:
    """Fills the staging table, a chunk at a time."""
    keys = Organisation.objects.annotate(upper=Upper("hsa_id")).values_list("upper", "pk")
    stager = Stager(dict(keys), prefixes=frozenset(settings.HSA_ID_PREFIXES), today=clock.today())
    found = ports.get(DirectoryFiles).rows(BufferedReader(file, 1 << 16), encoding=options.encoding)
    rows = 0
    for chunk in itertools.batched(found, CHUNK):
        rows += bulk.copy(directory_import_plan.STAGING, COLUMNS, (stager.staged(row) for row in chunk))
        say(file.octets, rows)
    if not rows:
        raise Invalid("no-rows", "Filen har inga uppdrag. Ingenting har ändrats.")


def _change(as_of: dt.datetime, options: DirectoryImportOptions, sha256: str) -> DirectoryImportCounts:
    for attempt in range(ATTEMPTS):
        counts = _planned(as_of, options)
        if options.dry_run or not counts.changes:
            return counts
        try:
            with transaction.atomic(durable=True):
                directory_import_apply.carry_out(now=clock.now(), as_of=as_of)
                _record(counts, as_of, options, sha256)
        except (IntegrityError, OperationalError) as error:
            if getattr(error.__cause__, "pgcode", None) not in _OTHERS_WERE_FIRST:
                raise
            log.warning("directory_import.others_were_first", attempt=attempt)
            time.sleep(0.1 * (attempt + 1))
        else:
            return counts
    message = "Andra ändrade samma personer hela tiden. Ingenting har ändrats. Kör igen."
    raise Unavailable("import-outrun", message)


def _planned(as_of: dt.datetime, options: DirectoryImportOptions) -> DirectoryImportCounts:
    """The plan, without the losses that are not believed. Raises Invalid for a file that tells of no protection at all."""
    counts = directory_import_plan.work_out(as_of=as_of, today=clock.today(), full=options.full)
    if not counts.protection_told and not options.nobody_protected and counts.refused < counts.rows:
        raise Invalid(
            "protection-untold",
            "Filen säger inte om någon har skyddade personuppgifter (hsaProtectedPerson). Exportera det också. "
            "Har ingen i filen skyddade personuppgifter, kör med --nobody-protected.",
        )
    _hold(counts, options)
    return counts


def _hold(counts: DirectoryImportCounts, options: DirectoryImportOptions) -> None:
    """Takes losses out of the plan that are too many, or that something else may explain, unless they are accepted: an unreadable
    row, or of protected people that whoever fetched the file may not read them (ADR 0263)."""
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
    """The import's own event: which file, how it was read, and numbers."""
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


def _tell(outcome: DirectoryImportResult, options: DirectoryImportOptions) -> None:
    counts = outcome.counts
    tell = log.error if counts.held else log.info
    tell(
        "directory_import.held" if counts.held else "directory_import.done",
        dry_run=options.dry_run,
        rows=counts.rows,
        refused=counts.refused,
        new_people=counts.new_people,
        lost=counts.lost,
        held=counts.held,
        seconds=round(outcome.seconds, 1),
    )
