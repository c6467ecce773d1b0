"""The card supplier's client of the supplier API: REST over mTLS, repeated with back-off until it gets a response."""

import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import requests

_PASSING = frozenset({409, 425, 429, 500, 502, 503, 504})
_WAITABLE_CONFLICT = "request-in-progress"


class Refused(Exception):
    """The portal refused the request, with this status and problem code."""

    def __init__(self, status: int, code: str) -> None:
        super().__init__(f"{status} {code}")
        self.status, self.code = status, code


class Unreachable(Exception):
    """The portal gave no usable response in any attempt. The message has only the kind of failure."""


@dataclass(frozen=True)
class Reply:
    """A 2xx response."""

    status: int
    headers: dict[str, str]
    body: Any


@dataclass
class Api:
    """The API for one registered supplier. A call gets `patience` attempts, with waits that double up to `longest_wait`."""

    base_url: str
    certificate: Path
    key: Path
    ca: Path
    patience: int = 6
    longest_wait: float = 10.0
    timeout: tuple[float, float] = (5.0, 35.0)
    sleep: Callable[[float], None] = time.sleep
    _session: requests.Session = field(default_factory=requests.Session, repr=False)

    def __post_init__(self) -> None:
        self._session.trust_env = False
        self._session.cert = (str(self.certificate), str(self.key))
        self._session.verify = str(self.ca)

    def get(self, path: str, **query: str) -> Reply:
        """Gets `path`."""
        return self._call("GET", path, params=query)

    def picture(self, path: str) -> bytes:
        """Returns the JPEG at `path`."""
        return cast(bytes, self._call("GET", path, headers={"Accept": "image/jpeg"}).body)

    def post(self, path: str, *, key: str, body: Any) -> Reply:
        """Posts `body` with the idempotency key `key`. The same key must always have the same body."""
        return self._call("POST", path, json=body, headers={"Idempotency-Key": key})

    def put(self, path: str, *, version: str, body: Any) -> Reply:
        """Replaces the version with the entity tag `version` by `body`."""
        return self._call("PUT", path, json=body, headers={"If-Match": version})

    def orders(self, status: str) -> Iterator[dict[str, Any]]:
        """Yields all orders in a status, page by page."""
        query = {"status": status, "limit": "100"}
        while True:
            page = self.get("orders", **query).body
            yield from cast(list[dict[str, Any]], page["orders"])
            if not page["next_cursor"]:
                return
            query["cursor"] = page["next_cursor"]

    def changes(self, after: int) -> Iterator[dict[str, Any]]:
        """Yields all changes after the change number `after`, page by page."""
        number: int | None = after
        while number is not None:
            page = self.get("changes", after=str(number)).body
            yield from cast(list[dict[str, Any]], page["changes"])
            number = page["next"]

    def _call(self, method: str, path: str, **options: Any) -> Reply:
        failure = ""
        for attempt in range(self.patience):
            if attempt:
                self.sleep(min(self.longest_wait, 0.2 * 2**attempt) * random.uniform(0.5, 1.0))  # noqa: S311
            try:
                response = self._session.request(
                    method,
                    f"{self.base_url.rstrip('/')}/api/supplier/v1/{path}",
                    timeout=self.timeout,
                    allow_redirects=False,
                    **options,
                )
            except requests.RequestException as error:
                failure = type(error).__name__
                continue
            code = _code(response)
            if response.ok:
                return Reply(response.status_code, dict(response.headers), _body(response))
            if response.status_code not in _PASSING or (response.status_code == 409 and code != _WAITABLE_CONFLICT):
                raise Refused(response.status_code, code)
            failure = f"{response.status_code} {code}"
        raise Unreachable(failure)


def _body(response: requests.Response) -> Any:
    if response.headers.get("Content-Type") == "image/jpeg":
        return response.content
    return response.json() if response.content else None


def _code(response: requests.Response) -> str:
    try:
        return str(response.json()["code"])
    except (ValueError, KeyError, TypeError):
        return "no-problem"
