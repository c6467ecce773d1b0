"""Tables from outside: what a file may not be, may not hold and may not cost, and how its cells are read (S36, S41)."""

import datetime as dt
import io
import zipfile
from collections.abc import Callable
from typing import Any

import pytest
from openpyxl import Workbook

from siths_portal.lib.errors import Invalid
from siths_portal.lib.files import csv_files, sheet_child, tables, workbooks
from siths_portal.lib.files.workbooks import Sheet

SHEET = "xl/worksheets/sheet1.xml"
_OPENING = '<?xml version="1.0" encoding="UTF-8"?>'
_NAMESPACE = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"


_DAY = dt.datetime(2026, 11, 25)  # noqa: DTZ001 - a spreadsheet knows no zone


def workbook(*rows: list[Any], change: Callable[[Any], None] | None = None) -> bytes:
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = "Kontor"
    for row in rows:
        sheet.append(row)
    if change:
        change(sheet)
    target = io.BytesIO()
    book.save(target)
    return target.getvalue()


def rebuilt(content: bytes, parts: dict[str, bytes], *, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """The archive with parts replaced or added."""
    target = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(target, "w", method) as new:
        for name in {*old.namelist(), *parts}:
            new.writestr(name, parts[name] if name in parts else old.read(name))
    return target.getvalue()


def sheet_of(body: str, *, before: str = "") -> bytes:
    return f'{_OPENING}{before}<worksheet xmlns="{_NAMESPACE}">{body}</worksheet>'.encode()


def _repeated(content: bytes, text: str, rows: int, cells: int) -> bytes:
    """A workbook that keeps a text once and has it in every cell."""
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml.sharedStrings+xml"
    part = f'<Override PartName="/xl/sharedStrings.xml" ContentType="{kind}"/></Types>'.encode()
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        types = archive.read("[Content_Types].xml").replace(b"</Types>", part)
    row = f"<row>{'<c t="s"><v>0</v></c>' * cells}</row>"
    strings = f'{_OPENING}<sst xmlns="{_NAMESPACE}"><si><t>{text}</t></si></sst>'.encode()
    body = sheet_of(f"<sheetData>{row * rows}</sheetData>")
    return rebuilt(content, {SHEET: body, "xl/sharedStrings.xml": strings, "[Content_Types].xml": types})


def row_of(reference: str, row: str, text: str = "a") -> str:
    cell = f'<c r="{reference}" t="inlineStr"><is><t>{text}</t></is></c>'
    return f'<sheetData><row r="{row}">{cell}</row></sheetData>'


def _lying(content: bytes) -> bytes:
    """An archive whose directory says that a part is smaller than it is."""
    packed = rebuilt(content, {"xl/big.xml": b"<a>" + b" " * 3_000_000 + b"</a>"})
    return packed.replace((3_000_007).to_bytes(4, "little"), (30).to_bytes(4, "little"))


def _encrypted(content: bytes) -> bytes:
    place = content.rindex(b"PK\x01\x02")
    return content[: place + 8] + b"\x01" + content[place + 9 :]


PLAIN = workbook(["Kontor"], ["A"])
_LAUGHS = '<!DOCTYPE w [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
_FETCHES = '<!DOCTYPE w [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
HOSTILE: dict[str, tuple[Callable[[], bytes], str]] = {
    "a bomb": (lambda: rebuilt(PLAIN, {"xl/bomb.bin": b"\0" * (sheet_child.UNPACKED + 1)}), "too-large"),
    "a part larger than it says": (lambda: _lying(PLAIN), "not-xlsx"),
    "a text in every cell": (lambda: _repeated(PLAIN, "a" * 20_000, 20, 20), "too-large"),
    "too many parts": (lambda: rebuilt(PLAIN, {f"xl/{n}.bin": b"" for n in range(sheet_child.PARTS)}), "too-large"),
    "another packing": (lambda: rebuilt(PLAIN, {}, method=zipfile.ZIP_LZMA), "not-xlsx"),
    "encrypted": (lambda: _encrypted(PLAIN), "not-xlsx"),
    "entities in entities": (lambda: rebuilt(PLAIN, {SHEET: sheet_of(row_of("A1", "1", "&b;"), before=_LAUGHS)}), "not-xlsx"),
    "a file from outside": (lambda: rebuilt(PLAIN, {SHEET: sheet_of(row_of("A1", "1", "&x;"), before=_FETCHES)}), "not-xlsx"),
    "declared in UTF-16": (
        lambda: rebuilt(PLAIN, {SHEET: sheet_of("", before=_FETCHES).decode().replace("UTF-8", "UTF-16").encode("utf-16")}),
        "not-xlsx",
    ),
    "in another part": (
        lambda: rebuilt(PLAIN, {"docProps/app.xml": f"{_OPENING}{_FETCHES}<Properties/>".encode()}),
        "not-xlsx",
    ),
    "a program": (lambda: rebuilt(PLAIN, {"xl/vbaProject.bin": b"x"}), "macros"),
    "merged cells": (lambda: workbook(["Kontor"], ["A"], change=lambda sheet: sheet.merge_cells("A1:A2")), "merged"),
    "a row that no sheet has": (lambda: rebuilt(PLAIN, {SHEET: sheet_of(row_of("A1", "9" * 12))}), "not-xlsx"),
    "a column far out": (lambda: rebuilt(PLAIN, {SHEET: sheet_of(row_of("XFD1", "1"))}), "too-many-columns"),
    "a cell that is nowhere": (lambda: rebuilt(PLAIN, {SHEET: sheet_of(row_of("?!", "1"))}), "not-xlsx"),
    "no XML": (lambda: rebuilt(PLAIN, {SHEET: b"<worksheet"}), "not-xlsx"),
    "no workbook": (lambda: rebuilt(PLAIN, {"xl/workbook.xml": b"<a/>"}), "not-xlsx"),
    "another archive": (lambda: rebuilt(b"PK\x05\x06" + b"\0" * 18, {"mimetype": b"application/zip"}), "not-xlsx"),
    "cut": (lambda: PLAIN[: len(PLAIN) // 2], "not-xlsx"),
    "too many rows": (lambda: workbook(*([str(n)] for n in range(40))), "too-many-rows"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_workbooks_are_refused(name: str) -> None:
    content, code = HOSTILE[name][0](), HOSTILE[name][1]
    with pytest.raises(sheet_child.Unreadable, match=f"^{code}$"):
        sheet_child.sheets(content, rows=30, columns=30, skipped="Hjälp")


def test_what_a_file_says_of_its_size_and_rows_far_down_cost_nothing() -> None:
    body = '<dimension ref="A1:XFD1048576"/>' + row_of("A1048576", "1048576")
    found = sheet_child.sheets(rebuilt(PLAIN, {SHEET: sheet_of(body)}), rows=30, columns=30, skipped="")
    assert found == [["Kontor", [[1048576, ["a"], {}]]]]


def test_cells_are_read_as_text_and_what_is_odd_is_told() -> None:
    row = [
        5591234567, 2.5, 1e20, True, dt.date(2026, 11, 25), _DAY, _DAY.replace(hour=8), dt.time(8),
        "=1+1", "#N/A", " å\n b ", None, "-1", None,
    ]  # fmt: skip
    (table,) = tables.read(workbook(row, [], ["#1 A"], ["x" * 40_000, "a\u202eb"]), field="file")
    first, numbered, last = table.lines
    assert numbered.cells == ("#1 A",)
    assert table.name == "Kontor"
    assert first.cells == ("5591234567", "2.5", "", "Ja", "2026-11-25", "2026-11-25", "", "", "", "", "å b", "", "-1")
    assert {index: message.split(".")[0] for index, message in first.odd.items()} == {
        2: "Talet är för stort för att läsas exakt",
        6: "Värdet är av en typ som inte läses",
        7: "Värdet är av en typ som inte läses",
        8: "Cellen innehåller en formel",
        9: "Cellen innehåller ett fel från kalkylprogrammet",
    }
    assert (last.number, last.cells[1], 1 in last.odd) == (4, "", True)  # what turns the text round is not printable


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "empty-file"),
        (b"a;b\r\n" * 500_000, "too-large"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 500, "not-csv"),
        (b'a;"b\r\nc', "not-csv"),
        (b"a;b\x81", "not-csv"),
        (";".join(["a"] * 31).encode(), "too-many-columns"),
        (b"a\r\n" * 5011, "too-many-rows"),
        (b"PK\x03\x04" + b"x" * 100, "not-xlsx"),
    ],
    ids=["empty", "large", "old-excel", "open-quote", "undefined-byte", "wide", "long", "no-archive"],
)
def test_files_that_are_no_tables_are_refused_in_words(content: bytes, code: str) -> None:
    with pytest.raises(Invalid) as refused:
        tables.read(content, field="file")
    assert refused.value.code == code
    assert refused.value.fields == {"file": [tables.REFUSED[code]]}


def test_csv_as_spreadsheets_write_it() -> None:
    for content in ('Å;B\r\n\r\n\'=1;"x;y"\r\n', 'Å\tB\n\n\'=1\t"x;y"\n', 'Å,B\n\n\'=1,"x;y"\n'):
        for encoding in ("utf-8-sig", "cp1252"):
            (table,) = tables.read(content.encode(encoding), field="file")
            assert [(line.number, line.cells) for line in table.lines] == [(1, ("Å", "B")), (3, ("=1", "x;y"))]
    for separator in (";", "\t", ","):
        (table,) = tables.read(f"sep={separator}\r\nA{separator}B\r\n".encode(), field="file")
        assert [(line.number, line.cells) for line in table.lines] == [(2, ("A", "B"))]
    (table,) = tables.read("\u200bA;B\u00a0\u00adC\u2007D\r\n".encode(), field="file")
    assert table.lines[0].cells == ("A", "B C D")
    (table,) = tables.read(b"a\n=cmd|' /C calc'!A0\n", field="file")
    assert "formel" in table.lines[1].odd[0]


def test_our_own_files_come_back_as_they_were_and_hold_no_formula() -> None:
    cells = ["=1+1", "-Karin", "+46", "@x", "Åsa", "'nej", "5591234567"]
    written = workbooks.build([Sheet("Blad", ["A"] * len(cells), [cells]), Sheet("Hjälp", ["B"], [["c"]])])
    (table,) = tables.read(written, field="file", skipped="Hjälp")
    assert list(table.lines[1].cells) == cells
    with zipfile.ZipFile(io.BytesIO(written)) as archive:
        text = b"".join(archive.read(name) for name in archive.namelist())
    assert b"<f>" not in text
    assert b"<t>=1" not in text
    (table,) = tables.read(csv_files.build(["A"] * len(cells), [cells]), field="file")
    assert list(table.lines[1].cells) == cells
