"""Health addresses of a process that serves nothing else: a worker. On an address of its own."""

import json
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import structlog
from django.db import close_old_connections, connection

from siths_portal.lib.monitoring import health

log = structlog.get_logger(__name__)


class Server(ThreadingHTTPServer):
    """Answers `GET` and `HEAD` of `/healthz/live` and `/healthz/ready`; everything else is 404."""

    daemon_threads = True

    def __init__(self, address: tuple[str, int], checks: Mapping[str, health.Check]) -> None:
        self.checks = checks
        self.one_at_a_time = threading.Lock()
        super().__init__(address, _Handler)

    def answer(self, path: str) -> health.Answer | None:
        """The answer to this path; None if there is nothing. Checks are made for one caller at a time."""
        if path == "/healthz/live":
            return health.ALIVE
        if path != "/healthz/ready":
            return None
        with self.one_at_a_time:
            close_old_connections()
            try:
                return health.ask(self.checks)
            finally:
                connection.close()


class _Handler(BaseHTTPRequestHandler):
    server: Server
    server_version, sys_version = "siths-portal", ""
    timeout = 10

    def do_GET(self) -> None:
        """Answers."""
        self._send(with_body=True)

    def do_HEAD(self) -> None:
        """Answers without the body."""
        self._send(with_body=False)

    def _send(self, *, with_body: bool) -> None:
        answer = self.server.answer(self.path) or health.Answer(404, {"title": "not-found", "status": 404}, health.PROBLEM)
        body = json.dumps(answer.body, ensure_ascii=False).encode()
        self.send_response(answer.status)
        for name, value in (("Content-Type", answer.content_type), ("Cache-Control", "no-store"), ("Content-Length", len(body))):
            self.send_header(name, str(value))
        self.end_headers()
        if with_body:
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: each question would be a line."""


def start(bind: str, checks: Mapping[str, health.Check]) -> Server:
    """Answers at `bind` (HOST:PORT) from threads until `shutdown`. Raises OSError if the address is taken, ValueError."""
    host, _, port = bind.rpartition(":")
    server = Server((host, int(port)), checks)
    threading.Thread(target=server.serve_forever, name="health", daemon=True).start()
    log.info("health.answering", port=server.server_port)
    return server
