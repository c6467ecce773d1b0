"""Uploaded files: held in memory up to a limit, whatever is sent."""

import io
from collections import Counter
from types import SimpleNamespace
from typing import Any

import pytest
from django.conf import settings
from django.http import HttpResponse
from django.test import RequestFactory, override_settings

from siths_portal.lib.files.uploads import UploadLimitMiddleware, declared_size
from siths_portal.lib.pages import error_pages

LIMIT = 5 * 1024 * 1024
BOUNDARY = "grans"


class Endless(io.RawIOBase):
    """A body of so many bytes that exist only while they are read; `most` is the largest piece asked for."""

    def __init__(self, head: bytes, size: int, tail: bytes) -> None:
        self.rest, self.head, self.tail, self.most = size, head, tail, 0

    def read(self, size: int = -1) -> bytes:
        self.most = max(self.most, size)
        if self.head:
            piece, self.head = self.head[:size], self.head[size:]
            return piece
        if self.rest:
            piece = b"x" * min(size, self.rest)
            self.rest -= len(piece)
            return piece
        piece, self.tail = self.tail[:size], self.tail[size:]
        return piece


def part(name: str, filename: str = "") -> bytes:
    file = f'; filename="{filename}"' if filename else ""
    return f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{file}\r\n\r\n'.encode()


def request(size: int, *, told: int | None = None, head: bytes = b"") -> tuple[Any, Endless]:
    start, tail = head + part("photo", "foto.jpg"), f"\r\n--{BOUNDARY}--\r\n".encode()
    body = Endless(start, size, tail)
    environ = RequestFactory().post("/", content_type=f"multipart/form-data; boundary={BOUNDARY}").environ
    length = told if told is not None else len(start) + size + len(tail)
    made: Any = RequestFactory().request(**(environ | {"wsgi.input": body, "CONTENT_LENGTH": str(length)}))
    made.user = SimpleNamespace(is_authenticated=True)
    return made, body


@pytest.mark.parametrize("size", [0, 1, 65_536, LIMIT - 1, LIMIT])
def test_a_file_within_the_limit_is_whole(size: int) -> None:
    file = request(size)[0].FILES["photo"]
    assert (len(file.read()), file.size) == (size, size)


@pytest.mark.parametrize("size", [LIMIT + 1, LIMIT + 70_000, 30 * 1024 * 1024])
def test_of_a_larger_file_one_byte_too_many_is_kept(size: int) -> None:
    made, _ = request(size, head=part("version") + b"7\r\n")
    file = made.FILES["photo"]
    assert len(file.read()) == LIMIT + 1
    assert file.size == size
    assert made.POST["version"] == "7"


def test_many_files_share_the_limit() -> None:
    head = b"".join(part(f"f{number}", "a.jpg") + b"y" * 2_000_000 + b"\r\n" for number in range(5))
    files = request(1000, head=head)[0].FILES
    assert len(files) == 6
    assert sum(len(file.read()) for file in files.values()) == LIMIT + 1


@pytest.mark.parametrize(("told", "status"), [(32 * 1024 * 1024, 200), (32 * 1024 * 1024 + 1, 413), (10**30, 413)])
def test_what_says_it_is_huge_is_refused_unread(told: int, status: int) -> None:
    made, body = request(0, told=told)
    del made.user  # the error page would show the session of one
    response = UploadLimitMiddleware(lambda _request: HttpResponse())(made)
    assert response.status_code == status
    assert body.most == 0
    if status == 413:
        assert "för stora" in response.content.decode()


def test_a_body_that_the_proxy_refused_is_too_large() -> None:
    made, body = request(0)
    del made.user  # the error page would show the session of one
    made.META["HTTP_X_BODY_REFUSED"] = "too-large"
    assert UploadLimitMiddleware(lambda _request: HttpResponse())(made).status_code == 413
    assert body.most == 0


def test_so_many_uploads_are_served_at_a_time() -> None:
    seen: list[int] = []

    def serve(made: Any) -> HttpResponse:
        if len(seen) < 10:
            seen.append(middleware(request(10)[0]).status_code)
        return HttpResponse()

    middleware = UploadLimitMiddleware(serve)
    for _ in range(3):  # places are given back
        assert middleware(request(10)[0]).status_code == 200
    assert seen[:4] == [503, 200, 200, 200]
    assert middleware(RequestFactory().post("/", {"a": 1}, content_type="application/x-www-form-urlencoded")).status_code == 200


def test_s36_of_a_thousand_at_once_a_few_are_read_and_the_others_not_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(error_pages, "error_page", lambda *_arguments, **_options: HttpResponse(status=503))
    sent = [request(LIMIT + 1) for _ in range(1000)]
    waiting, answers = list(sent), list[int]()

    def serve(made: Any) -> HttpResponse:
        """Has read its file, and is not done before all others have come."""
        assert len(made.FILES["photo"].read()) == LIMIT + 1
        while waiting:
            answers.append(middleware(waiting.pop()[0]).status_code)
        return HttpResponse()

    middleware = UploadLimitMiddleware(serve)
    answers.append(middleware(waiting.pop()[0]).status_code)
    assert Counter(answers) == {503: 1000 - settings.UPLOADS_AT_ONCE, 200: settings.UPLOADS_AT_ONCE}
    assert sum(body.most > 0 for _, body in sent) == settings.UPLOADS_AT_ONCE


@pytest.mark.parametrize("user", [None, SimpleNamespace(is_authenticated=False)])
def test_of_who_is_not_logged_in_nothing_is_read_and_no_place_is_taken(user: Any) -> None:
    made, body = request(1000, head=part("version") + b"7\r\n")
    made.user = user
    answers: list[int] = []

    def serve(outer: Any) -> HttpResponse:
        if outer is made:
            assert (len(outer.POST), len(outer.FILES)) == (0, 0)
            answers.extend(middleware(request(10)[0]).status_code for _ in range(2))
        return HttpResponse()

    with override_settings(UPLOADS_AT_ONCE=1):
        middleware = UploadLimitMiddleware(serve)
    assert middleware(made).status_code == 200
    assert answers == [200, 200]  # there was a place for who is logged in
    assert body.most == 0


def test_a_body_that_ends_early_is_what_came_of_it() -> None:
    made, _ = request(0, told=1_000_000)
    assert len(made.FILES["photo"].read()) < 100


def test_nothing_comes_onto_disk() -> None:
    assert settings.FILE_UPLOAD_HANDLERS == ["siths_portal.lib.files.uploads.BoundedUploadHandler"]


@pytest.mark.parametrize(
    ("told", "size"), [("too-large; bytes=52428800", 52_428_800), ("too-large; bytes=", 0), ("too-large", 0)]
)
def test_the_size_of_a_refused_body_comes_through_the_proxy(told: str, size: int) -> None:
    made, _ = request(0)
    made.META["HTTP_X_BODY_REFUSED"] = told
    made.META["CONTENT_LENGTH"] = ""
    assert declared_size(made) == size
