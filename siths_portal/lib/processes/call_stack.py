"""Room for the calls of a thread.

CPython keeps the frames of a thread in chunks of 16 KiB. A call that does not fit into the newest chunk maps another, and the
return unmaps it. A loop at such a depth pays two system calls and page faults each time around. Django's calls are deep enough
to meet several such depths in each request.
"""

from collections.abc import Callable

_SLOTS = 16 * 1024
"""The frame of `with_room` claims 128 KiB, so its chunk has 256 KiB. What it claims and does not use is never touched."""


def with_room[T](call: Callable[[], T]) -> T:
    """Returns what `call` returns. Its own calls find about 120 KiB of room for their frames in one chunk."""
    return call()


with_room.__code__ = with_room.__code__.replace(co_stacksize=_SLOTS)
