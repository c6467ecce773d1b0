"""Child processes that return one line for each line they get, for work that may crash, hang or take too much memory.

A child has no secrets and is not trusted; the caller checks its responses.
"""

import contextlib
import os
import signal
import subprocess
import sys
import threading
from typing import IO, cast

from django.conf import settings

SECONDS_TO_END = 1.0
"""How long a child that waits for a job gets to end by itself."""


class LineChild:
    """A Python module run as a child process, which is replaced if it dies, is too slow or has done `jobs` jobs.

    One thread at a time may use it.
    """

    def __init__(self, module: str, *, jobs: int) -> None:
        self._module = module
        self._jobs = jobs
        self._done = 0
        self._child: subprocess.Popen[bytes] | None = None

    def ask(self, job: bytes, *, seconds: float) -> bytes | None:
        """Sends the line `job` and returns the child's response, without its line end.

        Returns None, and ends the child, if the child died or did not respond within `seconds`.
        """
        if self._done >= self._jobs:
            self.end()
        child = self._child or self._start()
        self._done += 1
        jobs, responses = cast(IO[bytes], child.stdin), cast(IO[bytes], child.stdout)
        watch = threading.Timer(seconds, _kill, [child])
        watch.daemon = True
        watch.start()
        try:
            jobs.write(job + b"\n")
            jobs.flush()
            response = responses.readline()
        except BrokenPipeError:
            response = b""
        finally:
            watch.cancel()
        if response.endswith(b"\n"):
            return response[:-1]
        self.end()
        return None

    def end(self) -> None:
        """Ends the child. The next job starts a new one.

        A child that waits for a job ends by itself when its standard input ends, and deletes its temporary files. Another one
        is killed.
        """
        if self._child:
            with contextlib.suppress(BrokenPipeError):
                cast(IO[bytes], self._child.stdin).close()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._child.wait(SECONDS_TO_END)
            _kill(self._child)
            self._child.wait()
            cast(IO[bytes], self._child.stdout).close()
        self._child = None

    def _start(self) -> "subprocess.Popen[bytes]":
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
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
    """Kills the child and the processes that it started, which would keep its pipes open."""
    if child.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
