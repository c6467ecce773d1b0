"""Reports of card suppliers and their outcome in each state of an item, and the changes that suppliers read."""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date
from enum import StrEnum
from typing import Any, ClassVar

from issuance.orders.domain.items import Fault, ItemState

_MIFARE_ID = re.compile(r"[0-9A-Za-z]{1,10}")
_REGISTERED_MAIL_ID = re.compile(r"[A-Z]{2}[0-9A-Z]{9}SE")
_REASON = re.compile(r"[a-z][a-z0-9-]{0,39}")


class EventOutcome(StrEnum):
    """The outcome of a report. `parked` waits for an earlier step; `noted` is stored but changes nothing."""

    APPLIED = "applied"
    REPEATED = "repeated"
    PARKED = "parked"
    NOTED = "noted"


@dataclass(frozen=True)
class Produced:
    """The card is produced: its MIFARE-id (1-10 characters), and its PUK as a compact JWE to the portal's key. A card without
    PUK sets `no_puk`, so that a PUK left out by mistake is an error. A letter has none of these.
    """

    kind: ClassVar[str] = "produced"
    mifare_id: str = ""
    puk_jwe: str = ""
    no_puk: bool = False

    def faults(self) -> dict[str, list[str]]:
        """Returns Swedish messages, by field, for malformed values."""
        faults = {} if _MIFARE_ID.fullmatch(self.mifare_id) else {"mifare_id": ["Ange 1-10 bokstäver eller siffror."]}
        if self.puk_jwe and self.no_puk:
            faults["no_puk"] = ["Skicka antingen puk_jwe eller no_puk."]
        elif not self.puk_jwe and not self.no_puk:
            faults["puk_jwe"] = ["Skicka kortets PUK som JWE till portalens nyckel, eller no_puk för ett kort utan PUK."]
        return faults

    def faults_of_letter(self) -> dict[str, list[str]]:
        """Returns the same for a letter."""
        given = {"mifare_id": self.mifare_id, "puk_jwe": self.puk_jwe, "no_puk": self.no_puk}
        return {name: ["Ett brev har inget sådant värde. Utelämna det."] for name, value in given.items() if value}

    def content(self) -> dict[str, Any]:
        """Returns the values that repeated reports must share. The JWE differs each time it is made."""
        return {"mifare_id": self.mifare_id}


@dataclass(frozen=True)
class Sent:
    """The card was handed to the post on `sent_on`. `registered_mail_id` (REK-id) is set only for registered mail."""

    kind: ClassVar[str] = "sent"
    sent_on: date
    registered_mail_id: str = ""

    def faults(self) -> dict[str, list[str]]:
        """Returns Swedish messages, by field, for malformed values."""
        if not self.registered_mail_id or _REGISTERED_MAIL_ID.fullmatch(self.registered_mail_id):
            return {}
        return {"registered_mail_id": ["Ange REK-id på formen LA00R351935SE."]}

    def content(self) -> dict[str, Any]:
        """Returns the values that repeated reports must share."""
        return {"sent_on": self.sent_on, "registered_mail_id": self.registered_mail_id}


@dataclass(frozen=True)
class Failed:
    """The card could not be made or was spoilt; `reason` is the supplier's code (kebab-case)."""

    kind: ClassVar[str] = "failed"
    reason: str

    def faults(self) -> dict[str, list[str]]:
        """Returns Swedish messages, by field, for malformed values."""
        return {} if _REASON.fullmatch(self.reason) else {"reason": ["Ange en kod med små bokstäver, siffror och bindestreck."]}

    def content(self) -> dict[str, Any]:
        """Returns the values that repeated reports must share."""
        return {"reason": self.reason}


@dataclass(frozen=True)
class Returned:
    """The consignment came back; `reason` is the supplier's code (kebab-case)."""

    kind: ClassVar[str] = "returned"
    reason: str = "undeliverable"

    def faults(self) -> dict[str, list[str]]:
        """Returns Swedish messages, by field, for malformed values."""
        return {} if _REASON.fullmatch(self.reason) else {"reason": ["Ange en kod med små bokstäver, siffror och bindestreck."]}

    def content(self) -> dict[str, Any]:
        """Returns the values that repeated reports must share."""
        return {"reason": self.reason}


@dataclass(frozen=True)
class Remade:
    """The item is spoilt before it was sent, and another is made in its place. `reason` is the supplier's code (kebab-case)."""

    kind: ClassVar[str] = "remade"
    reason: str
    fault: Fault

    def faults(self) -> dict[str, list[str]]:
        """Returns Swedish messages, by field, for malformed values."""
        return {} if _REASON.fullmatch(self.reason) else {"reason": ["Ange en kod med små bokstäver, siffror och bindestreck."]}

    def content(self) -> dict[str, Any]:
        """Returns the values that repeated requests must share."""
        return {"reason": self.reason, "fault": self.fault.value}


type SupplierReport = Produced | Sent | Failed | Returned

_PREDECESSOR = {"produced": ItemState.IN_PRODUCTION, "sent": ItemState.PRODUCED, "returned": ItemState.SENT}
_COURSE = (ItemState.WAITING, ItemState.IN_PRODUCTION, ItemState.PRODUCED, ItemState.SENT, ItemState.RETURNED)


def outcome_of(kind: str, state: ItemState) -> EventOutcome:
    """Returns the outcome of a first report of `kind` on an item in `state`, whose order is accepted. A failure applies until
    the item is sent. After a failure, a return or a cancellation every report is only noted.
    """
    if state not in _COURSE:
        return EventOutcome.NOTED
    if kind == Failed.kind:
        return EventOutcome.APPLIED if _COURSE.index(state) < _COURSE.index(ItemState.SENT) else EventOutcome.NOTED
    required = _PREDECESSOR[kind]
    if state is required:
        return EventOutcome.APPLIED
    return EventOutcome.PARKED if _COURSE.index(state) < _COURSE.index(required) else EventOutcome.NOTED


def to_payload(report: SupplierReport) -> dict[str, Any]:
    """Returns the report as JSON values."""
    return {name: value.isoformat() if isinstance(value, date) else value for name, value in asdict(report).items()}


def from_payload(kind: str, payload: dict[str, Any]) -> SupplierReport:
    """Returns the report from the JSON of `to_payload`."""
    if kind == Sent.kind:
        return Sent(date.fromisoformat(payload["sent_on"]), payload["registered_mail_id"])
    if kind == Produced.kind:
        return Produced(**payload)
    return Failed(**payload) if kind == Failed.kind else Returned(**payload)


class ChangeKind(StrEnum):
    """What changed for a supplier without a call of its own."""

    CANCELLED = "cancelled"
    REVOKED = "revoked"
    PUK_REFUSED = "puk_refused"
    CUSTOMISATION_CHANGED = "customisation_changed"


class ChangeReason(StrEnum):
    """Why something changed for a supplier. A refused PUK has the code of its refusal instead (`puk_states.REFUSALS`)."""

    WITHDRAWN = "withdrawn"
    CARD_REVOKED = "card-revoked"
    EID_REVOKED = "eid-revoked"
    PRINT_CHANGED = "print-changed"
    UNVERIFIED = "unverified"
    VERIFIED = "verified"
    MOVED_HERE = "moved-here"
    MOVED_AWAY = "moved-away"


REASONS: Mapping[ChangeReason, str] = {
    ChangeReason.WITHDRAWN: "the customer withdrew the order",
    ChangeReason.CARD_REVOKED: "the card is revoked",
    ChangeReason.EID_REVOKED: "the eID on the card is revoked, so the card cannot be completed",
    ChangeReason.PRINT_CHANGED: "issuer number, back text or logotype changed; orders wait until the issuer has verified them",
    ChangeReason.UNVERIFIED: "it is not verified any more; orders wait until the issuer has verified it",
    ChangeReason.VERIFIED: "the issuer verified it; orders that waited can be accepted",
    ChangeReason.MOVED_HERE: "you make its cards from now on",
    ChangeReason.MOVED_AWAY: "another supplier makes its cards from now on; orders that you have stay yours",
}
"""The reasons of changes, and their meaning for the supplier's engineers."""
