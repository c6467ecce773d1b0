"""Child processes that answer one line for each line they are asked: for work that may crash, hang or take too much memory.

A child holds no secrets and its word counts for little; whoever asks judges the answer.
"""

import contextlib
import os
import signal
import subprocess
import sys
import threading
from typing import IO, cast

from django.conf import settings


class LineChild:
    """A Python module run as a child process. It is replaced when it dies, is too slow or has done `jobs` jobs.

    For one thread at a time.
    """

    def __init__(self, module: str, *, jobs: int) -> None:
        self._module = module
        self._jobs = jobs
        self._done = 0
        self._child: subprocess.Popen[bytes] | None = None

    def ask(self, job: bytes, *, seconds: float) -> bytes | None:
        """Returns the child's answer to the line `job`, without its line end.

        Returns None if the child died or had no answer within `seconds`; it is then ended.
        """
        if self._done >= self._jobs:
            self.end()
        child = self._child or self._start()
        self._done += 1
        questions, answers = cast(IO[bytes], child.stdin), cast(IO[bytes], child.stdout)
        watch = threading.Timer(seconds, _kill, [child])
        watch.daemon = True
        watch.start()
        try:
            questions.write(job + b"\n")
            questions.flush()
            answer = answers.readline()
        except BrokenPipeError:
            answer = b""
        finally:
            watch.cancel()
        if answer.endswith(b"\n"):
            return answer[:-1]
        self.end()
        return None

    def end(self) -> None:
        """Ends the child; the next job starts another."""
        if self._child:
            _kill(self._child)
            self._child.wait()
            for pipe in (self._child.stdin, self._child.stdout):
                with contextlib.suppress(BrokenPipeError):
                    cast(IO[bytes], pipe).close()
        self._child = None

    def _start(self) -> "subprocess.Popen[bytes]":
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        self._done = 0
        self._child = subprocess.Popen(
            [sys.executable, "-m", self._module],
            cwd=settings.BASE_DIR,
            env=kept,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            process_group=0,
        )
        return self._child


def _kill(child: "subprocess.Popen[bytes]") -> None:
    """Kills the child with what it started itself, which would hold its pipes open."""
    if child.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
