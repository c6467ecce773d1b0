"""A file of keys that are never certified: known compromised keys, and those of Debian's broken generator (B1.12).

A line is either the SHA-256 of a SubjectPublicKeyInfo (64 hex digits), or an entry of the packages openssl-blacklist and
openssl-blacklist-extra: the last 20 hex digits of the SHA-1 of `Modulus=<upper-case hex>` and a line feed (CVE-2008-0166). Lines
that are empty or begin with # are ignored.
"""

import hashlib
import re
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

from pki.domain import keys

_HEX = re.compile(rb"[0-9A-Fa-f]+")
_SPKI, _MODULUS = 32, 10


class WeakKeyFileError(ValueError):
    """The file is not a list of weak keys; the text gives the line."""


class _Packed(Sequence[bytes]):
    """Sorted values of one length, without an object for each, so that lists of millions use little memory."""

    def __init__(self, values: Iterable[bytes], length: int) -> None:
        self._length = length
        self._content = b"".join(sorted(set(values)))

    def __len__(self) -> int:
        return len(self._content) // self._length

    def __getitem__(self, position: int) -> bytes:  # type: ignore[override]  # no slices
        return self._content[position * self._length : (position + 1) * self._length]

    def __contains__(self, value: object) -> bool:
        if not isinstance(value, bytes):
            return False
        position = bisect_left(self, value)
        return position < len(self) and self[position] == value


@dataclass(frozen=True)
class WeakKeys:
    """The parsed list."""

    spki: Sequence[bytes] = field(default=(), repr=False)
    modulus: Sequence[bytes] = field(default=(), repr=False)

    def holds(self, public_key: PublicKeyTypes) -> bool:
        """Whether the list has the key."""
        if self.spki and bytes.fromhex(keys.spki_sha256(public_key)) in self.spki:
            return True
        if not self.modulus or not isinstance(public_key, rsa.RSAPublicKey):
            return False
        line = f"Modulus={public_key.public_numbers().n:X}\n".encode()
        return hashlib.sha1(line, usedforsecurity=False).digest()[-_MODULUS:] in self.modulus


def parse(lines: Iterable[bytes]) -> WeakKeys:
    """Parses a file's lines. Raises WeakKeyFileError for a line of another form, and for an empty list."""
    found: dict[int, list[bytes]] = {_SPKI: [], _MODULUS: []}
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if not text or text.startswith(b"#"):
            continue
        if not _HEX.fullmatch(text) or len(text) % 2 or len(text) // 2 not in found:
            raise WeakKeyFileError(f"line {number} is neither a SHA-256 nor an entry of openssl-blacklist")
        found[len(text) // 2].append(bytes.fromhex(text.decode()))
    if not any(found.values()):
        raise WeakKeyFileError("no entries")
    return WeakKeys(_Packed(found[_SPKI], _SPKI), _Packed(found[_MODULUS], _MODULUS))
