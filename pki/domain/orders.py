"""What is ordered of the CAs and what they answer, as plain values."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID

from pki.domain.proof_of_possession import SignedKey


@dataclass(frozen=True)
class CertificateOrder:
    """A wish for one certificate from the CA with slug `ca`.

    Keys of `subject` are RFC 4519 names, those of `subject_alternative` rfc822Name, userPrincipalName, dNSName and iPAddress,
    with several values separated by commas. `csr_der` is a PKCS #10 request: its key is certified, its signature proves
    possession, its names are ignored. With `signed_key` that key is certified instead and `csr_der` is empty. Errors about the
    key are reported under the field name `key_field`. Refs are opaque text; one `subject_ref` may have a key certified again.
    """

    ca: str
    profile: str
    subject: Mapping[str, str] = field(repr=False)
    subject_alternative: Mapping[str, str] = field(repr=False)
    csr_der: bytes = field(repr=False)
    subject_ref: str
    carrier_ref: str
    card_number: str | None = field(repr=False)
    not_after: dt.datetime
    signed_key: SignedKey | None = field(default=None, repr=False)
    key_field: str = "csr"


@dataclass(frozen=True)
class CertificateView:
    """A certificate as it stands now. `serial` is upper-case hex; `der` is there once the status is `issued` or later.

    `held`: on hold until the card's code is set; OCSP then says `revoked, certificateHold`. `ca` and `generation` name the CA:
    certificates of an earlier generation have another chain.
    """

    id: UUID
    ca: str
    generation: int
    profile: str
    serial: str
    status: str
    held: bool
    der: bytes | None = field(repr=False)
    not_before: dt.datetime
    not_after: dt.datetime
    subject_ref: str
    carrier_ref: str
    revoked_at: dt.datetime | None
    reason: str


@dataclass(frozen=True)
class SerialOnly:
    """A certificate of a CA that only publishes status here: no DER, no TBS. `revoked_at` and `reason` together or neither."""

    serial: str
    not_before: dt.datetime
    not_after: dt.datetime
    subject_ref: str = ""
    carrier_ref: str = ""
    unit_ref: str = ""
    revoked_at: dt.datetime | None = None
    reason: str = ""
