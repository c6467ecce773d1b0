"""Finds the CA that a CertID refers to: by hash algorithm, issuerNameHash and issuerKeyHash together (rules/pki 5.4)."""

import json
import time
from pathlib import Path
from typing import Final, NamedTuple

from pki.ocspd.reading import StoreMissing

FILE: Final = "authorities.json"
ECHO: Final = "echo"
"""The nonce policy under which a response repeats the request's nonce (RFC 9654)."""
_LOOK_EACH: Final = 0.5  # seconds


class Authority(NamedTuple):
    """A CA in the store. `signs`: it has a responder, so missing responses will be signed. `echo`: responses repeat the nonce."""

    id: int
    signs: bool
    echo: bool = False


class Routes:
    """The publisher's list of CAs, reloaded when it changes."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        self._stamp = (0, 0)
        self._looked_at = 0.0
        self._routes: dict[tuple[str, bytes, bytes], Authority] | None = None
        self.generation = 0
        """Number of the list that was loaded last. Results derived from an earlier list are invalid."""

    def find(self, hash_name: str, name_hash: bytes, key_hash: bytes) -> Authority | None:
        """Returns the CA, or None if the list lacks it. Raises StoreMissing before there is a list: any CA may be ours."""
        self.look()
        if self._routes is None:
            raise StoreMissing("no list of CAs")
        return self._routes.get((hash_name, name_hash, key_hash))

    def look(self) -> int:
        """Reloads the list if it is time to. Returns its generation."""
        now = time.monotonic()
        if now - self._looked_at > _LOOK_EACH:
            self._looked_at = now
            self._look()
        return self.generation

    def _look(self) -> None:
        try:
            status = self._path.stat()
            stamp = (status.st_mtime_ns, status.st_ino)
            if stamp == self._stamp:
                return
            listed = json.loads(self._path.read_bytes())
        except (OSError, ValueError):
            return
        self._stamp = stamp
        self.generation += 1
        self._routes = {
            (name, bytes.fromhex(ca[f"name_{name}"]), bytes.fromhex(ca[f"key_{name}"])): Authority(
                ca["id"], ca["signs"], ca.get("nonce") == ECHO
            )
            for ca in listed
            for name in ("sha1", "sha256")
        }
