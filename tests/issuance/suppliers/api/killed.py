"""`supplier_simulator`, killed as soon as it has told of a step: `python -m tests.issuance.suppliers.api.killed STEP OPTION ...`.

From outside it could not be killed before it has gone on.
"""

import os
import signal
import sys

import manage
from siths_portal.simulators.management.commands.supplier_simulator import Command


def main(step: str, *options: str) -> None:
    say = Command._say

    def say_and_die(self: Command, line: str) -> None:
        say(self, line)
        if line.endswith(f": {step}"):
            os.kill(os.getpid(), signal.SIGKILL)

    Command._say = say_and_die  # type: ignore[method-assign]
    sys.argv = ["manage.py", "supplier_simulator", *options]
    manage.main()


if __name__ == "__main__":
    main(*sys.argv[1:])
