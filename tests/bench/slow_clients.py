"""Clients that are slow on purpose, as one process: unfinished heads and bodies, and readers of a large response.

Arguments: the port, the number of clients, the address of a large file. Prints a line of JSON when all are connected, and another
when its input closes: how many clients of each kind are connected, and how many the server closed, which are replaced at once.
"""

import json
import select
import socket
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

EACH = 4.0  # seconds between two bytes of one client: shorter than the time-outs of the reverse proxy
SLICES = 20
MEGABYTE = 1_000_000
POST = "POST {path} HTTP/1.1\r\nHost: localhost:{port}\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\n\r\nx"

KINDS: dict[str, Callable[[int, str], str]] = {
    "unfinished report": lambda port, _file: POST.format(path="/csp-rapport/", port=port, length=1000),
    "unfinished upload": lambda port, _file: POST.format(path="/bestallning/", port=port, length=MEGABYTE),
    "unfinished head": lambda port, _file: f"GET / HTTP/1.1\r\nHost: localhost:{port}\r\nX-Slow: ",
    "slow reader": lambda port, file: f"GET {file} HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n" * 20,
}


@dataclass
class Slow:
    """One slow client, which connects again when the server has closed its connection."""

    kind: str
    port: int
    file: str
    closed: int = 0
    connection: socket.socket | None = field(default=None, repr=False)

    def act(self) -> None:
        """Sends or reads one byte, or connects."""
        try:
            self._act()
        except BlockingIOError:
            return  # the server waits for more, or has nothing for this client yet
        except OSError:
            self._drop()

    def _act(self) -> None:
        if self.connection is None:
            self.connection = socket.socket()
            if self.kind == "slow reader":
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            self.connection.settimeout(30)
            self.connection.connect(("127.0.0.1", self.port))
            self.connection.sendall(KINDS[self.kind](self.port, self.file).encode())
            self.connection.setblocking(False)
        elif self.kind == "slow reader":
            if not self.connection.recv(1):
                self._drop()
        else:
            self.connection.send(b"x")
            if self.connection.recv(1000) is not None:  # a response or an end: the server does not wait for the rest
                self._drop()

    def _drop(self) -> None:
        if self.connection is not None:
            self.connection.close()
        self.connection = None
        self.closed += 1


def main(port: int, count: int, file: str) -> None:
    """Keeps `count` slow clients connected until the input closes."""
    kinds = list(KINDS)
    clients = [Slow(kinds[number % len(kinds)], port, file) for number in range(count)]
    for client in clients:
        client.act()
    _print(clients)
    turn = 0
    while not select.select([sys.stdin], [], [], 0)[0]:
        for client in clients[turn % SLICES :: SLICES]:
            client.act()
            if client.connection is None:
                client.act()
        turn += 1
        time.sleep(EACH / SLICES)
    _print(clients)


def _print(clients: list[Slow]) -> None:
    connected = Counter(client.kind for client in clients if client.connection is not None)
    print(json.dumps({"connected": connected, "closed": sum(client.closed for client in clients)}), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
