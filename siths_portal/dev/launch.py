"""`python -m siths_portal.dev.launch [--socket PATH] [--pid-file PATH] COMMAND…`: a start after a kill.

A killed main process leaves its children serving and its unix socket behind, and both would keep the next one from starting.
"""

import os
import sys
from pathlib import Path

from siths_portal.dev import processes

HOUSE = "SITHS_HOUSE"  # in the environment of every process, so that `make stop` knows its own
PROGRAM = "SITHS_PROGRAM"


def main(arguments: list[str]) -> None:
    """Ends what is left of the program's last run, removes its socket and becomes COMMAND."""
    predecessors = processes.marked(**{HOUSE: os.environ[HOUSE], PROGRAM: os.environ[PROGRAM]})
    stale = []
    while arguments[0].startswith("--"):
        option, path, *arguments = arguments
        stale.append(Path(path))
        if option == "--pid-file":  # of a program that writes over its environment
            predecessors |= processes.group(Path(path), Path.cwd())
    processes.end(predecessors, seconds=5)
    for leftover in stale:
        leftover.unlink(missing_ok=True)
    os.execv(arguments[0], arguments)


if __name__ == "__main__":
    main(sys.argv[1:])
