"""A cheap HTTP/1.1 client: one kept connection, its cookies, and bodies that stay packed until they are read."""

import contextlib
import re
import socket
import zlib
from dataclasses import dataclass, field

TIMEOUT = 60
_ENDS_CHUNKS = b"0\r\n\r\n"


@dataclass(frozen=True)
class Response:
    """A response. `location` is the path that it leads to, or empty."""

    status: int
    location: str
    body: bytes
    is_packed: bool

    @property
    def text(self) -> bytes:
        """The body, unpacked."""
        return zlib.decompress(self.body, 31) if self.is_packed else self.body


@dataclass
class Session:
    """A browser's session at one site. Not for several threads."""

    address: tuple[str, int]
    cookies: dict[str, str]
    _connection: socket.socket | None = field(default=None, repr=False)

    def request(self, method: str, path: str, body: bytes = b"", content_type: str = "") -> Response:
        """Sends a request and reads the response. Raises OSError if the connection ends before it is complete."""
        host = f"{self.address[0]}:{self.address[1]}"
        lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", "Accept: text/html", "Accept-Encoding: gzip"]
        lines.append("Cookie: " + "; ".join(f"{name}={value}" for name, value in self.cookies.items()))
        if method == "POST":
            lines += [f"Origin: http://{host}", f"Content-Type: {content_type}", f"Content-Length: {len(body)}"]
        return self._exchange("\r\n".join([*lines, "\r\n"]).encode() + body)

    def _exchange(self, request: bytes) -> Response:
        if self._connection is not None:
            # The proxy ends a kept connection after some time without requests; then nothing came back.
            with contextlib.suppress(ConnectionError):
                self._connection.sendall(request)
                return self._read(self._connection)
            self._connection.close()
        self._connection = socket.create_connection(self.address, timeout=TIMEOUT)
        self._connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._connection.sendall(request)
        return self._read(self._connection)

    def _read(self, connection: socket.socket) -> Response:
        data = connection.recv(262_144)
        if not data:
            raise ConnectionResetError
        while (end := data.find(b"\r\n\r\n")) < 0:
            data += _more(connection)
        head, body = data[:end].decode("latin-1").split("\r\n"), data[end + 4 :]
        headers = self._headers(head[1:])
        if headers.get("transfer-encoding") == "chunked":
            while not body.endswith(_ENDS_CHUNKS):
                body += _more(connection)
            body = _joined(body)
        else:
            pieces, left = [body], int(headers.get("content-length", "0")) - len(body)
            while left > 0:
                pieces.append(_more(connection))
                left -= len(pieces[-1])
            body = b"".join(pieces)
        if headers.get("connection") == "close":
            connection.close()
            self._connection = None
        location = re.sub(r"^https?://[^/]+", "", headers.get("location", ""))
        return Response(int(head[0].split()[1]), location, body, headers.get("content-encoding") == "gzip")

    def _headers(self, lines: list[str]) -> dict[str, str]:
        headers: dict[str, str] = {}
        for line in lines:
            name, _, value = line.partition(": ")
            if name.lower() == "set-cookie":
                key, _, content = value.partition(";")[0].partition("=")
                self.cookies[key] = content
            else:
                headers[name.lower()] = value
        return headers


def _more(connection: socket.socket) -> bytes:
    data = connection.recv(262_144)
    if not data:
        raise OSError("the connection ended within a response")
    return data


def _joined(chunks: bytes) -> bytes:
    """The content of a body of chunks (RFC 9112 section 7.1)."""
    pieces, at = [], 0
    while True:
        end = chunks.index(b"\r\n", at)
        size = int(chunks[at:end].partition(b";")[0], 16)
        if not size:
            return b"".join(pieces)
        pieces.append(chunks[end + 2 : end + 2 + size])
        at = end + 2 + size + 2
