"""Lines of an export of the HSA directory, and the refusal of a complete file."""

from collections.abc import Iterator
from typing import BinaryIO, NoReturn

from siths_portal.lib.errors import Invalid
from siths_portal.lib.files.lines import bounded

MAX_LINE = 4 * 1024 * 1024
"""Octets of a line. Photos in LDIF stand in one line where the export does not fold."""

MAX_VALUE = 4096
"""Octets of a value in LDIF, characters of a cell. What is longer is no name, address or number."""

BOM = b"\xef\xbb\xbf"


def lines(stream: BinaryIO) -> Iterator[bytes]:
    """The lines without their ends and without a byte order mark. Raises Invalid for one that is too long."""
    for number, line in bounded(stream, MAX_LINE):
        if len(line) > MAX_LINE:
            refuse("line-too-long", f"Rad {number} är längre än {MAX_LINE // 1024 // 1024} MB. Exportera filen på nytt.")
        if number == 1:
            line = line.removeprefix(BOM)
        yield line.rstrip(b"\r\n")


def refuse(code: str, message: str) -> NoReturn:
    """Raises Invalid for the file as a whole."""
    raise Invalid(code, message)
