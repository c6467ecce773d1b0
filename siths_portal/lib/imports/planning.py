"""What an import does with each row of a file: shown in the preview, and worked out again when it is carried out."""

import datetime as dt
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, ClassVar

from siths_portal.lib.errors import Conflict, DomainError, Forbidden, Invalid, NotFound
from siths_portal.lib.imports.columns import NO, YES, ImportTable
from siths_portal.lib.imports.reading import ImportedRow

REFUSALS = (Invalid, Conflict, Forbidden, NotFound)
"""How the rules of its page refuse a row."""

MAX_NEW = 1000
"""Rows that one import creates or changes, in one transaction for which others wait."""


def grouped(count: int) -> str:
    """Returns a count with no-break spaces between thousands."""
    return f"{count:,}".replace(",", "\u00a0")


class RowOutcome(StrEnum):
    """What carrying out an import does with a row."""

    CREATE = "create"
    CHANGE = "change"
    SAME = "same"
    INVALID = "invalid"


@dataclass
class PlannedRow[R: ImportedRow, C]:
    """A row and what the import does with it.

    `summary` describes it in words, `errors` has by field what is wrong, `change` is what applying the plan executes, and
    `depends_on` the ids and versions on which the plan of this row rests.
    """

    row: R
    table: ImportTable
    outcome: RowOutcome = RowOutcome.SAME
    summary: str = ""
    errors: dict[str, list[str]] = field(default_factory=dict)
    change: C | None = None
    depends_on: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name, message in self.row.odd.items():
            self.refuse(name, message)

    @property
    def warnings(self) -> Mapping[str, str]:
        """By field what the user must confirm before the row is carried out."""
        return {}

    def get(self, field: str) -> str:
        """Returns a field's text; empty if the row does not have it."""
        return self.row.get(field)

    @property
    def name(self) -> str:
        """The row's name in the preview, from the fields that its table declares."""
        return ", ".join(text for text in map(self.row.get, self.table.named_by) if text) or "–"

    @property
    def place(self) -> str:
        """The row's sheet and number."""
        return f"{self.row.sheet or self.table.title} {self.row.number}"

    def refuse(self, field: str, message: str) -> None:
        """Records an error at a field."""
        self.outcome, self.change = RowOutcome.INVALID, None
        self.errors.setdefault(field, []).append(message)

    def take(self, error: DomainError, *, field: str) -> None:
        """Records a refusal of the domain at its fields, else at `field`."""
        for name, messages in (error.fields or {field: [error.message]}).items():
            for message in messages:
                self.refuse(name if self.table.has(name) else field, message)

    def yes_or_no(self, field: str) -> bool | None:
        """Returns the truth of a cell with Ja or Nej; None if it is empty, or has another text, which is an error."""
        text = self.get(field).casefold()
        if text in ("", YES.casefold(), NO.casefold()):
            return text == YES.casefold() if text else None
        self.refuse(field, "Skriv Ja eller Nej.")
        return None

    def day(self, field: str) -> dt.date | None:
        """Returns the date in a cell; None if it is empty, or has no date, which is an error."""
        text = self.get(field)
        try:
            return dt.date.fromisoformat(text) if text else None
        except ValueError:
            self.refuse(field, "Skriv ett datum, till exempel 2026-11-25.")
            return None

    def differs(self, field: str, typed: object, stored: object, shown: str | None) -> None:
        """Records an error if the stored value is not the cell's. An empty cell says nothing.

        `shown` is the stored value in words; None if the actor sees no page that shows it.
        """
        if self.get(field) and typed != stored:
            value = "" if shown is None else f": {shown or 'tomt'}"
            self.refuse(field, f"Finns redan, med ett annat värde{value}. Ändra det på dess egen sida.")

    @contextmanager
    def applying(self) -> Iterator[None]:
        """Names the row in the Conflict that a refusal inside the block becomes, since the preview could not know it."""
        try:
            yield
        except REFUSALS as error:
            where = f"I bladet {self.row.sheet}, rad {self.row.number}" if self.row.sheet else f"På rad {self.row.number}"
            message = next(iter(error.fields.values()), [error.message])[0]
            raise Conflict(error.code, f"Inget har lästs in. {where}: {message}") from error


@dataclass(frozen=True)
class ImportPlan[P: PlannedRow[Any, Any]]:
    """What becomes of a complete file."""

    rows: Sequence[P]

    split_advice: ClassVar[str] = "Dela upp den i flera filer."

    @property
    def has_errors(self) -> bool:
        """Whether an invalid row prevents the import."""
        return self.invalid > 0

    @property
    def is_empty(self) -> bool:
        """Whether everything in the file exists already."""
        return all(row.outcome is RowOutcome.SAME for row in self.rows)

    @property
    def too_long(self) -> str:
        """Why the file has more to do than one import does; empty if it has not. No single row is at fault."""
        new = self.number(lambda row: row.change is not None)
        if new <= MAX_NEW:
            return ""
        return f"Filen har {grouped(new)} nya rader. Högst {grouped(MAX_NEW)} nya rader läses in åt gången. {self.split_advice}"

    @property
    def warned(self) -> int:
        """The number of rows with warnings, which the user must confirm."""
        return self.number(lambda row: bool(row.warnings))

    @property
    def sha256(self) -> str:
        """The hash of what the preview shows and what it rests on: equal plans do the same when they are carried out."""
        shown = [[row.row.sheet, row.row.number, row.outcome.value, row.summary, row.errors, row.depends_on] for row in self.rows]
        return hashlib.sha256(json.dumps(shown, sort_keys=True).encode()).hexdigest()

    def count(self, outcome: RowOutcome, kind: str | None = None) -> int:
        """Returns the number of rows, of one table or of all, with this outcome."""
        return self.number(lambda row: row.outcome is outcome and kind in (None, row.row.kind))

    def number(self, condition: Callable[[P], bool]) -> int:
        """Returns the number of rows that meet the condition."""
        return sum(1 for row in self.rows if condition(row))

    @property
    def invalid(self) -> int:
        """The number of invalid rows."""
        return self.count(RowOutcome.INVALID)

    @property
    def counts(self) -> Mapping[str, int]:
        """What the import does, as events and pages show it."""
        return {outcome.value: self.count(outcome) for outcome in RowOutcome}
