"""The child process that reads uploaded workbooks (XLSX, ECMA-376). A file could exploit it, so it has few rights and no secrets.

Reads one file from standard input and writes its sheets as JSON to standard output. Uses neither Django nor the database.
"""

import datetime as dt
import io
import json
import re
import resource
import sys
import zipfile
from collections.abc import Iterable, Iterator
from typing import Any

UNPACKED = 16 * 1024 * 1024
PARTS = 500
CHARACTERS = 4_000_000
"""The limit for the text of all cells together: a workbook stores a shared text once, but each of its cells is sent on."""

SECONDS = 10
MEMORY = 512 * 1024 * 1024
LAST_ROW = 1_048_576
"""The last row number of a sheet (ECMA-376 part 1, 18.3.1.73)."""

_DECLARES = re.compile(rb"<!\s*(DOCTYPE|ENTITY)", re.IGNORECASE)
_MERGES = re.compile(rb"<(\w+:)?mergeCell\b")
_LARGEST = 10**15
_WITHOUT_TIME = dt.time(0)


class Unreadable(Exception):
    """The file is refused. The argument is a key of `tables.REFUSED`."""


def sheets(content: bytes, *, rows: int, columns: int, skipped: str) -> list[list[Any]]:
    """Returns each sheet not called `skipped` as [name, lines]. A line is [number, cells, key of `tables.ODD` by column].

    Raises Unreadable if the file is not a plain workbook or has more than `rows` filled lines, `columns` filled columns or
    CHARACTERS in total.
    """
    _require_plain(content)
    from openpyxl import load_workbook  # here, since the portal's processes import this module only for Unreadable

    try:
        book = load_workbook(io.BytesIO(content), read_only=True, keep_links=False, rich_text=False)
        if not book.worksheets:
            raise Unreadable("not-xlsx")
        left, characters, found = rows, CHARACTERS, []
        for sheet in book.worksheets:
            if sheet.title.strip().casefold() == skipped.casefold():
                continue
            sheet.reset_dimensions()  # ignores the dimensions that the file claims
            lines = list(_lines(sheet.iter_rows(), left, columns, characters))
            left -= len(lines)
            characters -= sum(_characters(line) for line in lines)
            if lines:
                found.append([sheet.title[:40], lines])
    except (Unreadable, MemoryError):
        raise
    except Exception as error:  # the library raises many types for an invalid file
        raise Unreadable("not-xlsx") from error
    return found


def _require_plain(content: bytes) -> None:
    """Raises Unreadable if the archive is too large, contains a program, a DTD or entity declaration, or merged cells."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = archive.infolist()
            if len(entries) > PARTS or sum(entry.file_size for entry in entries) > UNPACKED:
                raise Unreadable("too-large")
            if len({entry.filename for entry in entries}) < len(entries) or not all(map(_is_plain, entries)):
                raise Unreadable("not-xlsx")
            if any(entry.filename.lower().endswith((".bin", ".vba")) and "vba" in entry.filename.lower() for entry in entries):
                raise Unreadable("macros")
            for entry in entries:
                if entry.filename.lower().endswith((".xml", ".rels")):
                    _require_harmless(archive.read(entry))  # zipfile reads at most `file_size`, which is checked above
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError, EOFError, ValueError) as error:
        raise Unreadable("not-xlsx") from error


def _is_plain(entry: zipfile.ZipInfo) -> bool:
    return entry.compress_type in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) and not entry.flag_bits & 1


def _require_harmless(part: bytes) -> None:
    """Raises Unreadable if the part has declarations or merged cells, or is not UTF-8, which could hide declarations."""
    if b"\0" in part[:8] or part[:2] in (b"\xff\xfe", b"\xfe\xff") or _DECLARES.search(part):
        raise Unreadable("not-xlsx")
    if _MERGES.search(part):
        raise Unreadable("merged")


def _lines(rows: Iterable[tuple[Any, ...]], limit: int, columns: int, characters: int) -> Iterator[list[Any]]:
    for taken, line in enumerate(_filled(rows)):
        if taken >= limit:
            raise Unreadable("too-many-rows")
        if len(line[1]) > columns:
            raise Unreadable("too-many-columns")
        characters -= _characters(line)
        if characters < 0:
            raise Unreadable("too-large")
        yield line


def _characters(line: list[Any]) -> int:
    return sum(map(len, line[1]))


def _filled(rows: Iterable[tuple[Any, ...]]) -> Iterator[list[Any]]:
    """Yields the lines that are not empty, without empty cells at their end."""
    for number, row in enumerate(rows, start=1):
        if number > LAST_ROW:
            raise Unreadable("not-xlsx")
        cells, odd = [], {}
        for index, cell in enumerate(row):
            text, strange = _text(cell.value, cell.data_type)
            cells.append(text)
            if strange:
                odd[index] = strange
        while cells and not cells[-1] and len(cells) - 1 not in odd:
            cells.pop()
        if cells:
            yield [number, cells, odd]


def _text(value: Any, kind: str) -> tuple[str, str]:
    """Returns a cell as text, and a key of `tables.ODD` if it is a formula, an error or a value of an unsupported type."""
    if value is None:
        return "", ""
    if kind in ("f", "e"):
        return "", "formula" if kind == "f" else "error"
    if isinstance(value, bool):
        return ("Ja" if value else "Nej"), ""
    if isinstance(value, str):
        return value, ""
    if isinstance(value, int | float):
        if value != value or abs(value) >= _LARGEST:
            return "", "number"
        return str(int(value) if value == int(value) else value), ""
    if isinstance(value, dt.datetime) and value.time() == _WITHOUT_TIME:
        return value.date().isoformat(), ""
    if isinstance(value, dt.date) and not isinstance(value, dt.datetime):
        return value.isoformat(), ""
    return "", "kind"


def main() -> None:
    """Limits memory and CPU time, reads the file, and writes its sheets or the code of the refusal."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    rows, columns, skipped = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    try:
        answer: dict[str, Any] = {"sheets": sheets(sys.stdin.buffer.read(), rows=rows, columns=columns, skipped=skipped)}
    except Unreadable as error:
        answer = {"refused": str(error), "cause": type(error.__cause__).__name__}
    except MemoryError:
        answer = {"refused": "too-large"}
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main()
