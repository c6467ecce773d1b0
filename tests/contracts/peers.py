"""Who answers: the simulator as a process of its own, and a peer that does what it is told, also what none should."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from django.conf import settings

from tests.ports import free_port


@dataclass(frozen=True)
class Simulator:
    """The running simulator: its address and the folder of its data."""

    url: str
    folder: Path

    @contextmanager
    def down(self) -> Iterator[None]:
        """It answers 503 meanwhile."""
        switch = self.folder / "down"
        switch.touch()
        try:
            yield
        finally:
            switch.unlink()


@contextmanager
def simulator(
    folder: Path, people: list[dict[str, Any]], organisations: list[dict[str, Any]] | None = None
) -> Iterator[Simulator]:
    """The directory simulator as its own process over `people`, and `organisations` if it is to answer of them."""
    data = folder / "people.json"
    data.write_text(json.dumps(people))
    if organisations is not None:
        data.with_name("organisations.json").write_text(json.dumps(organisations))
    command = [
        sys.executable,
        str(settings.BASE_DIR / "manage.py"),
        "directory_simulator",
        "--bind",
        "127.0.0.1:0",
        "--data",
        str(data),
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield Simulator(process.stdout.readline().split()[-1], folder)
        finally:
            process.terminate()


@dataclass(frozen=True)
class Answer:
    """What a peer answers: a body that is JSON unless it is bytes, `slow` seconds late, a body byte by byte with `trickle`."""

    body: Any = b""
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    slow: float = 0
    trickle: bool = False
    cut: bool = False


class Peer(ThreadingHTTPServer):
    """Answers every query alike and counts them."""

    daemon_threads = True

    def __init__(self, answer: Answer) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answer = answer
        self.asked: list[str] = []
        self.ended = threading.Event()

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Peer

    def do_POST(self) -> None:
        answer = self.server.answer
        self.server.asked.append(self.path)
        self.rfile.read(int(self.headers["Content-Length"]))
        content = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
        self.server.ended.wait(answer.slow)
        try:
            self.send_response(answer.status)
            for name, value in answer.headers:
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content) + (10 if answer.cut else 0)))
            self.end_headers()
            if answer.trickle:
                for byte in content:
                    self.wfile.write(bytes([byte]))
                    self.wfile.flush()
                    if self.server.ended.wait(0.05):
                        return
            else:
                self.wfile.write(content)
        except OSError:
            return  # the asker has had enough

    def log_message(self, *_arguments: Any) -> None:
        pass


@contextmanager
def peer(answer: Answer) -> Iterator[Peer]:
    """A peer that answers so."""
    server = Peer(answer)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield server
    finally:
        server.ended.set()
        server.shutdown()
        server.server_close()


def closed_port() -> str:
    """An address where nobody listens."""
    return f"http://127.0.0.1:{free_port()}"
