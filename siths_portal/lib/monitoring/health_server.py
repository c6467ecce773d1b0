"""The HTTP server of health checks for a worker, which serves no other HTTP."""

import json
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import structlog
from django.db import close_old_connections, connection

from siths_portal.lib.monitoring import health

log = structlog.get_logger(__name__)


class Server(ThreadingHTTPServer):
    """Serves `GET` and `HEAD` of `/healthz/live` and `/healthz/ready`; 404 for all other paths."""

    daemon_threads = True

    def __init__(self, address: tuple[str, int], checks: Mapping[str, health.Check]) -> None:
        self.checks = checks
        self.one_at_a_time = threading.Lock()
        super().__init__(address, _Handler)

    def response_to(self, path: str) -> health.HealthResponse | None:
        """Returns the response for this path, or None for an unknown one. Runs the checks for one client at a time."""
        if path == "/healthz/live":
            return health.ALIVE
        if path != "/healthz/ready":
            return None
        with self.one_at_a_time:
            close_old_connections()
            try:
                return health.run(self.checks)
            finally:
                connection.close()


class _Handler(BaseHTTPRequestHandler):
    server: Server
    server_version, sys_version = "siths-portal", ""
    timeout = 10

    def do_GET(self) -> None:
        """Sends the response."""
        self._send(with_body=True)

    def do_HEAD(self) -> None:
        """Sends the response without the body."""
        self._send(with_body=False)

    def _send(self, *, with_body: bool) -> None:
        not_found = health.HealthResponse(404, {"title": "not-found", "status": 404}, health.PROBLEM)
        response = self.server.response_to(self.path) or not_found
        body = json.dumps(response.body, ensure_ascii=False).encode()
        self.send_response(response.status)
        headers = {"Content-Type": response.content_type, "Cache-Control": "no-store", "Content-Length": str(len(body))}
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if with_body:
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Logs nothing, since each health check would be a line."""


def start(bind: str, checks: Mapping[str, health.Check]) -> Server:
    """Serves at `bind` (HOST:PORT) in threads until `shutdown`. Raises OSError if the address is taken, or ValueError."""
    host, _, port = bind.rpartition(":")
    server = Server((host, int(port)), checks)
    threading.Thread(target=server.serve_forever, name="health", daemon=True).start()
    log.info("health.answering", port=server.server_port)
    return server
