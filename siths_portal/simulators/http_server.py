"""The HTTP server that the simulators share: health address, bounded bodies, log lines without personal data, and its end."""

import datetime as dt
import json
import re
import sys
import threading
from abc import ABC, abstractmethod
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import urlsplit

from siths_portal.lib.processes.ending import Ending

HEALTH = "/healthz/live"


class Handler(BaseHTTPRequestHandler, ABC):
    """Answers the health address and leaves other requests to `get` and `post`. Logs method, `known_path` and status only."""

    protocol_version = "HTTP/1.1"
    sys_version = ""
    timeout = 60
    body_limit: ClassVar[int]
    common_headers: ClassVar[Mapping[str, str]] = {}

    @abstractmethod
    def get(self) -> None:
        """Answers a GET that does not ask for health."""

    @abstractmethod
    def post(self, body: bytes) -> None:
        """Answers a POST whose body is within the limit."""

    @abstractmethod
    def refuse_body(self, status: int) -> None:
        """Answers a POST whose body is too long (413) or has no length (411)."""

    @abstractmethod
    def known_path(self, path: str) -> str:
        """Returns what the log may hold of `path`, which anybody may have made up: a known address, else `-`."""

    def do_GET(self) -> None:
        """Answers the health address, or as `get`."""
        if urlsplit(self.path).path == HEALTH:
            self.send(200, json.dumps({"status": "ok"}).encode(), "application/json")
        else:
            self.get()

    def do_POST(self) -> None:
        """Reads the body and answers as `post`."""
        length = self.headers.get("Content-Length", "")
        if not re.fullmatch(r"[0-9]{1,9}", length) or int(length) > self.body_limit:
            self.close_connection = True
            self.refuse_body(413 if length.isdigit() else 411)
            return
        self.post(self.rfile.read(int(length)))

    def send(self, status: int, content: bytes, media_type: str, headers: Mapping[str, str] | None = None) -> None:
        """Sends one whole answer with the headers that all answers of the simulator have."""
        self.send_response(status)
        for name, value in {**self.common_headers, **(headers or {}), "Content-Type": media_type}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *arguments: Any) -> None:
        """Nothing but `log_request` logs: the base class would write what the client sent."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Writes one line with the moment, the method, the known path and the status."""
        path = urlsplit(self.path).path if hasattr(self, "path") else "-"
        known = path if path == HEALTH else self.known_path(path)
        moment = dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        sys.stdout.write(f"{moment} {self.command or '-'} {known} {int(code)}\n")
        sys.stdout.flush()


class Server(ThreadingHTTPServer):
    """A simulator's server; `port` 0 takes a free one."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, host: str, port: int, handler: type[Handler]) -> None:
        self._handler = handler
        super().__init__((host, port), handler)

    def share(self, **values: Any) -> None:
        """Gives the handlers of all requests these attributes."""
        self.RequestHandlerClass = type("BoundHandler", (self._handler,), values)

    def own_origins(self) -> frozenset[str]:
        """Returns the origins under which a browser on this machine finds the server."""
        return frozenset(f"http://{name}:{self.server_port}" for name in ("localhost", "127.0.0.1"))

    def serve_until(self, stop: Ending | threading.Event) -> None:
        """Serves until waiting for `stop` is over."""
        thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.2}, daemon=True)
        thread.start()
        stop.wait()
        self.shutdown()
        thread.join()
