"""A response that is not streamed leaves a site in one piece, so that a killed process leaves nothing of it or all."""

import re
import socket
from pathlib import Path
from urllib.parse import urlsplit

from django.http import HttpResponse, StreamingHttpResponse

from siths_portal.lib.http.whole_responses import whole
from tests.lib.faces import serving

TIMES = 40
LARGEST = 1 << 20


def first_read(url: str, path: str) -> bytes:
    """What one read of a new connection gets of the response."""
    parts = urlsplit(url)
    assert parts.hostname
    assert parts.port
    with socket.create_connection((parts.hostname, parts.port), timeout=60) as connection:
        connection.sendall(
            f"GET {path} HTTP/1.1\r\nHost: {parts.netloc}\r\nAccept: text/html\r\nConnection: close\r\n\r\n".encode()
        )
        return connection.recv(LARGEST)


def test_head_and_body_are_sent_together(django_db_setup: None, tmp_path: Path) -> None:
    with serving("minasidor", tmp_path / "log") as url:
        for _ in range(TIMES):
            head, _, body = first_read(url, "/").partition(b"\r\n\r\n")
            length = re.search(rb"(?i)^content-length: (\d+)", head, re.MULTILINE)
            assert length, head
            assert 0 < int(length[1]) == len(body)


def test_a_response_is_closed_when_it_is_handed_over() -> None:
    """Django ends a request when its response is closed. The server closes only what it iterates."""
    closed: list[str] = []

    class Whole(HttpResponse):
        def close(self) -> None:
            closed.append("whole")

    class Streamed(StreamingHttpResponse):
        def close(self) -> None:
            closed.append("streamed")

    assert whole(Whole(b"whole")) == [b"whole"]
    assert b"".join(whole(Streamed([b"in ", b"pieces"]))) == b"in pieces"
    assert closed == ["whole"]
