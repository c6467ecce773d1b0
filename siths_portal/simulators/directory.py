"""The HSA directory and the person register, as JSON over HTTP from data files (wire format: docs/wire/README.md).

Assignments and persons are in one file, organisations in `organisations.json` next to it. Queries are in bodies, so that no URL
or log contains personal data. A file is read again when it changes. Every query gives 503 while a file `down` is next to the
data or the query's data file is missing.
"""

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from siths_portal.simulators import http_server

KINDS = frozenset({"personnummer", "samordningsnummer", "passport", "reserve"})
BODY_LIMIT = 64 * 1024
POSTS = "/directory/v1/posts/query"
PERSONS = "/person-register/v1/persons/query"
MANY_PERSONS = "/person-register/v1/persons/batch-query"
PERSONS_AT_ONCE = 200
ORGANISATIONS = "/directory/v1/organisations/query"
ORGANISATIONS_AT_ONCE = 100

_QUERIES = (POSTS, PERSONS, MANY_PERSONS, ORGANISATIONS)

PersonKey = tuple[str, str]


class BadQuery(Exception):
    """The query does not follow the wire format; the message says why."""


class Down(Exception):
    """The source is not available now."""


@dataclass(frozen=True)
class Directory:
    """The people of the data file, indexed. HSA-ids compare case-insensitively."""

    by_hsa_id: dict[str, list[dict[str, Any]]]
    by_person: dict[PersonKey, dict[str, Any]]

    @classmethod
    def of(cls, people: list[dict[str, Any]]) -> "Directory":
        """Indexes the data file's list. KeyError or TypeError if it is not as described in docs/wire/README.md."""
        by_hsa_id: dict[str, list[dict[str, Any]]] = {}
        by_person: dict[PersonKey, dict[str, Any]] = {}
        for person in people:
            key = (person["person_id"]["kind"], person["person_id"]["value"])
            posts = [{"person_id": person["person_id"], **post} for post in person.get("posts", [])]
            by_person[key] = {"posts": posts, "register": person.get("register")}
            for post in posts:
                by_hsa_id.setdefault(post["hsa_id"].casefold(), []).append(post)
        return cls(by_hsa_id, by_person)

    def posts(self, query: dict[str, Any]) -> list[dict[str, Any]]:
        """Returns the assignments with an HSA-id or of a person. Raises BadQuery unless the query has exactly one of the two."""
        if set(query) == {"hsa_id"} and isinstance(query["hsa_id"], str):
            return self.by_hsa_id.get(query["hsa_id"].casefold(), [])
        if set(query) == {"person_id"}:
            return cast(list[dict[str, Any]], self.by_person.get(_person_key(query), {"posts": []})["posts"])
        raise BadQuery("ask for hsa_id or for person_id")

    def person(self, query: dict[str, Any]) -> dict[str, Any] | None:
        """Returns the person's record in the register, or None. Like the register, never returns a protected person's address."""
        if set(query) != {"person_id"}:
            raise BadQuery("ask for person_id")
        register = self.by_person.get(_person_key(query), {}).get("register")
        if register is None:
            return None
        if register.get("protected_person_indicator") or register.get("protected_population_record"):
            return {**register, "registered_address": None}
        return dict(register)

    def persons(self, query: dict[str, Any]) -> list[dict[str, Any]]:
        """Returns the records of the persons that the register has, each once, without addresses."""
        asked = query.get("person_ids")
        if set(query) != {"person_ids"} or not isinstance(asked, list) or not 1 <= len(asked) <= PERSONS_AT_ONCE:
            raise BadQuery(f"ask for 1 to {PERSONS_AT_ONCE} person_ids")
        found = {_person_key({"person_id": each}): each for each in asked}
        records = [(each, self.by_person.get(key, {}).get("register")) for key, each in found.items()]
        return [
            {"person_id": each, **{name: value for name, value in record.items() if name != "registered_address"}}
            for each, record in records
            if record is not None
        ]


def _person_key(query: dict[str, Any]) -> PersonKey:
    person_id = query["person_id"]
    if not isinstance(person_id, dict) or set(person_id) != {"kind", "value"}:
        raise BadQuery("person_id has kind and value")
    kind, value = person_id["kind"], person_id["value"]
    if not isinstance(kind, str) or not isinstance(value, str) or kind not in KINDS:
        raise BadQuery("unknown kind of person_id")
    return kind, value


@dataclass(frozen=True)
class Organisations:
    """The organisations of the data file, by HSA-id, which compares case-insensitively."""

    by_hsa_id: dict[str, dict[str, Any]]

    @classmethod
    def of(cls, organisations: list[dict[str, Any]]) -> "Organisations":
        """Indexes the data file's list. KeyError or TypeError if it is not as described in docs/wire/README.md."""
        return cls({entry["hsa_id"].casefold(): entry for entry in organisations})

    def with_ids(self, query: dict[str, Any]) -> list[dict[str, Any]]:
        """Returns the known organisations of the query, in its order. Raises BadQuery if the query is malformed."""
        hsa_ids = query.get("hsa_ids")
        if set(query) != {"hsa_ids"} or not isinstance(hsa_ids, list) or not 1 <= len(hsa_ids) <= ORGANISATIONS_AT_ONCE:
            raise BadQuery(f"ask for 1 to {ORGANISATIONS_AT_ONCE} hsa_ids")
        if not all(isinstance(each, str) for each in hsa_ids):
            raise BadQuery("hsa_ids are text")
        keys = dict.fromkeys(each.casefold() for each in hsa_ids)
        return [self.by_hsa_id[key] for key in keys if key in self.by_hsa_id]


class Source[T]:
    """The result of `read` for a data file, read again when the file's time or size changes."""

    def __init__(self, path: Path, read: Callable[[Any], T]) -> None:
        self.path = path
        self._read = read
        self._lock = threading.Lock()
        self._stamp: tuple[int, int, int] | None = None
        self._content: T | None = None

    def current(self) -> T:
        """Returns the newest data. Raises Down while a file `down` is next to the data, or if the data cannot be read."""
        if (self.path.parent / "down").exists():
            raise Down
        with self._lock:
            try:
                status = self.path.stat()
                stamp = (status.st_ino, status.st_mtime_ns, status.st_size)
                if stamp != self._stamp or self._content is None:
                    self._content = self._read(json.loads(self.path.read_text(encoding="utf-8")))
                    self._stamp = stamp
            except (OSError, ValueError, KeyError, TypeError, AttributeError):
                raise Down from None
            return self._content


class Handler(http_server.Handler):
    """Serves the queries."""

    server_version = "directory-simulator"
    timeout = 30
    body_limit = BODY_LIMIT
    source: Source[Directory]
    organisations: Source[Organisations]

    def get(self) -> None:
        """Refuses every GET."""
        self._problem(404, "not-found")

    def refuse_body(self, status: int) -> None:
        """Sends a problem document."""
        self._problem(status, "bad-length")

    def post(self, body: bytes) -> None:
        """Serves the queries."""
        if self.path not in _QUERIES:
            self._problem(404, "not-found")
            return
        try:
            query = json.loads(body)
            if not isinstance(query, dict):
                raise BadQuery("the body is a JSON object")
            if self.path == ORGANISATIONS:
                self._answer(200, {"organisations": self.organisations.current().with_ids(query)})
            elif self.path == POSTS:
                self._answer(200, {"posts": self.source.current().posts(query)})
            elif self.path == MANY_PERSONS:
                self._answer(200, {"persons": self.source.current().persons(query)})
            elif (record := self.source.current().person(query)) is not None:
                self._answer(200, record)
            else:
                self._problem(404, "person-unknown")
        except Down:
            self._problem(503, "unavailable")
        except BadQuery as error:
            self._problem(400, "bad-query", str(error))
        except ValueError:
            self._problem(400, "bad-json")

    def known_path(self, path: str) -> str:
        """Returns the path of a query."""
        return path if path in _QUERIES else "-"

    def _problem(self, status: int, code: str, detail: str = "") -> None:
        problem = {"type": f"urn:directory-simulator:{code}", "title": code, "status": status, "code": code}
        self._answer(status, problem | ({"detail": detail} if detail else {}), "application/problem+json")

    def _answer(self, status: int, body: dict[str, Any], media_type: str = "application/json") -> None:
        self.send(status, json.dumps(body, ensure_ascii=False).encode(), media_type)


class Server(http_server.Server):
    """The simulator's server; `port` 0 takes a free one."""

    def __init__(self, host: str, port: int, data: Path) -> None:
        super().__init__(host, port, Handler)
        self.share(
            source=Source(data, Directory.of),
            organisations=Source(data.with_name("organisations.json"), Organisations.of),
        )
