"""Writes workbooks (XLSX) with text cells only, so that a spreadsheet runs no cell as a formula (S41)."""

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from siths_portal.lib.files import csv_files

XLSX_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_TEXT = "@"
_NARROWEST, _WIDEST = 12, 60


@dataclass(frozen=True)
class Sheet:
    """A sheet with title, headings and rows. Each value is written as the text that `csv_files.cell` returns."""

    title: str
    header: Sequence[str]
    rows: Iterable[Sequence[object]] = ()


def build(sheets: Iterable[Sheet], *, author: str = "") -> bytes:
    """Returns the workbook. Headings are bold and frozen. Columns have text format, so typed long numbers keep all digits."""
    from openpyxl import Workbook  # here, since most processes never write one
    from openpyxl.cell import WriteOnlyCell
    from openpyxl.styles import Font

    book = Workbook(write_only=True)
    book.properties.creator = author
    for sheet in sheets:
        page = book.create_sheet(sheet.title)
        page.freeze_panes = "A2"
        rows = [[csv_files.cell(value) for value in row] for row in sheet.rows]
        for index, heading in enumerate(sheet.header):
            column = page.column_dimensions[_letter(index)]
            longest = max([len(heading), *(len(row[index]) for row in rows)])
            column.width = min(max(longest + 2, _NARROWEST), _WIDEST)
            column.number_format = _TEXT
        page.append([_text(WriteOnlyCell(page, csv_files.cell(heading)), bold=Font(bold=True)) for heading in sheet.header])
        for row in rows:
            page.append([_text(WriteOnlyCell(page, value)) for value in row])
    target = io.BytesIO()
    book.save(target)
    return target.getvalue()


def _text(cell: object, *, bold: object = None) -> object:
    """Returns the cell, formatted as text whatever its value looks like."""
    cell.data_type = "s"  # type: ignore[attr-defined]
    cell.number_format = _TEXT  # type: ignore[attr-defined]
    if bold is not None:
        cell.font = bold  # type: ignore[attr-defined]
    return cell


def _letter(index: int) -> str:
    return chr(ord("A") + index)
