"""Old CRLs: their issuer and CRL number, and how their entries differ from the table (rules/pki 9.3, 9.4).

The entries are compared in a temporary table, so that memory does not grow with them.
"""

import datetime as dt
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPublicKeyTypes
from django.db import connection

from pki.models import HOLDER_REASONS, CertificateAuthority, RevocationReason
from pki.takeover.findings import Ledger
from pki.takeover.records import EARLIEST, HOLD, crl_of
from siths_portal.lib import clock
from siths_portal.lib.canonical import sha256_hex
from siths_portal.lib.certificates.unreadable import UNREADABLE

_PIECE = 5000
_HIGHEST = (1 << 63) - (1 << 32)  # of the column, with room for our own numbers above it
_LONGEST = 160  # bits (RFC 5280 section 5.2.3)

_TABLE = """
CREATE TEMPORARY TABLE import_listed (
    serial varchar(40) PRIMARY KEY, revoked_at timestamptz NOT NULL, reason varchar(24) NOT NULL, invalidity_date timestamptz
) ON COMMIT DROP
"""

CrlEntry = tuple[str, dt.datetime, str, dt.datetime | None]
"""A revoked certificate on an old CRL: serial, revocationDate, reason and invalidityDate."""


@dataclass(frozen=True)
class OldList:
    """A CRL of the CA. `scope` is the URL in its issuingDistributionPoint, empty for a CRL of all certificates."""

    place: str
    number: int
    this_update: dt.datetime
    entries: int
    scope: str
    sha256: str
    crl: x509.CertificateRevocationList

    @property
    def summary(self) -> dict[str, object]:
        """Returns the values that the report shows."""
        return {
            "place": self.place,
            "number": str(self.number),
            "this_update": self.this_update.isoformat(),
            "entries": self.entries,
            "scope": self.scope,
            "sha256": self.sha256,
        }


@dataclass(frozen=True)
class OldLists:
    """The newest CRL of each scope, and the highest CRL number of all; -1 without CRLs."""

    newest: list[OldList]
    highest: int

    @property
    def since(self) -> dt.datetime | None:
        """Returns the oldest thisUpdate of the newest CRLs, which must list every earlier revocation."""
        return min((each.this_update for each in self.newest), default=None)


def read(found: Iterable[tuple[str, bytes]], ca: CertificateAuthority, ledger: Ledger) -> OldLists:
    """Returns the CA's CRLs. Reports and skips another issuer's CRL, one that does not verify, and a delta CRL."""
    issuer = x509.load_der_x509_certificate(bytes(ca.certificate_der))
    newest: dict[str, OldList] = {}
    highest = -1
    for place, content in found:
        try:
            each = _read(place, content, issuer)
        except (*UNREADABLE, x509.ExtensionNotFound) as error:
            ledger.report(place, "list-unreadable", detail=str(error)[:200])
            continue
        ledger.counts["lists"] += 1
        if each.number > _HIGHEST:
            # Our CRL numbers cannot continue above it, but the CRL's entries are valid all the same.
            ledger.report(place, "list-number", detail=str(each.number))
        else:
            highest = max(highest, each.number)
        before = newest.get(each.scope)
        if before is None or before.number < each.number:
            newest[each.scope] = each
    return OldLists(list(newest.values()), highest)


def _read(place: str, content: bytes, issuer: x509.Certificate) -> OldList:
    crl = crl_of(content)
    key = issuer.public_key()
    if crl.issuer != issuer.subject or not _verifies(crl, key):  # type: ignore[arg-type]
        raise ValueError("en annan utfärdares, eller underskriften stämmer inte")
    number = crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
    if number.bit_length() > _LONGEST:
        raise ValueError("numret har mer än 20 oktetter")
    if any(isinstance(extension.value, x509.DeltaCRLIndicator) for extension in crl.extensions):
        raise ValueError("en deltalista")
    return OldList(place, number, crl.last_update_utc, len(crl), _scope(crl), sha256_hex(content), crl)


def _verifies(crl: x509.CertificateRevocationList, key: CertificateIssuerPublicKeyTypes) -> bool:
    return crl.is_signature_valid(key)


def _scope(crl: x509.CertificateRevocationList) -> str:
    try:
        names = crl.extensions.get_extension_for_class(x509.IssuingDistributionPoint).value.full_name or []
    except x509.ExtensionNotFound:
        return ""
    return ", ".join(str(name.value) for name in names) or "?"


def load(lists: OldLists, ledger: Ledger, *, revoke_held: bool) -> None:
    """Fills the temporary table `import_listed` of the caller's transaction with the newest lists' entries, each serial once."""
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS import_listed")
        cursor.execute(_TABLE)
        cursor.execute("CREATE TEMPORARY TABLE import_piece (LIKE import_listed) ON COMMIT DROP")
        for each in lists.newest:
            for piece in _pieces(each, ledger, revoke_held=revoke_held):
                cursor.copy_expert("COPY import_piece FROM STDIN", piece)
                cursor.execute("INSERT INTO import_listed SELECT * FROM import_piece ON CONFLICT DO NOTHING")
                cursor.execute("TRUNCATE import_piece")
        cursor.execute("DROP TABLE import_piece")
        cursor.execute("ANALYZE import_listed")


def _pieces(each: OldList, ledger: Ledger, *, revoke_held: bool) -> Iterator[io.StringIO]:
    piece, count, now = io.StringIO(), 0, clock.now()
    for entry in each.crl:
        serial = f"{entry.serial_number:X}"
        serial = serial if len(serial) % 2 == 0 else f"0{serial}"
        why, since = _entry(entry)
        if why == HOLD and not revoke_held:
            ledger.report(each.place, "on-hold", serial)
            continue
        if why not in HOLDER_REASONS:
            if why != HOLD:
                ledger.report(each.place, "reason", serial, why)
            why = RevocationReason.UNSPECIFIED.value
        at = entry.revocation_date_utc
        if not EARLIEST <= at <= now:
            ledger.report(each.place, "times", serial, at.isoformat())
            at = min(max(at, EARLIEST), now)
        piece.write(f"{serial}\t{at.isoformat()}\t{why}\t{since.isoformat() if since else chr(92) + 'N'}\n")
        count += 1
        if count % _PIECE == 0:
            piece.seek(0)
            yield piece
            piece = io.StringIO()
    piece.seek(0)
    yield piece


def _entry(entry: x509.RevokedCertificate) -> tuple[str, dt.datetime | None]:
    """Returns the reason, by its RFC 5280 name, and the invalidity date. The reason is "" if the entry cannot be read."""
    why, since = RevocationReason.UNSPECIFIED.value, None
    try:
        extensions = entry.extensions
    except UNREADABLE:
        return "", None
    for extension in extensions:
        if isinstance(extension.value, x509.CRLReason):
            why = extension.value.reason.value
        elif isinstance(extension.value, x509.InvalidityDate):
            since = extension.value.invalidity_date_utc
    return why, since


# Differences between the CRLs and the table: each query joins `listed` with `row` and has its condition.
_UNKNOWN = (
    "SELECT listed.serial, listed.revoked_at, listed.reason, listed.invalidity_date FROM import_listed listed "
    "LEFT JOIN pki_certificate row ON row.ca_id = %(ca)s AND row.serial = listed.serial WHERE row.id IS NULL"
)
_NOT_REVOKED = (
    "SELECT listed.serial, listed.revoked_at, listed.reason, listed.invalidity_date FROM import_listed listed "
    "JOIN pki_certificate row ON row.ca_id = %(ca)s AND row.serial = listed.serial WHERE row.status = 'issued'"
)
# The rows that a run over the CRLs and the requests on paper may change.
_LOCK = """
SELECT count(*) FROM (
    SELECT row.id FROM pki_certificate row WHERE row.id IN (
        SELECT known.id FROM import_listed listed JOIN pki_certificate known USING (serial)
        WHERE known.ca_id = %(ca)s AND known.status = 'issued'
        UNION SELECT known.id FROM pki_certificate known WHERE known.ca_id = %(ca)s AND known.serial = ANY(%(serials)s)
    ) ORDER BY row.id FOR NO KEY UPDATE
) locked
"""
_DIFFERENT = (
    "SELECT listed.serial, listed.revoked_at, listed.reason, listed.invalidity_date FROM import_listed listed "
    "JOIN pki_certificate row ON row.ca_id = %(ca)s AND row.serial = listed.serial WHERE row.status = 'revoked' "
    "AND (date_trunc('second', row.revoked_at) <> listed.revoked_at OR row.reason <> listed.reason)"
)
_NOT_LISTED = (
    "SELECT listed.serial, listed.revoked_at, listed.reason, listed.invalidity_date FROM pki_certificate listed "
    "LEFT JOIN import_listed other ON other.serial = listed.serial WHERE listed.ca_id = %(ca)s AND listed.status = 'revoked' "
    "AND other.serial IS NULL AND listed.revoked_at <= %(since)s AND listed.not_after > %(since)s"
)
# The first change of status here that the CRLs do not have.
_LACKING = """
SELECT min(row.status_version), (SELECT status_version FROM pki_certificateauthority WHERE id = %(ca)s)
FROM pki_certificate row LEFT JOIN import_listed other ON other.serial = row.serial
WHERE row.ca_id = %(ca)s AND row.status = 'revoked' AND other.serial IS NULL AND row.not_after > %(since)s
"""


def lock(ca: CertificateAuthority, serials: Sequence[str]) -> None:
    """Locks every certificate that the loaded CRLs or these serials may revoke, in the order of ids like all other code.

    Call it before a status version is drawn, which locks the CA: the holder of a CA's lock must not wait for a certificate.
    """
    with connection.cursor() as cursor:
        cursor.execute(_LOCK, {"ca": ca.id, "serials": list(serials)})


def unknown(ca: CertificateAuthority) -> Iterator[list[CrlEntry]]:
    """Yields entries whose serial is not in the table, in pieces."""
    return _chunks(_UNKNOWN, {"ca": ca.id})


def not_revoked(ca: CertificateAuthority) -> Iterator[list[CrlEntry]]:
    """Yields entries whose certificate is not revoked here."""
    return _chunks(_NOT_REVOKED, {"ca": ca.id})


def different(ca: CertificateAuthority) -> Iterator[list[CrlEntry]]:
    """Yields entries with another time (in seconds) or reason than the table."""
    return _chunks(_DIFFERENT, {"ca": ca.id})


def not_listed(ca: CertificateAuthority, since: dt.datetime) -> Iterator[list[CrlEntry]]:
    """Yields rows of certificates that were revoked and not expired at `since` and are missing from the CRLs of that time."""
    return _chunks(_NOT_LISTED, {"ca": ca.id, "since": since})


def told_up_to(ca: CertificateAuthority, since: dt.datetime) -> int:
    """Returns the status version up to which CRLs of that time have every revocation here of a certificate not yet expired."""
    with connection.cursor() as cursor:
        cursor.execute(_LACKING, {"ca": ca.id, "since": since})
        first, newest = cursor.fetchone() or (None, 0)
    return int(newest if first is None else first - 1)


def _chunks(query: str, values: dict[str, int | dt.datetime]) -> Iterator[list[CrlEntry]]:
    """Yields rows by serial, in pieces; each query starts after the last serial, so rows corrected in between are skipped."""
    last = ""
    while True:
        with connection.cursor() as cursor:
            cursor.execute(f"{query} AND listed.serial > %(last)s ORDER BY listed.serial LIMIT {_PIECE}", values | {"last": last})
            rows = cursor.fetchall()
        if not rows:
            return
        yield rows
        last = rows[-1][0]
