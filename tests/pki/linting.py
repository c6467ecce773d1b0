"""pkilint's commands, asked in this process: to start one takes half a second of loading what is loaded here, for some
milliseconds of work. Each is also started once as the program that it is.
"""

import importlib
import subprocess
import sys
from pathlib import Path

WARNING = ("-s", "WARNING", "-f", "CSV")


def lint(program: str, *arguments: object) -> int:
    """How many findings pkilint's command has, which are printed; its exit status."""
    status: int = importlib.import_module(f"pkilint.bin.{program}").main(["lint", *map(str, arguments)])
    return status


def lint_by_program(program: str, *arguments: object) -> int:
    """The same of the installed program."""
    command = [str(Path(sys.executable).parent / program), "lint", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert "Traceback" not in done.stderr, done.stderr
    print(done.stdout, done.stderr)
    return done.returncode
