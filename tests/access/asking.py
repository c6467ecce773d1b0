"""Requests in this process, and what the database was asked meanwhile; both without what only a test's report would need.

Django's own client loads the middleware anew and copies the context of every template, and its capture of queries writes
out every value: a walk looks at none of it, and asks twenty thousand times.
"""

import contextlib
import logging
import re
from collections.abc import Iterator, Mapping
from functools import cache, lru_cache
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.db import connection
from django.http import HttpResponseBase
from django.test import RequestFactory
from django.test.client import MULTIPART_CONTENT, ClientHandler

from tests.pressing import FORM


class Browser(RequestFactory):
    """Sends requests through all of the face's middleware, as `django.test.Client` does, with cookies and no more."""

    def __init__(self, cookies: Mapping[str, str] | None = None, *, checks_csrf: bool = False) -> None:
        super().__init__()
        self.cookies.load(dict(cookies or {}))
        self._checks_csrf = checks_csrf

    def post(  # type: ignore[override]
        self, path: str, data: Any = None, content_type: str = MULTIPART_CONTENT, **kwargs: Any
    ) -> HttpResponseBase:
        """Sends a form. One without files goes urlencoded, as browsers send it (`pressing`)."""
        if content_type == MULTIPART_CONTENT and not any(hasattr(value, "read") for value in (data or {}).values()):
            data, content_type = urlencode(data or {}, doseq=True), FORM
        return super().post(path, data, content_type, **kwargs)

    def request(self, **request: Any) -> HttpResponseBase:  # type: ignore[override]
        """The face's answer."""
        answer = _handler(settings.ROOT_URLCONF, tuple(settings.MIDDLEWARE), self._checks_csrf)(self._base_environ(**request))
        assert isinstance(answer, HttpResponseBase)
        return answer


@cache
def _handler(_urls: str, _middleware: tuple[str, ...], checks_csrf: bool) -> ClientHandler:
    """Loads its middleware at its first request and keeps it, as a serving process does: one for each face."""
    return ClientHandler(enforce_csrf_checks=checks_csrf)


def content(response: Any) -> str:
    """The whole body."""
    found: bytes = b"".join(response.streaming_content) if response.streaming else response.content
    return found.decode("utf-8", "replace")


@contextlib.contextmanager
def statements() -> Iterator[list[str]]:
    """The shapes of the statements that are sent meanwhile."""
    sent: list[str] = []

    def note(execute: Any, sql: Any, params: Any, many: bool, context: Any) -> Any:
        sent.append(f"{shape(str(sql))} {_kinds(params)}")
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        yield sent


@contextlib.contextmanager
def untold() -> Iterator[None]:
    """Refusals meanwhile are no lines in a log that nobody reads; faults still are."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)


@lru_cache(maxsize=4096)
def shape(sql: str) -> str:
    """A statement without its values."""
    sql = re.sub(r"'(?:[^']|'')*'", "?", sql)
    return re.sub(r'SAVEPOINT "[^"]*"', "SAVEPOINT", re.sub(r"\b\d+\b", "?", sql))


def _kinds(value: Any) -> Any:
    """What may be seen of parameters: their number and types, and of those that are no text or number which they are."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, Mapping):
        return {name: _kinds(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_kinds(one) for one in value]
    return "str" if isinstance(value, str) else type(value).__name__
