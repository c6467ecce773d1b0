"""What `authn` needs from outside itself."""

from collections.abc import Sequence
from typing import Protocol

from authn.domain.principal import Subject

__all__ = ["CertificateStatusChecker", "Subject", "SubjectDirectory", "SubjectUnknown"]


class CertificateStatusChecker(Protocol):
    """Knows what the issuer says of a certificate that a machine shows."""

    def refusal(self, der: bytes) -> str:
        """Why it proves no machine: `revoked`, or `no-function` for one of our own CAs' that was made for something else.

        Empty if nothing speaks against it, and for an issuer that this installation does not know.
        """
        ...


class SubjectUnknown(Exception):
    """The log-in means nobody who may use the portal; `reason` is a code for the audit event, never shown."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class SubjectDirectory(Protocol):
    """Knows which person a log-in means, and that the person may use the portal at all."""

    def find(self, hsa_id: str, person_id: str) -> Subject:
        """The subject of the chosen HSA-id and the person's number (twelve digits). Raises SubjectUnknown."""
        ...

    def choices(self, hsa_ids: Sequence[str], person_id: str) -> list[Subject]:
        """Those of the HSA-ids that belong to the person with the number, with the names of their units."""
        ...
