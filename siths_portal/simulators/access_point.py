"""A Peppol access point and the receivers behind it, as JSON over HTTP (wire format: docs/wire/README.md).

It keeps the documents in a folder: `<message id>.xml`, and `<message id>.json` with the addresses and how often it was put. The
receiver answers after `delay` seconds. A file `behaviour.json` beside them, read at each call, changes what happens:

- `{"down": true}`: 503
- `{"refuse": "text"}`: 422
- `{"reject": "text"}`: the receiver rejects documents
- `{"lose": true}`: it accepts documents and forgets them
- `{"fail_after_storing": true}`: it stores documents and answers 500
- `{"other_digest": true}`: it answers about other bytes
"""

import base64
import hashlib
import json
import re
import threading
import time
from pathlib import Path
from typing import Any

from siths_portal.lib.files.atomic import write_atomically
from siths_portal.simulators import http_server

BODY_LIMIT = 64 * 1024 * 1024
PATH = "/outbound/v1/documents/"
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Handler(http_server.Handler):
    """Serves the two calls."""

    server_version = "access-point-simulator"
    body_limit = BODY_LIMIT
    folder: Path
    delay: float
    lock: threading.Lock

    def get(self) -> None:
        """Answers what became of a document."""
        behaviour, path = self._behaviour(), self._file()
        if behaviour.get("down"):
            self._answer(503, {"code": "down"})
        elif path is None or not path.exists():
            self._answer(404, {"code": "unknown"})
        else:
            self._status(200, json.loads(path.read_text()), behaviour)

    def post(self, body: bytes) -> None:
        """Refuses every POST."""
        self._answer(404, {"code": "not-found"})

    def put(self, body: bytes) -> None:
        """Takes a document; one that is here already is not taken twice."""
        behaviour, path = self._behaviour(), self._file()
        if path is None:
            self._answer(404, {"code": "not-found"})
        elif behaviour.get("down"):
            self._answer(503, {"code": "down"})
        elif behaviour.get("refuse"):
            self._answer(422, {"code": "refused", "detail": behaviour["refuse"]})
        else:
            self._take(path, body, behaviour)

    def _take(self, path: Path, body: bytes, behaviour: dict[str, Any]) -> None:
        try:
            sent = json.loads(body)
            content = base64.b64decode(sent.pop("document"), validate=True)
            if hashlib.sha256(content).hexdigest() != sent["sha256"]:
                raise ValueError("digest")
        except (ValueError, KeyError, TypeError, AttributeError):
            self._answer(400, {"code": "bad-document"})
            return
        with self.lock:
            known = json.loads(path.read_text()) if path.exists() else None
            if known and known["sha256"] != sent["sha256"]:
                self._answer(409, {"code": "other-document"})
                return
            kept = known or {**sent, "taken_at": time.time(), "puts": 0}
            kept["puts"] += 1
            if not behaviour.get("lose"):
                write_atomically(path.with_suffix(".xml"), content)
                write_atomically(path, json.dumps(kept).encode())
        if behaviour.get("fail_after_storing"):
            self._answer(500, {"code": "failed"})
        else:
            self._status(200 if known else 202, kept, behaviour)

    def refuse_body(self, status: int) -> None:
        """Answers a body that is too long or has no length."""
        self._answer(status, {"code": "bad-length"})

    def known_path(self, path: str) -> str:
        """Returns the path without the message id."""
        return PATH + "{message_id}" if path.startswith(PATH) else "-"

    def _file(self) -> Path | None:
        name = self.path.removeprefix(PATH)
        return self.folder / f"{name}.json" if self.path.startswith(PATH) and _UUID.fullmatch(name) else None

    def _behaviour(self) -> dict[str, Any]:
        try:
            read: Any = json.loads((self.folder / "behaviour.json").read_text())
        except (OSError, ValueError):
            return {}
        return read if isinstance(read, dict) else {}

    def _status(self, code: int, kept: dict[str, Any], behaviour: dict[str, Any]) -> None:
        if time.time() < kept["taken_at"] + self.delay:
            status, reason = "accepted", ""
        elif behaviour.get("reject"):
            status, reason = "rejected", str(behaviour["reject"])
        else:
            status, reason = "delivered", ""
        digest = "0" * 64 if behaviour.get("other_digest") else kept["sha256"]
        self._answer(code, {"status": status, "sha256": digest, "reason": reason})

    def _answer(self, code: int, body: dict[str, Any]) -> None:
        media_type = "application/json" if code < 400 else "application/problem+json"
        self.send(code, json.dumps(body, ensure_ascii=False).encode(), media_type)


class Server(http_server.Server):
    """The simulator's server; `port` 0 takes a free one."""

    def __init__(self, host: str, port: int, folder: Path, *, delay: float) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        super().__init__(host, port, Handler)
        self.share(folder=folder, delay=delay, lock=threading.Lock())
