"""The Peppol access point, through which issued documents reach the buyers."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol
from uuid import UUID


@dataclass(frozen=True)
class OutgoingDocument:
    """An issued document as it is sent: the stored bytes with the addresses that they state.

    `message_id` identifies the document at the access point and never changes. `sha256` is the digest of `content` in hex.
    """

    message_id: UUID
    number: str
    document_type: str  # BT-3: 380 or 381
    sender: tuple[str, str]  # BT-34 with its scheme
    receiver: tuple[str, str]  # BT-49 with its scheme
    sha256: str
    content: bytes

    def head(self) -> dict[str, Any]:
        """Returns what both wire formats state of the document besides its bytes."""
        return {
            "number": self.number,
            "document_type": self.document_type,
            "sender": {"scheme": self.sender[0], "id": self.sender[1]},
            "receiver": {"scheme": self.receiver[0], "id": self.receiver[1]},
            "sha256": self.sha256,
        }


class Status(StrEnum):
    """What the access point says of a document. Only the last two are verdicts of the receiver, and final."""

    UNKNOWN = "unknown"  # the access point has no such document
    ACCEPTED = "accepted"  # it has the document, and the receiver has not answered
    DELIVERED = "delivered"
    REJECTED = "rejected"


@dataclass(frozen=True)
class Report:
    """The access point's answer. `reason` is its text, at most 500 characters."""

    status: Status
    reason: str = ""


class AccessPoint(Protocol):
    """A Peppol access point. Calls may be repeated: a document that the access point already has is not sent twice."""

    def submit(self, document: OutgoingDocument) -> Report:
        """Hands over a document and returns the access point's report.

        Raises Unavailable if no answer came, so that nobody knows whether the access point has the document, and Refused, with
        its reason, if it does not take the document.
        """
        ...

    def status(self, document: OutgoingDocument) -> Report:
        """Returns what the access point knows of a document that it was handed. Raises Unavailable.

        A report on other bytes than these counts as UNKNOWN.
        """
        ...
