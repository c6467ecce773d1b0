"""Standard Webhooks with Ed25519 (`v1a`), as a supplier implements it from the published description."""

import base64
import time
from collections.abc import Mapping
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

TOLERANCE = 300


class NotSigned(Exception):
    """The message is not signed by a known key, or not now."""


def headers(key: Ed25519PrivateKey, message_id: str, body: bytes, *, at: float | None = None) -> dict[str, str]:
    """Returns the headers of a message that is sent at `at`, by default now."""
    moment = str(int(time.time() if at is None else at))
    signature = key.sign(f"{message_id}.{moment}.".encode() + body)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": moment,
        "webhook-signature": "v1a," + base64.b64encode(signature).decode(),
    }


def check(keys: list[Ed25519PublicKey], received: Mapping[str, str], body: bytes) -> str:
    """Returns the id of a message that one of `keys` signed within TOLERANCE seconds of now. Raises NotSigned."""
    found = {name.lower(): value for name, value in received.items()}
    message_id, moment = found.get("webhook-id", ""), found.get("webhook-timestamp", "")
    if not moment.isascii() or not moment.isdigit() or abs(time.time() - int(moment)) > TOLERANCE:
        raise NotSigned
    content = f"{message_id}.{moment}.".encode() + body
    for part in found.get("webhook-signature", "").split():
        version, _, text = part.partition(",")
        if version != "v1a":
            continue
        for key in keys:
            try:
                key.verify(base64.b64decode(text), content)
            except (InvalidSignature, ValueError):
                continue
            return message_id
    raise NotSigned


def private_key(path: Path) -> Ed25519PrivateKey:
    """Returns the first key of a file with `whsk_` keys."""
    line = path.read_text().split()[0]
    return Ed25519PrivateKey.from_private_bytes(base64.b64decode(line.removeprefix("whsk_")))


def public_keys(path: Path) -> list[Ed25519PublicKey]:
    """Returns the keys of a file with one `whpk_` key a line."""
    lines = path.read_text().split()
    return [Ed25519PublicKey.from_public_bytes(base64.b64decode(line.removeprefix("whpk_"))) for line in lines]
