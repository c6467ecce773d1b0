"""Worker processes of benchmarks, which take commands as lines of JSON on stdin and answer each with one on stdout."""

import json
import math
import os
import subprocess
from pathlib import Path
from typing import Any

from tests.bench.durable import PYTHON, ROOT


def weigh(leader: int, weight: int) -> None:
    """Gives the session of `leader` a share of the busy cores as systemd's CPUWeight does; the kernel gives each session 100.

    A step of nice is a factor of 1.25. Does nothing without root, or on a kernel that gives sessions no shares.
    """
    group = Path(f"/proc/{leader}/autogroup")
    if os.geteuid() == 0 and group.exists():
        group.write_text(str(-round(math.log(weight / 100, 1.25))))


class Workers:
    """Processes of one module, asked all at once. With a `weight` each has a session of its own with it (`weigh`)."""

    def __init__(self, module: str, environ: dict[str, str], count: int, *arguments: str, weight: int | None = None) -> None:
        command = [*PYTHON, "-m", module, *arguments]
        options: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        options["start_new_session"] = weight is not None
        self._processes = [subprocess.Popen(command, cwd=ROOT, env=environ, **options) for _ in range(count)]
        for process in self._processes if weight else ():
            weigh(process.pid, weight)
        self.answers()

    @property
    def pids(self) -> list[int]:
        """Their numbers."""
        return [process.pid for process in self._processes]

    def answers(self) -> list[dict[str, Any]]:
        """What each process says next."""
        return [json.loads(process.stdout.readline()) for process in self._processes]  # type: ignore[union-attr]

    def send(self, do: str, **arguments: Any) -> None:
        """Tells each process what to do; `answers` waits for it."""
        for process in self._processes:
            process.stdin.write(json.dumps({"do": do, **arguments}) + "\n")  # type: ignore[union-attr]
            process.stdin.flush()  # type: ignore[union-attr]

    def ask(self, do: str, **arguments: Any) -> list[dict[str, Any]]:
        """What each process answers."""
        self.send(do, **arguments)
        return self.answers()

    def end(self) -> None:
        """Closes their input, which ends them."""
        for process in self._processes:
            process.stdin.close()  # type: ignore[union-attr]
            process.wait(30)
