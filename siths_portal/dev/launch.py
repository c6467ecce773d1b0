"""`python -m siths_portal.dev.launch [--socket PATH] [--pid-file PATH] COMMAND…`: starts a program that may have been killed.

A killed main process leaves its children running and its unix socket in place, and both would prevent the next start.
"""

import os
import sys
from pathlib import Path

from siths_portal.dev import processes

HOUSE = "SITHS_HOUSE"  # in the environment of every process, so that `make stop` can find them
PROGRAM = "SITHS_PROGRAM"


def main(arguments: list[str]) -> None:
    """Ends the remaining processes of the program's last run, removes its socket and executes COMMAND."""
    predecessors = processes.marked(**{HOUSE: os.environ[HOUSE], PROGRAM: os.environ[PROGRAM]})
    stale = []
    while arguments[0].startswith("--"):
        option, path, *arguments = arguments
        stale.append(Path(path))
        if option == "--pid-file":  # the program overwrites its environment, so it cannot be found by it
            predecessors |= processes.group(Path(path), Path.cwd())
    processes.end(predecessors, seconds=5)
    for leftover in stale:
        leftover.unlink(missing_ok=True)
    os.execv(arguments[0], arguments)


if __name__ == "__main__":
    main(sys.argv[1:])
