"""Real processes of the faces, as `make run` starts them, on free ports."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import requests
from django.conf import settings

from tests.ports import free_port


@contextlib.contextmanager
def serving(face: str, log: Path, *, port: int = 0, **environment: str) -> Iterator[str]:
    """The address of a running face; its log lines go to `log`."""
    port = port or free_port()
    command = [sys.executable, "-W", "ignore", "-m", "granian", "--interface", "wsgi", "--no-ws", "--workers", "1"]
    command += ["--blocking-threads", "4", "--log-level", "warning", "--host", "127.0.0.1", "--port", str(port)]
    env = os.environ | {"SITHS_FACE": face} | environment
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*command, "siths_portal.wsgi:application"],
            cwd=settings.BASE_DIR,
            env=env,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            _wait(process, f"http://127.0.0.1:{port}/healthz/live", log, environment)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def _wait(process: subprocess.Popen[bytes], url: str, log: Path, environment: dict[str, str]) -> None:
    deadline = time.monotonic() + 150
    host = environment.get("ALLOWED_HOSTS", "127.0.0.1").split(",")[0]
    while True:
        with contextlib.suppress(requests.ConnectionError, requests.Timeout):
            answer = requests.get(url, headers={"Host": host}, timeout=60, allow_redirects=False)
            assert answer.status_code == 200, answer.text[:1000]
            return
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"the face did not start: {log.read_text()[:2000]}")
        time.sleep(0.05)
