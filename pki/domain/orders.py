"""Orders for certificates and their results, as plain values."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID

from pki.domain.proof_of_possession import SignedKey


@dataclass(frozen=True)
class CertificateOrder:
    """An order for one certificate from the CA with slug `ca`.

    Keys of `subject` are RFC 4519 names, those of `subject_alternative` rfc822Name, userPrincipalName, dNSName and iPAddress,
    with several values separated by commas. `csr_der` is a PKCS #10 request: its key is certified, its signature proves
    possession, its names are ignored. With `signed_key` that key is certified instead and `csr_der` is empty. Errors about the
    key are reported under the field name `key_field`. Refs are opaque text; the same `subject_ref` may have a key certified
    again.
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
    """A certificate in its current state. `serial` is upper-case hex; `der` is set once the status is `issued` or later.

    `held`: on hold until the card's holder has chosen the code; OCSP responses then have `revoked, certificateHold`. `ca` and
    `generation` identify the CA: certificates of an earlier generation have another chain.
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
