"""A card supplier that takes its orders by signed calls over mutual TLS (wire format: docs/wire/supplier-push.openapi.yaml).

It keeps an order in the supplier's records before it answers, once however often it is told, and `pushed/<message id>.json` with
what it answered. Photo, certificates and reports are calls to the portal's API. A file `behaviour.json` in its folder, read at
each call, changes what happens:

- `{"down": true}`: 503
- `{"refuse": "code"}`: 422
- `{"hang_up": true}`: it takes the order and hangs up without an answer
- `{"silent": true}`: it takes the order and answers nothing until the caller gives up
- `{"fail_after_storing": true}`: it takes the order and answers 500
- `{"twice": true}`: it answers twice
- `{"forget": true}`: it answers that it has taken the order, and forgets it
- `{"lie": "unsigned" | "stranger" | "old" | "another" | "bytes" | "used"}`: it answers without signature, signed by another, ten
  minutes ago, about another delivery, about other bytes, or with the id of another answer
"""

import hashlib
import json
import re
import secrets
import ssl
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from siths_portal.lib.files.atomic import write_atomically
from siths_portal.simulators import http_server, signatures
from siths_portal.simulators.supplier import Supplier
from siths_portal.simulators.supplier_client import Unreachable
from siths_portal.simulators.supplier_records import FINAL, Job, Records

BODY_LIMIT = 1024 * 1024
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_PAGE = 100
_RECORDING_POLLS = 10
_PATHS = ("/orders", "/changes", "/changed")
_STATUS = {"made": "in_production", "personalised": "in_production", "produced": "produced", "puk-sealed": "produced"}
_STATUS |= {"printed": "in_production"}
_STATUS |= {"sent": "sent"}


@dataclass(frozen=True)
class Book:
    """What the supplier has been told: its records of orders, what it answered, and changes that it has still to follow."""

    folder: Path
    records: Records
    told: threading.Event = field(default_factory=threading.Event)
    """Set when there is something new, so that the work begins at once."""

    def take_order(self, body: dict[str, Any]) -> None:
        """Records the order, unless it is recorded. A finished one comes again if its card came back."""
        job = self.records.find(body["id"])
        if job is None:
            self.records.save(Job(body["id"]))
        elif job.step in FINAL:
            (self.folder / "again").mkdir(exist_ok=True)
            (self.folder / "again" / body["id"]).touch()
        self.told.set()

    def take_change(self, body: dict[str, Any]) -> None:
        """Keeps the change until the next round follows it."""
        path = self.folder / "changes" / f"{int(body['number']):020d}.json"
        path.parent.mkdir(exist_ok=True)
        write_atomically(path, json.dumps(body).encode())
        self.told.set()

    def changes(self) -> Iterator[dict[str, Any]]:
        """Yields each change that was told, and forgets it once it is followed."""
        for path in sorted((self.folder / "changes").glob("*.json")):
            yield json.loads(path.read_text())
            path.unlink()

    def again(self) -> list[str]:
        """Returns the ids of finished orders that came again, and forgets them."""
        paths = sorted((self.folder / "again").glob("*"))
        for path in paths:
            path.unlink()
        return [path.name for path in paths]

    def answer_of(self, message_id: str, subject: str) -> dict[str, Any]:
        """Returns what is kept of the message: the id of its answer, and how often it came. A message has one subject."""
        path = self.folder / "pushed" / f"{message_id}.json"
        path.parent.mkdir(exist_ok=True)
        kept: dict[str, Any] = {"subject": subject, "answer_id": f"answer_{secrets.token_hex(16)}", "calls": 0}
        if path.exists():
            kept = json.loads(path.read_text())
        if kept["subject"] == subject:
            kept["calls"] += 1
            write_atomically(path, json.dumps(kept).encode())
        return kept

    def changed(self, since: datetime, after: str) -> tuple[list[dict[str, str]], str | None]:
        """Returns a page of the orders that changed since `since`, and what to read on from."""
        paths = [path for path in sorted(self.records.folder.glob("*.json")) if path.stem > after]
        moments = {path: datetime.fromtimestamp(path.stat().st_mtime, UTC) for path in paths}
        wanted = [path for path in paths if moments[path] >= since]
        jobs = [(Job(**json.loads(path.read_text())), moments[path]) for path in wanted[:_PAGE]]
        page = [{"id": job.order_id, "status": _status(job), "changed_at": at.isoformat()} for job, at in jobs]
        return page, page[-1]["id"] if len(wanted) > _PAGE else None


def _status(job: Job) -> str:
    if job.step == "stopped":
        return "cancelled" if job.stopped_by == "withdrawn" else "failed"
    return _STATUS.get(job.step, "accepted")


class PushedSupplier(Supplier):
    """The supplier's work on orders that it was told of. `book` must be set."""

    book: Book

    def work(self, stop: threading.Event, interval: float) -> None:
        """Works when it is told of something, and every `interval` seconds, until `stop` is set."""
        while not stop.is_set():
            self.book.told.clear()
            self.round()
            self.book.told.wait(interval)

    def _follow_changes(self) -> None:
        for change in self.book.changes():
            self._follow(change)

    def _queued(self) -> list[str]:
        return self.book.again()

    def _accepted_order(self, job: Job) -> dict[str, Any]:
        """The answer to the order's call accepted it; the portal may still be recording that."""
        for _ in range(_RECORDING_POLLS):
            order: dict[str, Any] = self.api.get(f"orders/{job.order_id}").body
            if order["status"] != "queued":
                return order
            self.api.sleep(0.1)
        raise Unreachable("the portal has not recorded the answer")


class Handler(http_server.Handler):
    """Serves the three calls to callers with a certificate."""

    server_version = "supplier-simulator"
    body_limit = BODY_LIMIT
    book: Book
    key: Ed25519PrivateKey
    portal_keys: Path
    portal_name: str
    lock: threading.Lock

    def get(self) -> None:
        """Answers what the supplier believes of its orders."""
        parts = urlsplit(self.path)
        if (message_id := self._message(b"")) is None:
            return
        query = parse_qs(parts.query, keep_blank_values=True)
        try:
            since, after = query["since"][0], query["after"][0]
            with self.lock:
                orders, following = self.book.changed(datetime.fromisoformat(since), after)
        except (KeyError, ValueError):
            self._problem(400, "bad-query")
            return
        told = {"since": since, "after": after, "orders": orders, "next": following}
        self._answer(200, told, f"answer_{message_id}")

    def post(self, body: bytes) -> None:
        """Takes an order or a change; one that is here already is not taken twice."""
        if (message_id := self._message(body)) is None:
            return
        behaviour = self._behaviour()
        if behaviour.get("refuse"):
            self._problem(422, str(behaviour["refuse"]))
            return
        told = json.loads(body)
        is_order = urlsplit(self.path).path == "/orders"
        with self.lock:
            kept = self.book.answer_of(message_id, str(told["id"] if is_order else told["number"]))
            if kept["subject"] != str(told["id"] if is_order else told["number"]):
                self._problem(409, "message-reused")
                return
            known = is_order or told["order"] is None or self.book.records.find(told["order"]) is not None
            if not behaviour.get("forget"):
                (self.book.take_order if is_order else self.book.take_change)(told)
        if behaviour.get("hang_up"):
            self.close_connection = True
        elif behaviour.get("silent"):
            self.close_connection = True
            self.rfile.read(1)
        elif behaviour.get("fail_after_storing"):
            self._problem(500, "failed")
        else:
            outcome = "accepted" if is_order else "noted"
            answer = {"delivery": message_id, "sha256": hashlib.sha256(body).hexdigest(), "outcome": outcome, "known": known}
            self._answer(200 if kept["calls"] > 1 else 201, answer, kept["answer_id"])

    def refuse_body(self, status: int) -> None:
        """Answers a body that is too long or has no length."""
        self._problem(status, "bad-length")

    def known_path(self, path: str) -> str:
        """Returns the path if it is one of the calls."""
        return path if path in _PATHS else "-"

    def _message(self, body: bytes) -> str | None:
        """Returns the id of the portal's signed message, or None after refusing the call."""
        if self._behaviour().get("down"):
            self._problem(503, "down")
        elif not self._is_portal():
            self._problem(403, "another-caller")
        elif urlsplit(self.path).path not in _PATHS:
            self._problem(404, "not-found")
        else:
            try:
                message_id = signatures.check(self._portal_keys(), dict(self.headers.items()), body)
            except signatures.NotSigned:
                self._problem(401, "not-signed")
                return None
            if _UUID.fullmatch(message_id) and self.headers.get("Idempotency-Key", message_id) == message_id:
                return message_id
            self._problem(400, "bad-message-id")
        return None

    def _portal_keys(self) -> list[Ed25519PublicKey]:
        return signatures.public_keys(self.portal_keys)

    def _is_portal(self) -> bool:
        """Returns whether the verified client certificate is the portal's, by its common name."""
        certificate: Any = self.connection.getpeercert()
        names = {name: value for part in certificate.get("subject", ()) for name, value in part}
        return bool(names.get("commonName") == self.portal_name)

    def _behaviour(self) -> dict[str, Any]:
        try:
            read: Any = json.loads((self.book.folder / "behaviour.json").read_text())
        except (OSError, ValueError):
            return {}
        return read if isinstance(read, dict) else {}

    def _problem(self, status: int, code: str) -> None:
        self.send(status, json.dumps({"code": code}).encode(), "application/problem+json")

    def _answer(self, status: int, told: dict[str, Any], answer_id: str) -> None:
        lie = self._behaviour().get("lie")
        if lie == "another":
            told = told | {"delivery": "00000000-0000-0000-0000-000000000000", "since": "1970-01-01T00:00:00+00:00"}
        if lie == "bytes":
            told = told | {"sha256": "0" * 64}
        body = json.dumps(told).encode()
        key = Ed25519PrivateKey.generate() if lie == "stranger" else self.key
        at = time.time() - 600 if lie == "old" else None
        signed = signatures.headers(key, "answer_used" if lie == "used" else answer_id, body, at=at)
        for _ in range(2 if self._behaviour().get("twice") else 1):
            self.send(status, body, "application/json", {} if lie == "unsigned" else signed)


class Server(http_server.Server):
    """The simulator's server; `port` 0 takes a free one. `folder` has `server.pem`, `server.key`, `ca.pem`, `signing.keys` and
    `portal.keys`, the portal's public keys. `portal_name` is the common name of the portal's client certificate.
    """

    def __init__(self, host: str, port: int, book: Book, *, portal_name: str) -> None:
        super().__init__(host, port, Handler)
        folder = book.folder
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "server.pem", folder / "server.key")
        context.load_verify_locations(folder / "ca.pem")
        context.verify_mode = ssl.CERT_REQUIRED
        self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        self.share(
            book=book,
            key=signatures.private_key(folder / "signing.keys"),
            portal_keys=folder / "portal.keys",
            portal_name=portal_name,
            lock=threading.Lock(),
        )

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignores callers without a certificate and those that hang up."""
