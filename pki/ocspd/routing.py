"""Which CA a CertID speaks of: by the hash's name, issuerNameHash and issuerKeyHash together (rules/pki 5.4)."""

import json
import time
from pathlib import Path
from typing import Final, NamedTuple

from pki.ocspd.reading import StoreMissing

FILE: Final = "authorities.json"
ECHO: Final = "echo"
"""The nonce policy by which an answer carries the request's nonce (RFC 9654)."""
_LOOK_EACH: Final = 0.5  # seconds


class Authority(NamedTuple):
    """A CA that is answered for. `signs`: it has a responder, so what is missing will be signed. `echo`: nonces are echoed."""

    id: int
    signs: bool
    echo: bool = False


class Routes:
    """The publisher's list of CAs, read again when it changes."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        self._stamp = (0, 0)
        self._looked_at = 0.0
        self._routes: dict[tuple[str, bytes, bytes], Authority] | None = None
        self.generation = 0
        """Which list it is that was read last: what was concluded from another is void."""

    def find(self, hash_name: str, name_hash: bytes, key_hash: bytes) -> Authority | None:
        """The CA, or None for a stranger's. Raises StoreMissing before there is a list: nobody is known to be a stranger then."""
        self.look()
        if self._routes is None:
            raise StoreMissing("no list of CAs")
        return self._routes.get((hash_name, name_hash, key_hash))

    def look(self) -> int:
        """Reads the list again if it is time to; its generation."""
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
