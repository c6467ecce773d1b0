"""Ports: what `pki` asks other applications before it signs a certificate or opens a secret. It identifies persons and cards by
opaque references only.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol
from uuid import UUID

from pki.domain.orders import CertificateOrder


@dataclass(frozen=True, slots=True)
class CardCertificate:
    """A certificate for a card or a mobile, by its content. `subject` and `alternative` (empty if absent) are DER values.

    `profile` is the name in the definition that it is signed by; `alternative` is the value of subjectAltName. `held`: it will be
    on hold from its issuance.
    """

    id: UUID
    ca: str
    profile: str
    subject_ref: str
    carrier_ref: str
    subject: bytes = field(repr=False)
    alternative: bytes = field(repr=False)
    card_number: str = field(repr=False)
    not_after: dt.datetime
    held: bool


class IssuanceCheck(Protocol):
    """Knows which certificates on cards were ordered, by whom and for whom."""

    def refusals(self, certificates: Sequence[CardCertificate]) -> Mapping[UUID, str]:
        """Returns a reason code for each certificate that must not be signed: no order, or another subject, profile or card.

        Runs a fixed number of database queries, however many certificates there are.
        """
        ...

    def without_order(self, certificates: Mapping[UUID, str]) -> Mapping[UUID, str]:
        """Returns a reason code for each issued certificate, given with its `carrier_ref`, that has no order or receipt.

        Runs a fixed number of database queries, however many certificates there are.
        """
        ...


@dataclass(frozen=True, slots=True)
class Letter:
    """A PUK letter that somebody asks the secret for. `requester` is who asked; all values come from the process that asked."""

    delivery_id: UUID
    order: str
    item: str
    carrier_ref: str
    requester: str


@dataclass(frozen=True, slots=True)
class LetterRecipient:
    """Who prints a letter: `name` is the commonName of the certificate with this SHA-256. `refusal` is a reason code in place of
    both.
    """

    name: str = ""
    certificate_sha256: str = ""
    refusal: str = ""


class LetterOrders(Protocol):
    """Knows which PUK letters were ordered, for which card, and who prints them."""

    def recipient(self, letter: Letter) -> LetterRecipient:
        """Returns the registered recipient of the letter, or the reason why its secret must not be opened: no such order, another
        card, another printer, or a letter that is not to be printed now.
        """
        ...


@dataclass(frozen=True, slots=True)
class Unlocking:
    """A card in use that somebody asks the secret for, to unlock it. `handle_sha256` is the hash of the handle in the card's
    proof. `carrier_ref` owns the secret, whose card has made the proof.
    """

    delivery_id: UUID
    carrier_ref: str
    handle_sha256: str


class UnlockVisits(Protocol):
    """Knows why cards may be unlocked: visits at which officers identify holders, and what holders sign in place of one."""

    def refusal(self, unlocking: Unlocking) -> str:
        """Returns a reason code if the secret must not be opened, else "".

        It must not without an open transaction for this delivery, card and handle, and a card in use. Besides it needs an
        identification of the card's holder that still counts, by an officer who logged in recently before it and may unlock the
        card; or a fresh signature by another valid carrier on level 3 of the same person.
        """
        ...


@dataclass(frozen=True, slots=True)
class RequestedCertificates:
    """What a card asks for with keys made on it: an order for each certificate, by the id that the certificate will have.

    `unit_ref` is that of the certificates, `actor_ref` of the events. `refusal` is a reason code in place of all of them.
    """

    orders: Mapping[UUID, CertificateOrder] = field(default_factory=dict)
    unit_ref: str = ""
    actor_ref: str = ""
    refusal: str = ""


class CertificateRequests(Protocol):
    """Knows the requests for certificates that cards make in eID app transactions."""

    def requested(self, request_id: UUID) -> RequestedCertificates:
        """Returns what the card's request asks for, or the reason why no certificate must be made: no such request, a transaction
        that has ended, or a request that the card key has not signed for this transaction.
        """
        ...


@dataclass(frozen=True, slots=True)
class BlankCard:
    """A card whose PUK nobody keeps: its serial number, and the DER of the key that proves it."""

    card_serial: str = field(repr=False)
    card_key_spki: bytes = field(repr=False)


class BlankCards(Protocol):
    """Knows the cards without a PUK, such as reserve cards."""

    def card(self, carrier_ref: str) -> BlankCard | None:
        """Returns the card, or None if there is none or if its PUK is kept."""
        ...
