"""The two shares of the token's PIN: how they are made, written, read and put together (rules/pki 7.3).

A share alone says nothing about the PIN: one is random, and the other is the PIN's block XOR the first. The block has a check
value, so that shares that do not belong together are found before the token is asked, which locks after a few wrong PINs. The
check value is inside the block: beside a share, it would let a custodian try PINs without the token.
"""

import base64
import hashlib
import secrets
from dataclasses import dataclass, field

HALVES = ("A", "B")
LONGEST_PIN = 25
"""Bytes of a PIN that fit in a share that people can type."""

_BLOCK, _CHECK, _SET, _SUM = 32, 6, 3, 4
_LETTERS = 64  # base32 of 40 bytes, in groups of four


class ShareError(ValueError):
    """The text is no share, or two shares do not belong together. The message has no part of a share."""


@dataclass(frozen=True)
class Share:
    """A share: which half, and of which splitting. `block` is a secret, and no representation shows it."""

    half: str
    of: str
    block: bytes = field(repr=False)


def split(pin: str) -> tuple[str, str]:
    """Returns the texts of the halves A and B of a new splitting. Raises ShareError for a PIN that does not fit."""
    data = pin.encode()
    if not 0 < len(data) <= LONGEST_PIN or pin != pin.strip():
        raise ShareError(f"a PIN has 1 to {LONGEST_PIN} bytes and no space at its ends")
    body = bytes([len(data)]) + data.ljust(LONGEST_PIN, b"\0")
    block = body + _digest(b"pin", body)[:_CHECK]
    first = secrets.token_bytes(_BLOCK)
    of = secrets.token_bytes(_SET)
    return _written("A", of, first), _written("B", of, _xor(first, block))


def read(text: str) -> Share:
    """Reads a share as people write it: small or capital letters, with spaces or hyphens. Raises ShareError."""
    letters = "".join(text.split()).replace("-", "").upper()
    try:
        data = base64.b32decode(letters) if len(letters) == _LETTERS else b""
    except ValueError:  # also for what is not ASCII
        data = b""
    kept, found = data[:-_SUM], data[-_SUM:]
    half = chr(data[0]) if data else ""
    if half not in HALVES or _digest(b"share", kept)[:_SUM] != found:
        raise ShareError("this is no share, or a letter of it is wrong")
    return Share(half, kept[1 : 1 + _SET].hex(), kept[1 + _SET :])


def combined(one: Share, other: Share) -> str:
    """Returns the PIN. Raises ShareError if the shares are not the two halves of one splitting."""
    if {one.half, other.half} != set(HALVES) or one.of != other.of:
        raise ShareError("the shares are not the two halves of one PIN")
    block = _xor(one.block, other.block)
    body, check = block[:-_CHECK], block[-_CHECK:]
    if _digest(b"pin", body)[:_CHECK] != check or not 0 < body[0] <= LONGEST_PIN:
        raise ShareError("the shares do not give a PIN")
    return body[1 : 1 + body[0]].decode()


def _written(half: str, of: bytes, block: bytes) -> str:
    kept = half.encode() + of + block
    letters = base64.b32encode(kept + _digest(b"share", kept)[:_SUM]).decode()
    return " ".join(letters[place : place + 4] for place in range(0, _LETTERS, 4))


def _digest(purpose: bytes, data: bytes) -> bytes:
    return hashlib.sha256(b"siths pin " + purpose + b"\0" + data).digest()


def _xor(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=True))
