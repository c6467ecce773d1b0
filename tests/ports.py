"""Ports for servers that a test starts as processes: of this test process alone, and none that the kernel hands out.

A port that the kernel chose (by `bind` to 0) and that is closed again, for a server to take, may go to another process meanwhile:
to a test process beside this one, which does the same. Here each test process has a block of its own for as long as it lives,
below the range that the kernel chooses from (32768 and up) and above the bases that houses take. ADR 0210.
"""

import contextlib
import itertools
import os
import socket
from collections.abc import Iterator

from siths_portal.dev import home
from siths_portal.dev.home import House
from tests.guard.sitecustomize import OWN

BLOCKS = 64  # so many test processes can run on one machine at once
FIRST, SIZE = 22000, 160

_blocks: dict[int, tuple[int, socket.socket]] = {}  # by process, since a forked one must not share its parent's
_turns = itertools.count()


def free_port() -> int:
    """A port that nobody listens on and that no other test process is given; the last of its block to be given again."""
    for _ in range(1, SIZE):
        port = _block() + 1 + next(_turns) % (SIZE - 1)
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
    raise AssertionError("somebody listens on every port of this process")


def nobodys_port() -> int:
    """A port of this process that is never given to a server: whoever is asked for there is not there."""
    return _block()


def allow(*places: str) -> None:
    """Lets this process, and what it starts later, connect to ranges of ports and to sockets in folders (`tests/guard`)."""
    known = os.environ.get(OWN, "").split(",")
    os.environ[OWN] = ",".join(dict.fromkeys(each for each in (*known, *places) if each))


def allow_house(house: House) -> None:
    """Lets this process connect to what the house starts."""
    allow(f"{house.port_base}-{house.port_base + max(home.OFFSETS.values())}", str(house.runtime))


def guarded() -> dict[str, str]:
    """The variables by which a Python process that does not inherit this one's environment keeps to what the run started."""
    return {name: os.environ[name] for name in (OWN, "PYTHONPATH")}


def _block() -> int:
    """The first port of the first block that no other process has: an abstract socket's name, which ends with its process."""
    if os.getpid() not in _blocks:
        _blocks[os.getpid()] = _take()
        first = _blocks[os.getpid()][0]
        allow(f"{first}-{first + SIZE - 1}")
    return _blocks[os.getpid()][0]


def _take() -> tuple[int, socket.socket]:
    for number in range(BLOCKS):
        if holder := _hold(f"ports-{number}"):
            return FIRST + number * SIZE, holder
    raise AssertionError(f"more than {BLOCKS} test processes run")


@contextlib.contextmanager
def kept(name: str) -> Iterator[bool]:
    """Whether the block alone has what the name stands for: false if another test process is in such a block."""
    holder = _hold(name)
    with holder or contextlib.nullcontext():
        yield holder is not None


def _hold(name: str) -> socket.socket | None:
    holder = socket.socket(socket.AF_UNIX)
    try:
        holder.bind(f"\0siths-test-{name}")
    except OSError:
        holder.close()
        return None
    return holder
