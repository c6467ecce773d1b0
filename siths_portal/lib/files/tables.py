"""Reads uploaded tables (XLSX or CSV) with limits on size, rows and columns. Runs and fetches nothing in them (S36, S41).

A child process with limited memory and time reads workbooks (ADR 0193).
"""

import csv
import io
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NoReturn

import structlog
from django.conf import settings

from siths_portal.lib.errors import Invalid
from siths_portal.lib.files import csv_files
from siths_portal.lib.files.sheet_child import Unreadable
from siths_portal.lib.pages.texts import composed

log = structlog.get_logger(__name__)
MAX_BYTES = 2 * 1024 * 1024
MAX_ROWS = 5000
MAX_COLUMNS = 30
MAX_CHARACTERS = 32_767
"""The limit of a spreadsheet cell."""
SECONDS = 30

_TWO = threading.BoundedSemaphore(2)
"""A process reads at most two workbooks at a time, so that many uploads at once take longer but no more memory (S36)."""

_SEPARATOR_LINE = re.compile(r"sep=([;,\t])", re.IGNORECASE)
"""The line before the header that declares the separator to Excel."""

_ZIP = b"PK\x03\x04"
REFUSED: Mapping[str, str] = {
    "empty-file": "Filen är tom. Välj en annan.",
    "too-large": f"Filen är för stor. Högst {MAX_BYTES // 1024 // 1024} MB tas emot.",
    "not-xlsx": "Filen går inte att läsa. Spara den som en vanlig Excel-arbetsbok (.xlsx) eller som CSV och försök igen.",
    "not-csv": "Filen går inte att läsa. Spara den som CSV med UTF-8 eller som Excel-arbetsbok (.xlsx) och försök igen.",
    "macros": "Filen innehåller makron. Spara den som en vanlig Excel-arbetsbok (.xlsx) och försök igen.",
    "merged": "Filen har sammanfogade celler. Dela upp dem, så att varje rad har sina egna värden, och försök igen.",
    "too-many-rows": f"Filen har för många rader. Högst {MAX_ROWS} tas emot åt gången.",
    "too-many-columns": f"Filen har för många kolumner. Högst {MAX_COLUMNS} tas emot.",
}
ODD: Mapping[str, str] = {
    "formula": "Cellen innehåller en formel. Klistra in värdet i stället.",
    "error": "Cellen innehåller ett fel från kalkylprogrammet. Skriv värdet.",
    "number": "Talet är för stort för att läsas exakt. Formatera cellen som text och skriv värdet igen.",
    "kind": "Värdet är av en typ som inte läses. Formatera cellen som text och skriv värdet igen.",
    "long": f"Texten är för lång. Skriv högst {MAX_CHARACTERS} tecken.",
    "control": "Texten innehåller tecken som inte går att skriva ut. Skriv texten igen.",
}


@dataclass(frozen=True)
class TableRow:
    """A line that is not empty: its number in the spreadsheet, its cells, and a Swedish text for each faulty cell, by column."""

    number: int
    cells: tuple[str, ...]
    odd: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Table:
    """A sheet of a workbook, or a CSV file (with an empty name)."""

    name: str
    lines: tuple[TableRow, ...]


def is_workbook(content: bytes) -> bool:
    """Returns whether the content is a ZIP archive and so a workbook. All other content is read as CSV."""
    return content.startswith(_ZIP)


def read(content: bytes, *, field: str, skipped: str = "") -> list[Table]:
    """Returns the tables of an XLSX or CSV file that have lines, without sheets called `skipped`.

    Keeps lines that look like comments. Raises Invalid at `field` if the file is malformed or too large.
    """
    try:
        if not content:
            raise Unreadable("empty-file")
        if len(content) > MAX_BYTES:
            raise Unreadable("too-large")
        found = _workbook(content, skipped) if is_workbook(content) else [Table("", tuple(_csv_lines(content)))]
    except Unreadable as error:
        _refuse(str(error), field)
    return [table for table in found if table.lines]


def _refuse(code: str, field: str) -> NoReturn:
    message = REFUSED.get(code, REFUSED["not-xlsx"])
    raise Invalid(code, message, fields={field: [message]})


def _workbook(content: bytes, skipped: str) -> list[Table]:
    """Returns the sheets as the child process reads them. Raises Unreadable if it refuses the file, crashes or times out."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    command = [sys.executable, "-m", "siths_portal.lib.files.sheet_child", str(MAX_ROWS + 10), str(MAX_COLUMNS), skipped]
    try:
        with _TWO:
            done = subprocess.run(
                command, cwd=settings.BASE_DIR, env=kept, input=content, capture_output=True, check=False, timeout=SECONDS
            )
        answer = json.loads(done.stdout) if done.returncode == 0 else {}
    except (subprocess.TimeoutExpired, ValueError):
        answer = {}
    if "sheets" not in answer:
        log.warning("tables.refused", code=answer.get("refused", "no-answer"), cause=answer.get("cause", ""))
        raise Unreadable(answer.get("refused", "not-xlsx"))
    return [Table(name, tuple(_bounded(lines))) for name, lines in answer["sheets"]]


def _bounded(lines: Iterable[tuple[int, list[str], Mapping[str, str]]]) -> Iterator[TableRow]:
    for number, cells, odd in lines:
        yield _line(number, cells, {int(index): code for index, code in odd.items()})


def _line(number: int, cells: Iterable[str], odd: Mapping[int, str]) -> TableRow:
    wrong = {index: ODD[code] for index, code in odd.items()}
    texts = []
    for index, cell in enumerate(cells):
        text = _plain(cell)
        if len(text) > MAX_CHARACTERS or any(not each.isprintable() for each in text):
            wrong[index] = ODD["long" if len(text) > MAX_CHARACTERS else "control"]
            text = ""
        texts.append(text)
    return TableRow(number, tuple(texts), wrong)


def _plain(text: str) -> str:
    """Returns a cell's text on one line in NFC, without the apostrophe that `csv_files.cell` added."""
    return csv_files.undone(" ".join(composed(text).split()))


def _csv_lines(content: bytes) -> Iterator[TableRow]:
    """Yields the records of a CSV file (RFC 4180). The separator is that of a `sep=` line, or else the most frequent candidate in
    the first line. Raises Unreadable."""
    text = _decoded(content)
    first = text.split("\n", 1)[0]
    named = _SEPARATOR_LINE.fullmatch(first.strip('\r" '))
    separator = named[1] if named else csv_files.separator_of(first)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    taken = 0
    try:
        for number, record in enumerate(reader, start=1):
            if named and number == 1:
                continue
            cells = [cell.strip() for cell in record]
            while cells and not cells[-1]:
                cells.pop()
            if not cells:
                continue
            taken += 1
            if taken > MAX_ROWS + 10:
                raise Unreadable("too-many-rows")
            if len(cells) > MAX_COLUMNS:
                raise Unreadable("too-many-columns")
            yield _line(number, cells, {index: "formula" for index, cell in enumerate(cells) if cell.startswith("=")})
    except csv.Error as error:
        raise Unreadable("not-csv") from error


def _decoded(content: bytes) -> str:
    """Decodes UTF-8, or else Windows-1252, which older spreadsheets in Sweden write. Raises Unreadable."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        try:
            text = content.decode("cp1252")
        except UnicodeDecodeError as error:
            raise Unreadable("not-csv") from error
    if "\0" in text:
        raise Unreadable("not-csv")
    return text
