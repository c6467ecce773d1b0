"""What issuance needs from files of the catalogue that operators bring: its rows, one after another. Raises lib.errors only."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from io import BufferedReader
from typing import Protocol

FIELDS = (
    "hsa_id", "organisation_hsa_id", "person_id", "person_id_kind", "given_name", "surname", "title", "mail", "upn", "valid_to",
    "protected",
)  # fmt: skip
"""What a row may say, by our names."""


@dataclass(frozen=True, slots=True)
class FileRow:
    """A post as the file has it, unchecked: the line where it begins, and its values by FIELDS; what is not there is not said.

    `organisations` are the HSA-ids of where the post lies, the nearest first; empty for one that cannot be read. `fault` is the
    code of what could not be read at `field`; the values may then lack.
    """

    line: int
    values: Mapping[str, str]
    organisations: tuple[str, ...] = ()
    fault: str = ""
    field: str = ""


class DirectoryFiles(Protocol):
    """Reads exports of the catalogue, LDIF (RFC 2849) or CSV, as the file itself tells."""

    def rows(self, stream: BufferedReader, *, encoding: str = "utf-8") -> Iterator[FileRow]:
        """The posts in the file, in its order, read as they are asked for; `encoding` is that of CSV, LDIF is UTF-8.

        Raises Invalid where the file is not what it should be, which may be after some rows.
        """
        ...
