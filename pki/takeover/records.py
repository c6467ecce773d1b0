"""What a source tells of a certificate, and what every source must be able to do."""

import base64
import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from cryptography import x509

from pki.models import HOLDER_REASONS, RevocationReason

HOLD = "certificateHold"

EARLIEST = dt.datetime(1950, 1, 1, tzinfo=dt.UTC)
"""The first moment that a date of revocation has an encoding for (RFC 5280 section 4.1.2.5): what was earlier is of this one."""

REASON_CODES: Mapping[int, str] = {
    0: RevocationReason.UNSPECIFIED,
    1: RevocationReason.KEY_COMPROMISE,
    2: RevocationReason.CA_COMPROMISE,
    3: RevocationReason.AFFILIATION_CHANGED,
    4: RevocationReason.SUPERSEDED,
    5: RevocationReason.CESSATION_OF_OPERATION,
    6: HOLD,
    9: RevocationReason.PRIVILEGE_WITHDRAWN,
}
"""CRLReason (RFC 5280 section 5.3.1) by number, those that are on offer and `certificateHold`."""


class RowFault(ValueError):
    """A row that cannot be read or not be taken; `kind` is one of `findings.KINDS`."""

    def __init__(self, kind: str, detail: str = "") -> None:
        super().__init__(kind)
        self.kind = kind
        self.detail = detail


@dataclass(frozen=True, slots=True)
class SourceCertificate:
    """One certificate as a source tells it, at `place`. `status_known` is False for a source of bare certificates.

    Without `der` it is known by `serial` and times alone. `reason` is as the source names it, also one that is not on offer here
    (`storing.take` says what becomes of it). A `fault` says why the row could not be read; nothing else holds then.
    """

    place: str
    der: bytes | None = field(default=None, repr=False)
    serial: str = ""
    not_before: dt.datetime | None = None
    not_after: dt.datetime | None = None
    issued_at: dt.datetime | None = None
    revoked_at: dt.datetime | None = None
    reason: str = ""
    invalidity_date: dt.datetime | None = None
    subject_ref: str = ""
    carrier_ref: str = ""
    unit_ref: str = ""
    status_known: bool = True
    fault: RowFault | None = None


class Source(Protocol):
    """A folder in one format. The same folder gives the same records in the same order each time."""

    def inputs(self) -> list[Path]:
        """The files that are read, in the order of reading. Raises Invalid if the folder lacks what the format needs."""
        ...

    def records(self, skip: int) -> Iterator[SourceCertificate]:
        """The records from the one after the first `skip` on. A row that cannot be read is a record with its fault."""
        ...

    def lists(self) -> Iterator[tuple[str, bytes]]:
        """The old CRLs that come with the format itself, each with its place; DER or PEM."""
        ...


def reason(name: str) -> str:
    """A reason by its RFC 5280 name. Raises RowFault, also for one of CAs' certificates; `certificateHold` is the caller's."""
    if name == HOLD or name in HOLDER_REASONS:
        return name
    raise RowFault("reason", name[:40])


def reason_of_code(code: object) -> str:
    """A reason by its number; of one that is not on offer the number itself, empty for none."""
    found = REASON_CODES.get(code) if isinstance(code, int) else None
    return found or str("" if code is None else code)[:40]


def moment(text: object) -> dt.datetime | None:
    """ISO 8601 with a zone, None for nothing. Raises RowFault."""
    if text in (None, ""):
        return None
    try:
        value = dt.datetime.fromisoformat(str(text))
        if value.tzinfo is None:
            raise RowFault("unreadable", "tid utan zon")
        return value.astimezone(dt.UTC)
    except RowFault:
        raise
    except (ValueError, OverflowError):
        raise RowFault("unreadable", "tid") from None


def epoch(value: object, *, milliseconds: bool = False) -> dt.datetime:
    """Seconds or milliseconds since 1970. Raises RowFault."""
    try:
        number = int(str(value))
        return dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(**{"milliseconds" if milliseconds else "seconds": number})
    except (ValueError, OverflowError):
        raise RowFault("unreadable", "tid") from None


def der_of(content: bytes) -> bytes:
    """DER of a certificate in DER or PEM. Raises RowFault."""
    if not content.lstrip().startswith(b"-----BEGIN"):
        return content
    try:
        return pem_body(content)
    except ValueError:
        raise RowFault("unreadable", "PEM") from None


def pem_body(content: bytes) -> bytes:
    """The DER in one PEM block (RFC 7468). Raises ValueError."""
    lines = content.strip().splitlines()
    if len(lines) < 3 or not lines[-1].startswith(b"-----END"):
        raise ValueError("not PEM")
    return base64.b64decode(b"".join(line.strip() for line in lines[1:-1]), validate=True)


def crl_of(content: bytes) -> x509.CertificateRevocationList:
    """A list in DER or PEM. Raises ValueError."""
    pem = content.lstrip().startswith(b"-----BEGIN")
    return x509.load_pem_x509_crl(content) if pem else x509.load_der_x509_crl(content)
