"""Readiness probes of processes. Each returns False at once if nothing listens, and waits for a busy process.

`python -m siths_portal.dev.probes PORT|SOCKET [live]` is the health check of a container: exit 0 if the process there is ready,
or with `live` if it runs.
"""

import http.client
import socket
import subprocess
import sys
from pathlib import Path

from siths_portal.dev.private_services import APP_ROLE, PrivatePostgres, postgres_bin

SECONDS = 30  # the time that a busy process may take


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path: str, timeout: float = SECONDS) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        """Connects to the socket."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def _answers(connection: http.client.HTTPConnection, what: str = "ready") -> bool:
    try:
        connection.request("GET", f"/healthz/{what}")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def is_ready(port: int) -> bool:
    """Returns whether the service on `port` returns 200 at /healthz/ready."""
    return _answers(http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS))


def api_is_ready(path: Path) -> bool:
    """Returns the same for a service behind a reverse proxy, by its unix socket."""
    return _answers(UnixConnection(str(path)))


def accepts(port: int) -> bool:
    """Returns whether a process accepts connections on `port` of the loopback."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=SECONDS).close()
    except OSError:
        return False
    return True


def postgres_answers(postgres: PrivatePostgres) -> bool:
    """Returns whether the cluster accepts connections."""
    where = ["-h", str(postgres.socket_dir), "-U", APP_ROLE, "-d", "postgres"]
    command = [str(postgres_bin() / "pg_isready"), "-q", "-t", str(SECONDS), *where]
    return subprocess.run(command, cwd="/", check=False).returncode == 0


def redis_answers(path: Path) -> bool:
    """Returns whether Redis responds to PING."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(SECONDS)
        try:
            client.connect(str(path))
            client.sendall(b"PING\r\n")
            return client.recv(16).startswith(b"+PONG")
        except OSError:
            return False


def main(place: str, what: str = "ready") -> int:
    """Returns 0 if the service at this port or unix socket returns 200 at /healthz/ready, or at /healthz/live, else 1."""
    connection = (
        http.client.HTTPConnection("127.0.0.1", int(place), timeout=SECONDS) if place.isdigit() else UnixConnection(place)
    )
    return 0 if _answers(connection, what) else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
