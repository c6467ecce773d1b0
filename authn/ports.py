"""What `authn` needs from outside itself."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from authn.domain.principal import Subject

__all__ = ["Advice", "CertificateStatusChecker", "Subject", "SubjectDirectory", "SubjectUnknown"]


class CertificateStatusChecker(Protocol):
    """Knows what the issuer says of a certificate that a machine shows."""

    def refusal(self, der: bytes) -> str:
        """Why it proves no machine: `revoked`, or `no-function` for one of our own CAs' that was made for something else.

        Empty if nothing speaks against it, and for an issuer that this installation does not know.
        """
        ...


@dataclass(frozen=True)
class Advice:
    """What a person who cannot use the portal may read of it: a heading, and what to do."""

    heading: str
    message: str


class SubjectUnknown(Exception):
    """The person who logged in may not use the portal.

    `reason` is a code for the audit event, never shown. `advice` is for the person who logged in; None if the facts of the log-in
    do not agree, which is nobody's to read.
    """

    def __init__(self, reason: str, advice: Advice | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.advice = advice


class SubjectDirectory(Protocol):
    """Knows which person a log-in means, and that the person may use the portal at all."""

    def find(self, hsa_id: str, person_id: str) -> Subject:
        """The subject of the chosen HSA-id and the person's number (twelve digits). Raises SubjectUnknown."""
        ...

    def no_post(self) -> Advice:
        """What to tell a person none of whose HSA-ids is known."""
        ...

    def choices(self, hsa_ids: Sequence[str], person_id: str) -> list[Subject]:
        """Those of the HSA-ids that belong to the person with the number, with the names of their units."""
        ...
