"""Worker processes of benchmarks, which take commands as lines of JSON on stdin and answer each with one on stdout."""

import json
import subprocess
from typing import Any

from tests.bench.durable import PYTHON, ROOT


class Workers:
    """Processes of one module, asked all at once."""

    def __init__(self, module: str, environ: dict[str, str], count: int, *arguments: str) -> None:
        command = [*PYTHON, "-m", module, *arguments]
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self._processes = [subprocess.Popen(command, cwd=ROOT, env=environ, **pipes) for _ in range(count)]
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
