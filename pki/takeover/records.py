"""The record of a certificate in a source, and the interface of every source."""

import base64
import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from cryptography import x509

from pki.models import HOLDER_REASONS, RevocationReason
from siths_portal.lib.imports.row_faults import RowFault

HOLD = "certificateHold"

EARLIEST = dt.datetime(1950, 1, 1, tzinfo=dt.UTC)
"""The earliest revocation date that can be encoded (RFC 5280 section 4.1.2.5); it replaces earlier dates."""

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
"""CRLReason (RFC 5280 section 5.3.1) by number: the reasons that we support, and `certificateHold`."""


@dataclass(frozen=True, slots=True)
class SourceCertificate:
    """One certificate of a source, found at `place`. `status_known` is False for a source that has only certificates.

    Without `der` only `serial` and times are known. `reason` is the source's own, also one that we do not support
    (`storing.take` converts it). A `fault`, of a kind of `findings.KINDS`, says why the row could not be read; the other fields
    are then not valid.
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
    """A folder in one format. It yields the same records in the same order each time."""

    def inputs(self) -> list[Path]:
        """Returns the files in the order of reading. Raises Invalid if the folder lacks a file that the format needs."""
        ...

    def records(self, skip: int) -> Iterator[SourceCertificate]:
        """Yields the records after the first `skip`. A row that cannot be read is a record with its fault."""
        ...

    def lists(self) -> Iterator[tuple[str, bytes]]:
        """Yields the old CRLs that belong to the format itself, each with its place, in DER or PEM."""
        ...


def reason(name: str) -> str:
    """Returns the reason with this RFC 5280 name. Raises RowFault, also for CA reasons; the caller handles `certificateHold`."""
    if name == HOLD or name in HOLDER_REASONS:
        return name
    raise RowFault("reason", name[:40])


def reason_of_code(code: object) -> str:
    """Returns the reason with this number; the number itself if we do not support it, and "" without one."""
    found = REASON_CODES.get(code) if isinstance(code, int) else None
    return found or str("" if code is None else code)[:40]


def moment(text: object) -> dt.datetime | None:
    """Parses ISO 8601 with a zone. Returns None for an empty value. Raises RowFault."""
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
    """Returns the time of seconds or milliseconds since 1970. Raises RowFault."""
    try:
        number = int(str(value))
        return dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(**{"milliseconds" if milliseconds else "seconds": number})
    except (ValueError, OverflowError):
        raise RowFault("unreadable", "tid") from None


def der_of(content: bytes) -> bytes:
    """Returns the DER of a certificate in DER or PEM. Raises RowFault."""
    if not content.lstrip().startswith(b"-----BEGIN"):
        return content
    try:
        return pem_body(content)
    except ValueError:
        raise RowFault("unreadable", "PEM") from None


def pem_body(content: bytes) -> bytes:
    """Returns the DER in one PEM block (RFC 7468). Raises ValueError."""
    lines = content.strip().splitlines()
    if len(lines) < 3 or not lines[-1].startswith(b"-----END"):
        raise ValueError("not PEM")
    return base64.b64decode(b"".join(line.strip() for line in lines[1:-1]), validate=True)


def crl_of(content: bytes) -> x509.CertificateRevocationList:
    """Parses a CRL in DER or PEM. Raises ValueError."""
    pem = content.lstrip().startswith(b"-----BEGIN")
    return x509.load_pem_x509_crl(content) if pem else x509.load_der_x509_crl(content)
