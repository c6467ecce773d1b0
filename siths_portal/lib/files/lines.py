"""Lines of files that somebody brings: bounded, so that a file without line breaks costs no more memory than another."""

from collections.abc import Iterator
from typing import BinaryIO


def bounded(stream: BinaryIO, longest: int) -> Iterator[tuple[int, bytes]]:
    """Yields the lines with their ends and their numbers, from 1.

    A line of more than `longest` bytes comes as its first `longest` + 1 bytes; the rest of it is skipped.
    """
    number = 0
    while line := stream.readline(longest + 1):
        number += 1
        yield number, line
        while len(line) > longest and not line.endswith(b"\n"):
            line = stream.readline(longest + 1)
