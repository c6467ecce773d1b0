"""Reads a file's tables as rows: which table is which, which column is which field, and what is wrong with a cell."""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn, Self

from siths_portal.lib.errors import Invalid
from siths_portal.lib.files import tables as files
from siths_portal.lib.files.tables import Table, TableRow
from siths_portal.lib.imports.columns import HELP_SHEET, ImportColumn, ImportTable, ImportTables

FIELD = "file"
"""The form's field at which a file is refused."""


@dataclass(frozen=True)
class ImportedRow:
    """A row of a file: the key of its table (`kind`), its sheet and line number, and its values by field.

    `odd` has by field what is wrong with a cell as such. An import that stores more with its rows derives from this class; each
    further field has a default, and JSON can store it.
    """

    kind: str
    sheet: str
    number: int
    values: Mapping[str, str]
    odd: Mapping[str, str] = field(default_factory=dict)

    def get(self, field: str) -> str:
        """Returns a field's text; empty if the row does not have it."""
        return self.values.get(field, "")

    @property
    def plain(self) -> dict[str, Any]:
        """The row as JSON stores it."""
        return dataclasses.asdict(self)

    @classmethod
    def of(cls, plain: Mapping[str, Any]) -> Self:
        """Returns the row that `plain` stored."""
        return cls(**plain)


def read_rows[R: ImportedRow](content: bytes, tables: ImportTables, row_class: type[R]) -> list[R]:
    """Returns a file's rows in the order of `tables`. Raises Invalid at FIELD for a file that has none of the tables."""
    found: dict[str, list[R]] = {kind: [] for kind in tables}
    for table in files.read(content, field=FIELD, skipped=HELP_SHEET):
        kind, rows = _rows(table, tables, row_class)
        found[kind] += rows
    together = [row for rows in found.values() for row in rows]
    if not together:
        refuse_file("no-rows", "Filen har inga rader att läsa in. Fyll i mallen och försök igen.")
    if len(together) > files.MAX_ROWS:
        refuse_file("too-many-rows", files.REFUSED["too-many-rows"])
    return together


def refuse_file(code: str, message: str) -> NoReturn:
    """Raises Invalid at FIELD."""
    raise Invalid(code, message, fields={FIELD: [message]})


def _rows[R: ImportedRow](table: Table, tables: ImportTables, row_class: type[R]) -> tuple[str, list[R]]:
    head, *lines = table.lines
    where = f"Bladet {table.name}: " if table.name else ""
    kind = _kind(head, tables, where)
    columns = _columns(tables[kind], head, where)
    helps = dict(zip(tables[kind].columns, tables[kind].help_line, strict=True))
    # The template's own line of help, also with columns moved or removed. Nothing else is a comment (ADR 0194).
    help_line = tuple(helps[column] for column in columns)
    return kind, [
        row_class(kind, table.name, line.number, _values(line, columns), dict(_odd(line, columns)))
        for line in lines
        if line.cells != help_line
    ]


def _kind(head: TableRow, tables: ImportTables, where: str) -> str:
    """Returns the key of the table that has this header. Raises Invalid."""
    headings = {_key(cell) for cell in head.cells}
    for kind, table in tables.items():
        if _key(table.recognised_by) in headings:
            return kind
    refuse_file("unknown-table", f"{where}Rubrikraden är inte någon av mallarnas. Hämta mallen och behåll dess första rad.")


def _columns(table: ImportTable, head: TableRow, where: str) -> list[ImportColumn]:
    """Returns the header's columns. Raises Invalid for an unknown or repeated one, and if a needed one is missing."""
    known = {_key(column.heading): column for column in table.columns}
    found: list[ImportColumn] = []
    for cell in head.cells:
        column = known.get(_key(cell))
        if column is None:
            said = f"kolumnen {cell[:40]}" if cell else "en kolumn utan rubrik"
            refuse_file("unknown-column", f"{where}Filen har {said}, som inte finns i mallen. Ta bort den eller rätta rubriken.")
        if column in found:
            refuse_file("column-twice", f"{where}Kolumnen {column.heading} finns två gånger. Ta bort den ena.")
        found.append(column)
    missing = [column.heading for column in table.columns if column.needed and column not in found]
    if missing:
        refuse_file("column-missing", f"{where}Filen saknar kolumnen {missing[0]}. Hämta mallen och behåll dess första rad.")
    return found


def _key(heading: str) -> str:
    return heading.rstrip("* ").strip().casefold()


def _values(line: TableRow, columns: Sequence[ImportColumn]) -> dict[str, str]:
    return {column.field: text for column, text in zip(columns, line.cells, strict=False) if text}


def _odd(line: TableRow, columns: Sequence[ImportColumn]) -> Iterator[tuple[str, str]]:
    for index, message in line.odd.items():
        if index < len(columns):
            yield columns[index].field, message
    beyond: Iterable[str] = line.cells[len(columns) :]
    if any(beyond) or any(index >= len(columns) for index in line.odd):
        yield columns[0].field, "Raden har fler celler än det finns rubriker."
