"""The ports of `authn`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from authn.domain.principal import Credential, Subject

__all__ = [
    "Advice",
    "CardCertificates",
    "CardHolder",
    "CertificateStatusChecker",
    "Credential",
    "Subject",
    "SubjectDirectory",
    "SubjectUnknown",
]


class CertificateStatusChecker(Protocol):
    """Checks the status of a machine client's certificate at its issuer."""

    def refusal(self, der: bytes) -> str:
        """Returns why the certificate is refused: `revoked`, or `no-function` if our own CA issued it for another purpose.

        Returns "" if the certificate is good, and also if this installation does not know its issuer.
        """
        ...


@dataclass(frozen=True)
class Advice:
    """The text for a person who may not use the portal: a heading, and what to do."""

    heading: str
    message: str


class SubjectUnknown(Exception):
    """Raised if the person who logged in may not use the portal.

    `reason` is a code for the audit event and is never shown. `advice` is shown to the person; it is None if the claims of the
    log-in contradict each other, and then no reason may be shown.
    """

    def __init__(self, reason: str, advice: Advice | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.advice = advice


class SubjectDirectory(Protocol):
    """Finds the person of a log-in and checks that this person may use the portal."""

    def find(self, hsa_id: str, person_id: str, credential: Credential) -> Subject:
        """Returns the subject with this HSA-id and personal number (twelve digits). Raises SubjectUnknown."""
        ...

    def card(self, serial: str) -> Subject:
        """Returns the subject of a log-in with the card's transport certificate. Raises SubjectUnknown."""
        ...

    def no_post(self) -> Advice:
        """Returns the advice for a person if the portal knows none of the person's HSA-ids."""
        ...

    def choices(self, hsa_ids: Sequence[str], person_id: str) -> list[Subject]:
        """Returns one subject for each HSA-id that belongs to the person with this number, with the unit's name."""
        ...


@dataclass(frozen=True)
class CardHolder:
    """Whom a card's certificate names: the chosen HSA-id, or "" and those of the card, and the number of twelve digits.

    `credential` has the level and the card's serial number. At the level CARD all the rest is empty.
    """

    hsa_id: str
    hsa_ids: tuple[str, ...]
    person_id: str
    credential: Credential


class CardCertificates(Protocol):
    """Tells which card certificates may log in, and whom they identify.

    Reads the tables at each call, so a revocation takes effect at once.
    """

    def reference(self, der: bytes) -> str:
        """Returns the reference of a certificate that may log in now.

        Raises SubjectUnknown with a reason that begins with `certificate-`: it is unknown, revoked, on hold, out of time, made
        for another purpose, or its card or eID is not active. The site decides which levels it takes.
        """
        ...

    def holder(self, reference: str) -> CardHolder:
        """Returns the holder of the certificate, which is checked again. Raises SubjectUnknown as `reference` does."""
        ...
