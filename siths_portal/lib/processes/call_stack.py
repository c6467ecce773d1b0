"""A larger chunk of memory for the Python frames of a thread.

CPython keeps the frames of a thread in chunks of 16 KiB. A call that does not fit in the newest chunk maps another one, and its
return unmaps it. A loop at such a depth costs two system calls and page faults in each iteration. Django's call stack is deep
enough to reach several such depths in each request.
"""

from collections.abc import Callable

_SLOTS = 16 * 1024
"""The frame of `with_room` reserves 128 KiB, so its chunk has 256 KiB. Unused reserved memory is never touched."""


def with_room[T](call: Callable[[], T]) -> T:
    """Calls `call` and returns its result. The frames of its calls have about 120 KiB in one chunk."""
    return call()


with_room.__code__ = with_room.__code__.replace(co_stacksize=_SLOTS)
