"""The HTTP server of the simulators: health check, limited bodies, log lines without personal data, and shutdown."""

import datetime as dt
import json
import re
import sys
import threading
from abc import ABC, abstractmethod
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlsplit

from siths_portal.lib.processes.ending import Ending

HEALTH = "/healthz/live"
FONT = "/font.woff2"
_FONT_FILE = Path(__file__).resolve().parents[2] / "static/vendor/atkinson-latin.woff2"


class Handler(BaseHTTPRequestHandler, ABC):
    """Serves the health check and calls `get` and `post` for other requests. Logs only method, `known_path` and status."""

    protocol_version = "HTTP/1.1"
    sys_version = ""
    timeout = 60
    disable_nagle_algorithm = True  # headers and body are two packets; the second would wait some 40 ms for the first's receipt
    body_limit: ClassVar[int]
    common_headers: ClassVar[Mapping[str, str]] = {}

    @abstractmethod
    def get(self) -> None:
        """Serves a GET of any path except the health check."""

    @abstractmethod
    def post(self, body: bytes) -> None:
        """Serves a POST with a body within the limit."""

    @abstractmethod
    def refuse_body(self, status: int) -> None:
        """Serves a POST with a body that is too long (413) or has no length (411)."""

    @abstractmethod
    def known_path(self, path: str) -> str:
        """Returns the path to log: a known path, or `-`, because a client can put any text in `path`."""

    def do_GET(self) -> None:
        """Serves the health check, or calls `get`."""
        if urlsplit(self.path).path == HEALTH:
            self.send(200, json.dumps({"status": "ok"}).encode(), "application/json")
        else:
            self.get()

    def do_POST(self) -> None:
        """Reads the body and calls `post`."""
        if (body := self._body()) is not None:
            self.post(body)

    def do_PUT(self) -> None:
        """Reads the body and calls `put`."""
        if (body := self._body()) is not None:
            self.put(body)

    def put(self, body: bytes) -> None:
        """Serves a PUT with a body within the limit. Most simulators take none."""
        self.send(405, b"", "text/plain")

    def _body(self) -> bytes | None:
        """Returns the body, or None after refusing it."""
        length = self.headers.get("Content-Length", "")
        if not re.fullmatch(r"[0-9]{1,9}", length) or int(length) > self.body_limit:
            self.close_connection = True
            self.refuse_body(413 if length.isdigit() else 411)
            return None
        return self.rfile.read(int(length))

    def send_font(self) -> None:
        """Sends the typeface of the pages, or 404 if it is not installed; browsers then use one of their own."""
        try:
            content = _FONT_FILE.read_bytes()
        except OSError:
            self.send(404, b"", "text/plain")
        else:
            self.send(200, content, "font/woff2", {"Cache-Control": "max-age=86400"})

    def send(self, status: int, content: bytes, media_type: str, headers: Mapping[str, str] | None = None) -> None:
        """Sends a response with the headers of all the simulator's responses."""
        self.send_response(status)
        for name, value in {**self.common_headers, **(headers or {}), "Content-Type": media_type}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *arguments: Any) -> None:
        """Logs nothing, because the base class would log what the client sent. `log_request` logs."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Writes one line with time, method, known path and status."""
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
        """Sets these attributes on the handlers of all requests."""
        self.RequestHandlerClass = type("BoundHandler", (self._handler,), values)

    def own_origins(self) -> frozenset[str]:
        """Returns the origins with which a browser on this machine reaches the server."""
        return frozenset(f"http://{name}:{self.server_port}" for name in ("localhost", "127.0.0.1"))

    def serve_until(self, stop: Ending | threading.Event) -> None:
        """Serves until `stop` is set."""
        thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.2}, daemon=True)
        thread.start()
        stop.wait()
        self.shutdown()
        thread.join()
