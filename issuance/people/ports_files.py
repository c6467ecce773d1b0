"""The port to files of the HSA directory that operators provide. Methods raise only lib.errors."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from io import BufferedReader
from typing import Protocol

FIELDS = (
    "hsa_id", "organisation_hsa_id", "person_id", "person_id_kind", "given_name", "surname", "title", "mail", "upn", "valid_to",
    "protected",
)  # fmt: skip
"""The fields of a row."""


@dataclass(frozen=True, slots=True)
class FileRow:
    """An unchecked assignment of a file: its first line, and its values by FIELDS; missing fields are absent.

    `organisations` are the HSA-ids of the units around the assignment, the nearest first; empty text for a unit that cannot be
    read. `fault` is the code of an error at `field`; values may then be missing.
    """

    line: int
    values: Mapping[str, str]
    organisations: tuple[str, ...] = ()
    fault: str = ""
    field: str = ""


class DirectoryFiles(Protocol):
    """Reads exports of the HSA directory, LDIF (RFC 2849) or CSV, and detects the format."""

    def rows(self, stream: BufferedReader, *, encoding: str = "utf-8") -> Iterator[FileRow]:
        """Yields the assignments of the file lazily, in its order. `encoding` applies to CSV; LDIF is UTF-8.

        Raises Invalid if the file is malformed, possibly after some rows.
        """
        ...
