"""Where connections come in. One whose only request is there is answered and closed at once; all others go to the loop.

Who asks about one certificate mostly makes a connection for it and says so. What the loop does for a connection (transport,
watcher, turns) costs more than the answer, so such a one is accepted, read, answered and closed in four calls. The kernel tells
of a connection when its first octets are there (TCP_DEFER_ACCEPT), or when a client that waits has been told so once more.
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
"""Connections taken in a turn of the loop."""
_READ: Final = 8192
_WAIT: Final = 1.0  # seconds until the next try when the process or the machine can open nothing more
# As numbers: each use of a flag as an enumeration costs as much as a system call.
_NOW: Final = int(socket.MSG_DONTWAIT)
_NOW_OR_GONE: Final = int(socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
_FULL: Final = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


class Tail(asyncio.Protocol):
    """Takes what a client's socket had no room for, then closes it."""

    def __init__(self, rest: bytes) -> None:
        self._rest = rest

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Writes it; the kernel gives the client up that does not take it."""
        opened = cast("asyncio.Transport", transport)
        opened.write(self._rest)
        opened.close()


class Door:
    """Takes the connections of one listening socket, which is another's to close."""

    def __init__(self, listening: socket.socket, server: Server, loop: asyncio.AbstractEventLoop) -> None:
        self._listening, self._server, self._loop = listening, server, loop
        self._entering: set[asyncio.Task[None]] = set()
        self._kind = int(listening.family), int(listening.type), 0
        self._closed = False

    def open(self) -> None:
        """Begins, unless it was closed."""
        if not self._closed:
            self._loop.add_reader(self._listening.fileno(), self._accept)

    def close(self) -> None:
        """Takes no more; what waits in the socket waits there."""
        self._closed = True
        self._loop.remove_reader(self._listening.fileno())

    def _accept(self) -> None:
        for _ in range(AT_A_TIME):
            try:
                # What `accept` does, without the object that it makes of the descriptor.
                descriptor, _address = self._listening._accept()  # type: ignore[attr-defined]
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno not in _FULL:
                    continue  # it left before it was taken
                log.error("no connection can be taken: %s", error.strerror)
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
            accepted.close()  # nobody is there
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
        """Gives the connection to the loop."""
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
