"""The HSA directory as CSV (RFC 4180), with column names in the first line, separated by semicolons, commas or tabs."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from typing import BinaryIO

from issuance.people.adapters.directory_file_lines import MAX_VALUE, lines, refuse
from issuance.people.ports_files import FIELDS, FileRow
from siths_portal.lib.files import csv_files

REQUIRED = ("hsa_id", "organisation_hsa_id", "person_id", "given_name", "surname", "protected")
_ALSO: Mapping[str, str] = {
    "hsaidentity": "hsa_id", "hsapersonidentitynumber": "person_id", "givenname": "given_name", "sn": "surname",
    "userprincipalname": "upn", "hsaenddate": "valid_to", "hsaprotectedperson": "protected",
}  # fmt: skip


class _Text:
    """The decoded lines of a file, and the number of the line read last."""

    def __init__(self, stream: BinaryIO, encoding: str) -> None:
        self._lines, self._encoding, self.number = lines(stream), encoding, 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = next(self._lines)
        self.number += 1
        try:
            return line.decode(self._encoding) + "\n"
        except UnicodeDecodeError:
            refuse("not-utf-8", f"Rad {self.number} är inte {self._encoding}. Spara filen som UTF-8, eller ange --encoding.")


def rows(stream: BinaryIO, encoding: str) -> Iterator[FileRow]:
    """Yields the rows below the header.

    An incomplete row gets a fault; broken quoting makes the file unreadable. Raises Invalid.
    """
    text = _Text(stream, encoding)
    first = next(text, "")
    while first and not first.strip():
        first = next(text, "")
    separator = csv_files.separator_of(first)
    columns = _columns(next(csv.reader([first], delimiter=separator), []))
    reader = csv.reader(text, delimiter=separator, strict=True)
    while True:
        line = text.number + 1
        try:
            cells = next(reader, None)
        except csv.Error:
            refuse("not-csv", f"Filen går inte att läsa från rad {line}: citattecknen stämmer inte. Exportera filen igen.")
        if cells is None:
            return
        if any(cell.strip() for cell in cells):
            yield _joined(line, columns, cells, separator) or _row(line, columns, cells)


def _columns(header: Sequence[str]) -> list[str]:
    """Returns our names of the columns, empty for columns that we do not need. Raises Invalid."""
    names = [name.strip().lower() for name in header]
    columns = [name if name in FIELDS else _ALSO.get(name, "") for name in names]
    known = [name for name in columns if name]
    if twice := sorted({name for name in known if known.count(name) > 1}):
        refuse("column-twice", f"Kolumnen {twice[0]} finns två gånger i filens första rad.")
    if lacking := [name for name in REQUIRED if name not in known]:
        refuse("column-missing", f"Filens första rad ska namnge kolumnerna; {', '.join(lacking)} saknas.")
    return columns


def _joined(line: int, columns: Sequence[str], cells: Sequence[str], separator: str) -> FileRow | None:
    """Returns a fault if a stray quotation mark has joined several rows into one, otherwise None.

    Our columns never have several lines. In other columns, two joined rows have the separators of one row inside the cell.
    """
    for name, cell in zip(columns, cells, strict=False):
        if "\n" in cell.strip() and (name or cell.count(separator) >= len(columns) - 1):
            return FileRow(line, {}, (), "line-break", name)
    return None


def _row(line: int, columns: Sequence[str], cells: Sequence[str]) -> FileRow:
    values = {name: cell.strip() for name, cell in zip(columns, cells, strict=False) if name}
    if len(cells) != len(columns):
        # The cells cannot be matched to columns, so the row's values are ignored.
        return FileRow(line, {}, fault="columns")
    if long := [name for name, value in values.items() if len(value) > MAX_VALUE]:
        return FileRow(line, {name: value for name, value in values.items() if name not in long}, (), "too-long", long[0])
    organisations = (values["organisation_hsa_id"],) if values["organisation_hsa_id"] else ()
    if not values["protected"]:
        return FileRow(line, values, organisations, "missing", "protected")
    return FileRow(line, values, organisations)
