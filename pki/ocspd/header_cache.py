"""Heads of HTTP requests that were read before, known by their bytes: what comes behind them need not be parsed again."""

from typing import Final

from pki.ocspd.app import Responder, SigningRequest

MOST: Final = 1024
"""Heads of each kind that are remembered."""
END: Final = b"\r\n\r\n"
_GET: Final = b"GET /ocsp/"
_VERSION: Final = b" HTTP/1.1\r\n"
_POSTS: Final = (b"POST /ocsp HTTP/1.1\r\n", b"POST /ocsp HTTP/1.0\r\n")


class Heads:
    """Heads that `httptools` has read, and on which nothing but the request itself depends."""

    def __init__(self) -> None:
        self.posts: dict[bytes, int] = {}
        """Heads of POSTs, and how long a body they announce."""
        self.gets: set[bytes] = set()
        """Heads of GETs from the end of their address on."""

    def learn(self, data: bytes, method: str, target: bytes, body: bytes) -> None:
        """Remembers the head of a request that came whole as `data`, if it is of the usual shape."""
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
        """What is said to a request that came whole and has a known head; None for all others, of which nothing is concluded."""
        if data.startswith(_GET):
            end = data.find(_VERSION)
            if end < 0 or data[end:] not in self.gets:
                return None
            return responder.get(data[len(_GET) : end])
        cut = data.find(END) + 4
        if self.posts.get(data[:cut]) != len(data) - cut:
            return None
        return responder.post(data[cut:])
