"""Compares certificates' status and holds with the sealed events, and revocations with stored OCSP responses (ADR 0298).

Each comparison reads in batches along an index; the number of queries does not depend on the certificates in a batch.
"""

import datetime as dt
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple
from uuid import UUID

from django.db import connection, transaction

from pki.models import CertificateStatus
from pki.ocsp import presigning
from siths_portal.lib import clock
from siths_portal.lib.database import plans

BATCH = 5000
_ENDED: Final = (CertificateStatus.REVOKED, CertificateStatus.FAILED)
_SIGNED: Final = (CertificateStatus.ISSUED, CertificateStatus.REVOKED)
_NOWHERE: Final = (-1, -1, UUID(int=0))


@dataclass(frozen=True)
class StatusCheck:
    """How many certificates were compared, and one line in Swedish for each mismatch, with the certificate's id."""

    checked: int
    wrong: tuple[str, ...]


def verify_statuses() -> StatusCheck:
    """Compares every certificate that has events with them: whether it was issued, is on hold, was released or revoked."""
    checked, wrong = 0, list[str]()
    for told in _told():
        checked += 1
        wrong += [f"certifikat {told.certificate} {fault}" for fault in _faults(told)]
    return StatusCheck(checked, tuple(wrong))


def verify_revocations() -> StatusCheck:
    """Checks every revoked certificate: one issued here must have its event, and none may have a stored OCSP response `good`."""
    checked, wrong = 0, list[str]()
    for row in _revoked():
        checked += 1
        if row.lacks_event:
            wrong.append(f"certifikat {row.id} är spärrat utan händelse")
        if row.said_good:
            wrong.append(f"certifikat {row.id} är spärrat men har ett OCSP-svar som säger giltigt")
    return StatusCheck(checked, tuple(wrong))


def sign_contradicted() -> int:
    """Signs new OCSP responses for revoked certificates whose stored ones say good; returns for how many.

    Runs in the `pki` worker. Raises HsmError, ClockWentBack.
    """
    return presigning.presign([row.id for row in _revoked() if row.said_good])


class _Told(NamedTuple):
    """A certificate's events (`revocation` has the facts of the newest), and its row; `status` is None without a row."""

    certificate: str
    reserved: bool
    on_hold: bool
    issued: bool
    released: bool
    revocation: str | None
    status: str | None
    held: bool
    revoked_at: dt.datetime | None
    reason: str
    invalidity_date: dt.datetime | None
    status_version: int
    has_record: bool


# A batch ends between two certificates: the first statement finds its end, the second reads all events up to there.
_END: Final = """
SELECT max(subject_ref) FROM (
  SELECT subject_ref FROM pki_event WHERE subject_type = 'certificate' AND subject_ref > %s ORDER BY subject_ref LIMIT %s
) AS part
"""
_EVENTS: Final = """
WITH told AS (
  SELECT subject_ref, bool_or(action = 'certificate.reserved') AS reserved,
    bool_or(action = 'certificate.reserved' AND facts @> '{"held": true}') AS on_hold,
    bool_or(action = 'certificate.issued') AS issued, bool_or(action = 'certificate.released') AS released,
    (array_agg(facts ORDER BY id DESC)
      FILTER (WHERE action IN ('certificate.revoked', 'certificate.revocation_changed')))[1]::text AS revocation
  FROM pki_event WHERE subject_type = 'certificate' AND subject_ref > %s AND subject_ref <= %s GROUP BY subject_ref
)
SELECT told.*, c.status, c.held, c.revoked_at, c.reason, c.invalidity_date, c.status_version, EXISTS (
    SELECT FROM pki_revocation r
    WHERE r.certificate_id = c.id AND r.effective_at = c.revoked_at AND r.reason = c.reason
  )
FROM told LEFT JOIN pki_certificate c ON c.id = told.subject_ref::uuid ORDER BY told.subject_ref
"""


def _told() -> Iterator[_Told]:
    after = ""
    while True:
        with transaction.atomic(), plans.only_indexed(), connection.cursor() as cursor:
            cursor.execute(_END, [after, BATCH])
            (end,) = cursor.fetchone()
            if end is None:
                return
            cursor.execute(_EVENTS, [after, end])
            rows = cursor.fetchall()
        yield from (_Told(*row) for row in rows)
        after = end


def _faults(told: _Told) -> Iterator[str]:
    if told.status is None:
        yield "finns i händelserna men inte i tabellen"
        return
    if told.revocation is not None:
        yield from _revocation_faults(told, json.loads(told.revocation))
    elif told.status == CertificateStatus.REVOKED and told.reserved:
        yield "är spärrat utan händelse"
    elif told.issued and told.status not in _SIGNED:
        yield f"är utfärdat enligt händelserna och {told.status} i tabellen"
    expected = told.on_hold and not told.released and told.status not in _ENDED
    if told.reserved and told.held != expected:
        yield "är vilande enligt händelserna men inte i tabellen" if expected else "är vilande utan händelse"


def _revocation_faults(told: _Told, facts: Mapping[str, Any]) -> Iterator[str]:
    if told.status != CertificateStatus.REVOKED:
        yield f"är spärrat enligt händelserna och {told.status} i tabellen"
        return
    values = {
        "revoked_at": told.revoked_at,
        "reason": told.reason,
        "invalidity_date": told.invalidity_date,
        "status_version": told.status_version,
    }
    differing = [name for name, value in values.items() if name in facts and value != _value(name, facts[name])]
    if differing:
        yield f"skiljer sig från sin spärrhändelse: {', '.join(differing)}"
    if not told.has_record:
        yield "saknar posten om sin spärr"


def _value(name: str, told: Any) -> Any:
    return dt.datetime.fromisoformat(told) if told and name in ("revoked_at", "invalidity_date") else told


class _Revoked(NamedTuple):
    ca_id: int
    status_version: int
    id: UUID
    lacks_event: bool
    said_good: bool


# Reads along `pki_cert_changed`. In a response certStatus follows the serial (RFC 6960 section 4.2.1): good is [0] NULL.
# Certificates issued elsewhere, which have no profile, may have been imported as revoked.
_REVOKED: Final = """
WITH part AS (
  SELECT ca_id, status_version, id, profile_version_id,
    decode(CASE length(serial) %% 2 WHEN 1 THEN '0' ELSE '' END || serial, 'hex') || '\\x8000'::bytea AS good
  FROM pki_certificate WHERE status = 'revoked' AND (ca_id, status_version, id) > (%s, %s, %s)
  ORDER BY ca_id, status_version, id LIMIT %s
)
SELECT ca_id, status_version, id,
  profile_version_id IS NOT NULL AND NOT EXISTS (
    SELECT FROM pki_event e
    WHERE e.subject_type = 'certificate' AND e.subject_ref = part.id::text AND e.action = 'certificate.revoked'
  ),
  EXISTS (
    SELECT FROM pki_ocspresponse r WHERE r.certificate_id = part.id AND r.status_version = part.status_version
      AND r.next_update > %s AND position(part.good IN r.der) > 0
  )
FROM part ORDER BY ca_id, status_version, id
"""


def _revoked() -> Iterator[_Revoked]:
    after = _NOWHERE
    while True:
        with connection.cursor() as cursor:
            cursor.execute(_REVOKED, [*after, BATCH, clock.now()])
            rows = [_Revoked(*row) for row in cursor.fetchall()]
        if not rows:
            return
        yield from rows
        after = rows[-1][:3]
