"""A cache of HTTP request headers by their bytes: if the headers are known, only the rest of the request needs to be parsed."""

from typing import Final

from pki.ocspd.app import Responder, SigningRequest

MOST: Final = 1024
"""Entries kept of each kind."""
END: Final = b"\r\n\r\n"
_GET: Final = b"GET /ocsp/"
_VERSION: Final = b" HTTP/1.1\r\n"
_POSTS: Final = (b"POST /ocsp HTTP/1.1\r\n", b"POST /ocsp HTTP/1.0\r\n")


class HeaderCache:
    """Headers that `httptools` has parsed, and that have no effect beyond the OCSP request itself."""

    def __init__(self) -> None:
        self.posts: dict[bytes, int] = {}
        """Headers of POSTs, with the Content-Length that they declare."""
        self.gets: set[bytes] = set()
        """Headers of GETs, from the end of the URL on."""

    def learn(self, data: bytes, method: str, target: bytes, body: bytes) -> None:
        """Caches the headers of the complete request `data`, if they are of the usual shape."""
        if method == "POST":
            head = data[: len(data) - len(body)]
            if head.startswith(_POSTS) and head.endswith(END) and head.count(END) == 1 and body:
                if len(self.posts) >= MOST:
                    self.posts.clear()
                self.posts[head] = len(body)
        elif method == "GET" and data.startswith(_GET) and not body:
            rest = data[4 + len(target) :]
            if rest.startswith(_VERSION) and rest.endswith(END) and rest.count(END) == 1:
                if len(self.gets) >= MOST:
                    self.gets.clear()
                self.gets.add(rest)

    def answer(self, responder: Responder, data: bytes) -> bytes | SigningRequest | None:
        """Returns the response to a complete request whose headers are cached. None means only that the cache cannot decide."""
        if data.startswith(_GET):
            end = data.find(_VERSION)
            if end < 0 or data[end:] not in self.gets:
                return None
            return responder.get(data[len(_GET) : end])
        cut = data.find(END) + 4
        if self.posts.get(data[:cut]) != len(data) - cut:
            return None
        return responder.post(data[cut:])
