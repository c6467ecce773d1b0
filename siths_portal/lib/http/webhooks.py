"""Signed messages between systems, as Standard Webhooks describes them, with Ed25519 signatures (`v1a`).

The signature covers `<id>.<timestamp>.<body>` and stands in the header `webhook-signature`, one for each key of the sender. So a
receiver that knows either of two keys accepts the message while a sender changes its key. A receiver verifies the bytes as they
arrived, before it parses them, and takes each id once.
"""

import base64
import binascii
import datetime as dt
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from siths_portal.lib.errors import DomainError

TOLERANCE = dt.timedelta(minutes=5)
"""How far the time of a message may be from the receiver's, before or after."""

MOST_KEYS = 2
_SECRET, _PUBLIC, _VERSION = "whsk_", "whpk_", "v1a"
_KEY_BYTES, _SIGNATURE_BYTES = 32, 64
_MOST_SIGNATURES = 10
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_TIMESTAMP = re.compile(r"[0-9]{1,11}")


class BadSignature(DomainError):
    """The message is not proved to be the sender's. `code` is `webhook-malformed`, `webhook-time` or `webhook-signature`."""


@dataclass(frozen=True)
class Verified:
    """A message whose signature is verified. `body` are the bytes that the signature covers."""

    message_id: str
    sent_at: dt.datetime
    body: bytes


def signed_headers(keys: Sequence[Ed25519PrivateKey], *, message_id: str, sent_at: dt.datetime, body: bytes) -> dict[str, str]:
    """Returns the headers that go with `body`. `message_id` is the same at each try, `sent_at` is the time of this one.

    Raises ValueError without keys, with more than MOST_KEYS, or if `message_id` is not 1-64 letters, digits, `_` and `-`.
    """
    if not 1 <= len(keys) <= MOST_KEYS or not _ID.fullmatch(message_id):
        raise ValueError("a message has one or two keys, and an id of at most 64 letters, digits, _ and -")
    timestamp = str(int(sent_at.timestamp()))
    content = _content(message_id, timestamp, body)
    signatures = (f"{_VERSION},{base64.b64encode(key.sign(content)).decode()}" for key in keys)
    return {"webhook-id": message_id, "webhook-timestamp": timestamp, "webhook-signature": " ".join(signatures)}


def verify(keys: Sequence[Ed25519PublicKey], *, headers: Mapping[str, str], body: bytes, now: dt.datetime) -> Verified:
    """Returns the message if one of its signatures is by one of `keys` and its time is within TOLERANCE of `now`.

    `headers` find names in lower case. `body` are the raw bytes. The caller takes each `message_id` once. Raises BadSignature.
    Ed25519 compares no secret, so the time that it takes tells nothing of a key.
    """
    message_id, timestamp = headers.get("webhook-id") or "", headers.get("webhook-timestamp") or ""
    if not _ID.fullmatch(message_id) or not _TIMESTAMP.fullmatch(timestamp):
        raise _bad("webhook-malformed")
    sent_at = dt.datetime.fromtimestamp(int(timestamp), dt.UTC)
    if abs(now - sent_at) > TOLERANCE:
        raise _bad("webhook-time")
    content = _content(message_id, timestamp, body)
    for signature in _signatures(headers.get("webhook-signature") or ""):
        if any(_is_by(key, signature, content) for key in keys):
            return Verified(message_id, sent_at, body)
    raise _bad("webhook-signature")


def read_private_keys(path: Path) -> list[Ed25519PrivateKey]:
    """Returns the keys of a file with one `whsk_` key a line, the newest first. Raises OSError, ValueError if malformed."""
    lines = [line.strip() for line in path.read_text(encoding="ascii").splitlines() if line.strip()]
    if not 1 <= len(lines) <= MOST_KEYS:
        raise ValueError("a file of signing keys has one or two keys")
    return [Ed25519PrivateKey.from_private_bytes(_decoded(line, _SECRET)) for line in lines]


def private_key_text(key: Ed25519PrivateKey) -> str:
    """Returns the key as `whsk_` and base64 of its 32 bytes."""
    return _SECRET + base64.b64encode(key.private_bytes_raw()).decode()


def public_key_text(key: Ed25519PublicKey) -> str:
    """Returns the key as `whpk_` and base64 of its 32 bytes."""
    return _PUBLIC + base64.b64encode(key.public_bytes_raw()).decode()


def read_public_key(text: str) -> Ed25519PublicKey:
    """Returns the key of a text of `public_key_text`. Raises ValueError if it is malformed."""
    return Ed25519PublicKey.from_public_bytes(_decoded(text, _PUBLIC))


def _content(message_id: str, timestamp: str, body: bytes) -> bytes:
    return b".".join([message_id.encode(), timestamp.encode(), body])


def _signatures(header: str) -> list[bytes]:
    """Returns the well-formed Ed25519 signatures of the header. Ignores other versions, which the sender may add for others."""
    found = []
    for part in header.split(" ")[:_MOST_SIGNATURES]:
        version, _, text = part.partition(",")
        try:
            signature = base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            continue
        if version == _VERSION and len(signature) == _SIGNATURE_BYTES:
            found.append(signature)
    return found


def _is_by(key: Ed25519PublicKey, signature: bytes, content: bytes) -> bool:
    try:
        key.verify(signature, content)
    except InvalidSignature:
        return False
    return True


def _decoded(text: str, prefix: str) -> bytes:
    if not text.startswith(prefix):
        raise ValueError(f"a key begins with {prefix}")
    decoded = base64.b64decode(text.removeprefix(prefix), validate=True)
    if len(decoded) != _KEY_BYTES:
        raise ValueError(f"a key has {_KEY_BYTES} bytes")
    return decoded


def _bad(code: str) -> BadSignature:
    return BadSignature(code, "Meddelandets signatur stämmer inte.")
