"""The port to the keys of the audit chain: a MAC key and a signing key, both in the token that few processes can open."""

from typing import Protocol


class KeysUnavailable(Exception):
    """The keys cannot be used now: this process has no PIN, or the token does not respond. The caller may try again later."""


class KeyUnknown(Exception):
    """No key of the audit chain has this id."""


class AuditKeys(Protocol):
    """The keys of the audit chain. A used key is kept after it is replaced, so that its MACs and signatures can be verified."""

    def usable(self) -> bool:
        """Returns whether this process may open the token. Does not open it."""

    def mac_key(self) -> str:
        """Returns the id of the key for new MACs, and makes the key if it is missing. Raises KeysUnavailable."""

    def derive(self, key_id: str, label: bytes) -> bytes:
        """Returns the HMAC-SHA-256 of `label` with the key in the token, 32 octets. Raises KeysUnavailable, KeyUnknown."""

    def sign(self, statement: bytes) -> tuple[str, bytes]:
        """Signs `statement` and returns the key's id and the signature. Raises KeysUnavailable."""

    def verifies(self, key_id: str, statement: bytes, signature: bytes) -> bool:
        """Returns whether the key with this id signed the statement. Needs no token. Raises KeyUnknown."""

    def public_key(self, key_id: str) -> bytes:
        """Returns the public key of the signing key as PEM. Raises KeyUnknown."""
