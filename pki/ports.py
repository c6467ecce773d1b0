"""Ports: what `pki` asks other applications before it signs. It identifies persons and cards by opaque references only."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol
from uuid import UUID


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
