"""A file's tables as rows of the set-up: which table is which, which column is which field, and what is wrong with a cell."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from issuance.imports.domain import HELP_SHEET, SHAPES, Column, Kind
from siths_portal.lib.errors import Invalid
from siths_portal.lib.files import tables
from siths_portal.lib.files.tables import Table, TableRow

FIELD = "file"
"""The form's field at which a file is refused."""


@dataclass(frozen=True)
class Row:
    """A row: its table and where it stands, its values by field, and by field what is wrong with a cell as such.

    Of a new organisation also what the catalogue said when the file was sent, and by field what differs from it.
    """

    kind: Kind
    sheet: str
    number: int
    values: Mapping[str, str]
    odd: Mapping[str, str] = field(default_factory=dict)
    catalogue: str = ""
    differences: Mapping[str, str] = field(default_factory=dict)

    def get(self, field: str) -> str:
        """A field's text; empty where there is none."""
        return self.values.get(field, "")

    @property
    def plain(self) -> dict[str, Any]:
        """The row as JSON keeps it."""
        return {
            "kind": self.kind.value,
            "sheet": self.sheet,
            "number": self.number,
            "values": dict(self.values),
            "odd": dict(self.odd),
            "catalogue": self.catalogue,
            "differences": dict(self.differences),
        }

    @classmethod
    def of(cls, plain: Mapping[str, Any]) -> "Row":
        """The row that `plain` told."""
        said = plain.get("catalogue", ""), plain.get("differences", {})
        return cls(Kind(plain["kind"]), plain["sheet"], plain["number"], plain["values"], plain["odd"], *said)


def rows_of(content: bytes) -> list[Row]:
    """A file's rows, in the order in which its tables are made. Raises Invalid at `FIELD` for a file that is none of ours."""
    found: dict[Kind, list[Row]] = {kind: [] for kind in Kind}
    for table in tables.read(content, field=FIELD, skipped=HELP_SHEET):
        kind, rows = _rows(table)
        found[kind] += rows
    together = [row for kind in Kind for row in found[kind]]
    if not together:
        raise _refused("no-rows", "Filen har inga rader att läsa in. Fyll i mallen och försök igen.")
    if len(together) > tables.MAX_ROWS:
        raise _refused("too-many-rows", tables.REFUSED["too-many-rows"])
    return together


def _rows(table: Table) -> tuple[Kind, list[Row]]:
    head, *lines = table.lines
    where = f"Bladet {table.name}: " if table.name else ""
    kind = _kind(head, where)
    columns = _columns(kind, head, where)
    return kind, [_row(kind, table, line, columns) for line in lines if not _is_help(kind, line, columns)]


def _is_help(kind: Kind, line: TableRow, columns: Sequence[Column]) -> bool:
    """True for the template's own line of help, also with columns moved or taken away. Nothing else is a comment (ADR 0194)."""
    shape = SHAPES[kind]
    helps = dict(zip(shape.columns, shape.help_line, strict=True))
    return list(line.cells) == [helps[column] for column in columns]


def _kind(head: TableRow, where: str) -> Kind:
    """Which table has this header. Raises Invalid."""
    headings = {_key(cell) for cell in head.cells}
    for kind, shape in SHAPES.items():
        if _key(shape.sign) in headings:
            return kind
    raise _refused("unknown-table", f"{where}Rubrikraden är inte någon av mallarnas. Hämta mallen och behåll dess första rad.")


def _columns(kind: Kind, head: TableRow, where: str) -> list[Column]:
    """The header's columns. Raises Invalid for one that is unknown, given twice, or missing though every file needs it."""
    known = {_key(column.heading): column for column in SHAPES[kind].columns}
    found: list[Column] = []
    for cell in head.cells:
        column = known.get(_key(cell))
        if column is None:
            said = f"kolumnen {cell[:40]}" if cell else "en kolumn utan rubrik"
            raise _refused(
                "unknown-column", f"{where}Filen har {said}, som inte finns i mallen. Ta bort den eller rätta rubriken."
            )
        if column in found:
            raise _refused("column-twice", f"{where}Kolumnen {column.heading} finns två gånger. Ta bort den ena.")
        found.append(column)
    missing = [column.heading for column in known.values() if column.needed and column not in found]
    if missing:
        raise _refused("column-missing", f"{where}Filen saknar kolumnen {missing[0]}. Hämta mallen och behåll dess första rad.")
    return found


def _key(heading: str) -> str:
    return heading.rstrip("* ").strip().casefold()


def _row(kind: Kind, table: Table, line: TableRow, columns: Sequence[Column]) -> Row:
    values = {column.field: text for column, text in zip(columns, line.cells, strict=False) if text}
    odd = dict(_odd(line, columns))
    return Row(kind, table.name, line.number, values, odd)


def _odd(line: TableRow, columns: Sequence[Column]) -> Iterator[tuple[str, str]]:
    for index, message in line.odd.items():
        if index < len(columns):
            yield columns[index].field, message
    beyond: Iterable[str] = line.cells[len(columns) :]
    if any(beyond) or any(index >= len(columns) for index in line.odd):
        yield columns[0].field, "Raden har fler celler än det finns rubriker."


def _refused(code: str, message: str) -> Invalid:
    return Invalid(code, message, fields={FIELD: [message]})
