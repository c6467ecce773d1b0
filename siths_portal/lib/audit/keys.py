"""The port to the keys of the audit chain: a MAC key and a signing key, both in a token that few processes can open."""

from typing import Protocol


class KeysUnavailable(Exception):
    """The keys cannot be used now: this process has no PIN, or the token does not answer. Later is worth a try."""


class KeyUnknown(Exception):
    """No key of ours has this id."""


class AuditKeys(Protocol):
    """Keys change with the years; a key that was used once stays, so that what it made can be verified for as long."""

    def usable(self) -> bool:
        """Whether this process may open the token at all. Opens nothing."""

    def mac_key(self) -> str:
        """The id of the key for new MACs, which is made if it is not there. Raises KeysUnavailable."""

    def derive(self, key_id: str, label: bytes) -> bytes:
        """HMAC-SHA-256 of `label` by the key in the token: 32 octets. Raises KeysUnavailable, KeyUnknown."""

    def sign(self, statement: bytes) -> tuple[str, bytes]:
        """The signing key's id and its signature, which `verifies` accepts. Raises KeysUnavailable."""

    def verifies(self, key_id: str, statement: bytes, signature: bytes) -> bool:
        """Whether the key with this id signed the statement. Needs no token. Raises KeyUnknown."""

    def public_key(self, key_id: str) -> bytes:
        """The signing key's public half, PEM, for people who verify without us. Raises KeyUnknown."""
