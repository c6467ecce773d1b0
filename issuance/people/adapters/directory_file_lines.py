"""Lines of an export of the HSA directory, and the refusal of a complete file."""

from collections.abc import Iterator
from typing import BinaryIO, NoReturn

from siths_portal.lib.errors import Invalid
from siths_portal.lib.files.lines import bounded

MAX_LINE = 4 * 1024 * 1024
"""The maximum octets of a line. LDIF exports without folding have a photo in one line."""

MAX_VALUE = 4096
"""The maximum octets of an LDIF value, or characters of a CSV cell. No name, address or number is longer."""

BOM = b"\xef\xbb\xbf"


def lines(stream: BinaryIO) -> Iterator[bytes]:
    """Yields the lines without line ends and byte order mark. Raises Invalid for a line that is too long."""
    for number, line in bounded(stream, MAX_LINE):
        if len(line) > MAX_LINE:
            refuse("line-too-long", f"Rad {number} är längre än {MAX_LINE // 1024 // 1024} MB. Exportera filen igen.")
        if number == 1:
            line = line.removeprefix(BOM)
        yield line.rstrip(b"\r\n")


def refuse(code: str, message: str) -> NoReturn:
    """Raises Invalid for the whole file."""
    raise Invalid(code, message)
