"""Proofs of a card in a reader: the message that its card key signs, and its verification (contract: eID app transactions)."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_der_public_key

from siths_portal.lib.canonical import canonical_json

MAX_MESSAGE = 2048
_MEMBERS = frozenset({"card_serial", "ephemeral_key", "handle", "kind", "origin"})


class MalformedProof(Exception):
    """The message is not one that a card key signs. The text says why and does not quote the message."""


class ProofKind(StrEnum):
    """What the proven card is used for. ACTIVATE and UNLOCK open the card's PUK, UNLOCK only at a visit (`UnlockVisits`).

    FETCH puts the certificates of an ordered eID on a card in use.
    """

    ACTIVATE = "activate"
    SIGN = "sign"
    UNLOCK = "unlock"
    FETCH = "fetch"


@dataclass(frozen=True)
class Claims:
    """The content of a signed message. `handle` is the transaction's secret in plain text: its holder may act as the app."""

    card_serial: str = field(repr=False)
    ephemeral_key: Mapping[str, str] = field(repr=False)
    handle: str = field(repr=False)
    kind: str
    origin: str

    def message(self) -> bytes:
        """Returns the bytes that the card key signs: the canonical JSON of the five members."""
        return canonical_json({name: getattr(self, name) for name in _MEMBERS} | {"ephemeral_key": dict(self.ephemeral_key)})


@dataclass(frozen=True)
class CardProof:
    """A message and the card key's signature over it (ECDSA-Sig-Value, SHA-256)."""

    message: bytes = field(repr=False)
    signature: bytes = field(repr=False)

    def claims(self) -> Claims:
        """Returns the content of the message. Raises MalformedProof unless it is canonical and has the five members only."""
        if len(self.message) > MAX_MESSAGE:
            raise MalformedProof("too long")
        try:
            content = json.loads(self.message)
        except (ValueError, RecursionError):
            raise MalformedProof("not JSON") from None
        if not isinstance(content, dict) or set(content) != _MEMBERS:
            raise MalformedProof("members")
        if not _strings(content["ephemeral_key"]) or not _strings({**content, "ephemeral_key": ""}):
            raise MalformedProof("types")
        claims = Claims(**content)
        if claims.kind not in list(ProofKind):
            raise MalformedProof("kind")
        try:
            same = claims.message() == self.message
        except ValueError:  # a lone surrogate cannot be encoded
            same = False
        if not same:
            raise MalformedProof("not canonical")
        return claims

    def is_by(self, card_key_spki: bytes) -> bool:
        """Returns True if the P-256 key in `card_key_spki` (DER) made the signature; False for another type of key."""
        try:
            key = card_key(card_key_spki)
            key.verify(self.signature, self.message, ec.ECDSA(hashes.SHA256()))
        except (InvalidSignature, UnsupportedAlgorithm, ValueError):
            return False
        return True


def card_key(spki: bytes) -> ec.EllipticCurvePublicKey:
    """Returns the card key. Raises ValueError unless it is a key on P-256."""
    key = load_der_public_key(spki)
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise ValueError("a card key is on P-256")
    return key


def _strings(members: Any) -> bool:
    return isinstance(members, dict) and all(isinstance(value, str) for value in members.values())
