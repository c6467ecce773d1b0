"""A disk without room, for the files of this process: the kernel cuts a write off at a size and refuses the rest."""

import contextlib
import resource
from collections.abc import Iterator

ROOM = 1 << 16
"""The size in bytes that no file exceeds while the disk is full, unless a test asks for another."""
TOO_LARGE = 2 * ROOM
"""The size of content that does not fit."""


@contextlib.contextmanager
def full_disk(room: int = ROOM) -> Iterator[None]:
    """Inside, a write beyond `room` bytes stores what fits and raises OSError."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
