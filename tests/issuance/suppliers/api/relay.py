"""A network that cuts connections between a client and the API, so that responses of calls that were carried out are lost."""

import contextlib
import itertools
import socket
import threading
from collections.abc import Iterator

from tests.ports import free_port

PASSES = (4, 9, 15, 22)
"""How many pieces of the server's bytes a connection passes on before it is cut; one connection after the other."""


class Relay:
    """Listens on `port` of localhost and passes bytes on to the API at `target`."""

    def __init__(self, target: int) -> None:
        self.target, self.port = target, free_port()
        self.cuts = 0
        self._passes = itertools.cycle(PASSES)
        self._listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Takes no more connections."""
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self.target))
                threading.Thread(target=self._copy, args=(client, server, None), daemon=True).start()
                threading.Thread(target=self._copy, args=(server, client, next(self._passes)), daemon=True).start()

    def _copy(self, source: socket.socket, sink: socket.socket, pieces: int | None) -> None:
        """Passes bytes on until one side ends, or until `pieces` have come; then it cuts the connection before the next."""
        with contextlib.suppress(OSError), source, sink:
            for number in itertools.count():
                piece = source.recv(65536)
                if not piece or number == pieces:
                    self.cuts += bool(piece)
                    break
                sink.sendall(piece)
            for end in (source, sink):
                end.shutdown(socket.SHUT_RDWR)  # since the other thread still reads, closing would not end the connection


@contextlib.contextmanager
def relay(target: int) -> Iterator[Relay]:
    """A relay to the port `target` for the block."""
    made = Relay(target)
    try:
        yield made
    finally:
        made.close()
