"""Exports of the HSA directory as files: detection of the format, and lines of bounded length."""

from collections.abc import Iterator
from io import BufferedReader
from typing import NoReturn

from issuance.people.adapters import directory_file_csv, directory_file_ldif
from issuance.people.adapters.directory_file_lines import BOM, refuse
from issuance.people.ports_files import FileRow

_BEGINS_LDIF = (b"dn:", b"version:", b"#")
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")


class FilesOfTheCatalogue:
    """`DirectoryFiles` for LDIF and CSV (docs/catalogue-file.md)."""

    def rows(self, stream: BufferedReader, *, encoding: str = "utf-8") -> Iterator[FileRow]:
        """Yields the assignments of the file, in its order. Raises Invalid."""
        begins = stream.peek(1024)[:1024]
        if not begins:
            _empty()
        if begins.startswith(_UTF_16):
            refuse("not-utf-8", "Filen är UTF-16. Spara den som UTF-8 och försök igen.")
        text = begins.removeprefix(BOM).lstrip(b"\r\n").lower()
        if text.startswith(_BEGINS_LDIF):
            return directory_file_ldif.rows(stream)
        return directory_file_csv.rows(stream, encoding)


def _empty() -> NoReturn:
    refuse("empty-file", "Filen är tom. Inget har ändrats.")
