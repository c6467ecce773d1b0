"""Accepts connections. Answers and closes at once a connection whose only request is already here; passes others to the loop.

Most clients open a connection for one request and ask us to close it. What the loop does for a connection (transport, watcher,
turns) costs more than the response, so such a connection is accepted, read, answered and closed in four calls. The kernel reports
a connection when its first octets have arrived, or after it has retransmitted a SYN-ACK to a client that sends nothing
(TCP_DEFER_ACCEPT).
"""

import asyncio
import contextlib
import errno
import logging
import socket
from typing import Final, cast

from pki.ocspd.serving import Connection, Server

log = logging.getLogger(__name__)

AT_A_TIME: Final = 64
"""Connections accepted in one turn of the loop."""
_READ: Final = 8192
_WAIT: Final = 1.0  # seconds until the next try when the process or the machine is out of file descriptors or memory
# As numbers: each use of a flag as an enumeration costs as much as a system call.
_NOW: Final = int(socket.MSG_DONTWAIT)
_NOW_OR_GONE: Final = int(socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
_FULL: Final = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


class Tail(asyncio.Protocol):
    """Sends the part of a response that did not fit the client's socket buffer, then closes the connection."""

    def __init__(self, rest: bytes) -> None:
        self._rest = rest

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Writes the rest and closes; the kernel ends the connection if the client does not read it."""
        opened = cast("asyncio.Transport", transport)
        opened.write(self._rest)
        opened.close()


class Acceptor:
    """Accepts the connections of one listening socket. The caller closes the socket."""

    def __init__(self, listening: socket.socket, server: Server, loop: asyncio.AbstractEventLoop) -> None:
        self._listening, self._server, self._loop = listening, server, loop
        self._entering: set[asyncio.Task[None]] = set()
        self._kind = int(listening.family), int(listening.type), 0
        self._closed = False

    def open(self) -> None:
        """Starts to accept, unless `close` was called."""
        if not self._closed:
            self._loop.add_reader(self._listening.fileno(), self._accept)

    def close(self) -> None:
        """Accepts no more connections; those not yet accepted stay in the socket's queue."""
        self._closed = True
        self._loop.remove_reader(self._listening.fileno())

    def _accept(self) -> None:
        for _ in range(AT_A_TIME):
            try:
                # The same as `accept`, without the socket object that it makes of the descriptor.
                descriptor, _address = self._listening._accept()  # type: ignore[attr-defined]
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno not in _FULL:
                    continue  # the client left before the connection was accepted
                log.error("cannot accept connections: %s", error.strerror)
                self._loop.remove_reader(self._listening.fileno())
                self._loop.call_later(_WAIT, self.open)
                return
            self._take(socket.SocketType(*self._kind, descriptor))

    def _take(self, accepted: socket.SocketType) -> None:
        try:
            data = accepted.recv(_READ, _NOW)
        except BlockingIOError:
            self._enter(accepted, Connection(self._server))
            return
        except OSError:
            data = b""
        if not data:
            accepted.close()  # the client has closed
            return
        said = self._server.said_last(data)
        if said is None:
            self._enter(accepted, Connection(self._server, data))
            return
        try:
            sent = accepted.send(said, _NOW_OR_GONE)
        except BlockingIOError:
            sent = 0
        except OSError:
            sent = len(said)
        if sent < len(said):
            self._enter(accepted, Tail(said[sent:]))
        else:
            accepted.close()

    def _enter(self, accepted: socket.SocketType, protocol: asyncio.Protocol) -> None:
        """Passes the connection to the event loop."""
        opened = socket.socket(*self._kind, accepted.detach())
        opened.setblocking(False)
        task = self._loop.create_task(self._entered(opened, protocol))
        self._entering.add(task)
        task.add_done_callback(self._entering.discard)

    async def _entered(self, accepted: socket.socket, protocol: asyncio.Protocol) -> None:
        try:
            await self._loop.connect_accepted_socket(lambda: protocol, accepted)
        except OSError:
            with contextlib.suppress(OSError):
                accepted.close()
