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
    # Browsers keep static files from one page to the next, as they do in production, where their names have hashes.
    env = os.environ | {"SITHS_FACE": face, "STATIC_MAX_AGE": "3600"} | environment
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*command, "tests.scanned_site:application"],
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


class KeptPortal:
    """A portal that stays for the modules that follow in this test process: to start one and warm it takes a second of a core."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._running, self._url = folder, contextlib.ExitStack(), ""
        self._environment: dict[str, str] = {}

    def url(self) -> str:
        """Its address. It is started anew if the environment is another than when it started, or if it does not answer."""
        now = {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"}
        if now != self._environment or not self._answers():
            self.close()
            self._url = self._running.enter_context(serving("portal", self._folder / "log"))
            self._environment = now
        return self._url

    def _answers(self) -> bool:
        try:
            return requests.get(f"{self._url}/healthz/live", timeout=60).status_code == 200
        except requests.RequestException:
            return False

    def close(self) -> None:
        """Ends it, if there is one."""
        self._running.close()


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
