"""Named steps that print their duration, and commands whose output goes to a log file."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


class HouseError(Exception):
    """An error for the user of a make target. The argument is the complete message; `code` is the exit code."""

    def __init__(self, message: str, code: int = 1) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Step:
    """One step of `make run`. `work` may return a short note to print."""

    name: str
    work: Callable[[Any], str | None]


def run_steps(steps: Sequence[Step], subject: Any) -> None:
    """Runs `steps` in order on `subject` and prints each name and its seconds. Stops at the first exception."""
    for step in steps:
        print(f"  {step.name:<42}", end="", flush=True)
        started = time.monotonic()
        try:
            note = step.work(subject)
        except BaseException:
            print(f"{time.monotonic() - started:7.1f} s  failed", flush=True)
            raise
        print(f"{time.monotonic() - started:7.1f} s{'  ' + note if note else ''}", flush=True)


def run_logged(command: Sequence[str], log: Path, *, cwd: Path, env: Mapping[str, str] | None = None) -> None:
    """Runs `command` without input and appends its output to `log`. Raises HouseError with the end of the output if it fails."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as out:
        start = out.tell()
        done = subprocess.run(
            command,
            cwd=cwd,
            env=dict(env) if env is not None else None,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            check=False,
        )
    if done.returncode:
        with log.open("rb") as written:
            written.seek(start)
            tail = written.read().decode(errors="replace").strip().splitlines()[-40:]
        text = "\n    ".join(tail)
        raise HouseError(f"{' '.join(command[:4])} … ended with {done.returncode} (log: {log}):\n    {text}")


def wait_for(ready: Callable[[], bool], what: str, *, seconds: float = 60, alive: Callable[[], None] | None = None) -> None:
    """Polls `ready` until it returns True, less often the longer it takes, since each poll slows what it waits for.

    `alive` may raise to stop waiting. Raises HouseError after `seconds`.
    """
    start = time.monotonic()
    while not ready():
        if alive:
            alive()
        waited = time.monotonic() - start
        if waited > seconds:
            raise HouseError(f"{what} did not answer within {seconds:.0f} s")
        time.sleep(min(0.05 + waited / 20, 0.3))


def seconds_since_start() -> float:
    """Returns the seconds since the make target started."""
    return time.time() - float(os.environ.get("SITHS_STARTED") or time.time())


def warn(text: str) -> None:
    """Prints a line to standard error."""
    print(text, file=sys.stderr, flush=True)
