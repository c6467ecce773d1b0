"""Tables of files that people fill in: their columns, and the templates that have them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from siths_portal.lib.files import csv_files, workbooks
from siths_portal.lib.files.workbooks import Sheet

HELP_SHEET = "Hjälp"
YES, NO = "Ja", "Nej"


class FileFormat(StrEnum):
    """How a file is written. A workbook has a sheet for each table, a CSV file one table."""

    XLSX = "xlsx"
    CSV = "csv"


@dataclass(frozen=True)
class ImportColumn:
    """A column: its field's name, its heading, its help text, and whether each file needs its heading and each row a value."""

    field: str
    heading: str
    help: str
    needed: bool = False


@dataclass(frozen=True)
class ImportTable:
    """A table of an import.

    `title` is its sheet's, `recognised_by` a heading that no other table of the import has. The fields `named_by` name a row.
    """

    title: str
    columns: tuple[ImportColumn, ...]
    recognised_by: str
    named_by: tuple[str, ...]

    @property
    def headings(self) -> list[str]:
        """The first row."""
        return [column.heading for column in self.columns]

    @property
    def help_line(self) -> list[str]:
        """The second row of a CSV template, which has no sheet of help. An import skips this row and no other."""
        return [f"{'# ' if index == 0 else ''}{column.help}" for index, column in enumerate(self.columns)]

    def heading(self, field: str) -> str:
        """The heading of a field's column; the field itself if it has none."""
        return next((column.heading for column in self.columns if column.field == field), field)

    def has(self, field: str) -> bool:
        """Returns whether the table has a column for the field."""
        return any(column.field == field for column in self.columns)


ImportTables = Mapping[str, ImportTable]
"""The tables of one import by their keys, in the order in which their rows are created."""


def template_workbook(tables: ImportTables) -> bytes:
    """Returns the workbook to fill in, with a sheet of help."""
    empty = [Sheet(table.title, table.headings) for table in tables.values()]
    guide = Sheet(HELP_SHEET, ("Blad", "Kolumn", "Krävs", "Vad som skrivs"), list(_help(tables)))
    return workbooks.build([*empty, guide])


def _help(tables: ImportTables) -> Iterator[tuple[str, ...]]:
    for table in tables.values():
        for column in table.columns:
            yield (table.title, column.heading, YES if column.needed else "", column.help)


def template_csv(table: ImportTable) -> bytes:
    """Returns one table to fill in. Its second line is help, which the import skips."""
    return csv_files.build(table.headings, [table.help_line])
