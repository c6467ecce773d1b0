"""`python -m siths_portal.dev.contained [--socket PATH] [--tokens FOLDER] COMMAND…`: starts a process in a container.

A killed container starts again with its volumes as they are: with the unix socket of the dead process, at which no other can
listen, and perhaps with a token that SoftHSM left empty.
"""

import os
import sys
from pathlib import Path

from siths_portal.dev import tokens


def main(arguments: list[str]) -> None:
    """Removes the socket, heals the tokens of the folder and executes COMMAND."""
    while arguments[0].startswith("--"):
        option, path, *arguments = arguments
        if option == "--socket":
            Path(path).unlink(missing_ok=True)
        else:
            tokens.heal(Path(path))
    os.execvp(arguments[0], arguments)


if __name__ == "__main__":
    main(sys.argv[1:])
