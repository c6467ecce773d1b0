"""What `pki` asks of others before it signs. It names people and cards by opaque references only."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol
from uuid import UUID


@dataclass(frozen=True, slots=True)
class CardCertificate:
    """A certificate for a card or a mobile, as its bytes say. `subject` and `alternative` (empty without one) are DER values.

    `profile` is the name in the definition that it is signed by; `alternative` is the value of subjectAltName. `held` says that
    it will be on hold from its issuance.
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

        Asks the database a fixed number of times, however many certificates there are.
        """
        ...

    def without_order(self, certificates: Mapping[UUID, str]) -> Mapping[UUID, str]:
        """Returns a reason code for each issued certificate, given with its `carrier_ref`, that no order or receipt accounts for.

        Asks the database a fixed number of times, however many certificates there are.
        """
        ...
