"""Stores a batch of an import: COPY for new rows, a comparison for known ones, and events in the same transaction."""

import datetime as dt
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pki.domain import serials
from pki.domain.imported_certificates import CheckedContent
from pki.issuing import shared_factors
from pki.models import (
    HOLDER_REASONS,
    Certificate,
    CertificateAuthority,
    CertificateBlob,
    CertificateStatus,
    Revocation,
    RevocationChannel,
    RevocationReason,
)
from pki.takeover.findings import Ledger
from pki.takeover.records import EARLIEST, HOLD, SourceCertificate
from siths_portal.lib import clock
from siths_portal.lib.database import bulk
from siths_portal.lib.ids import new_id
from siths_portal.lib.imports.row_faults import RowFault
from siths_portal.lib.processes import jobs

Draw = Callable[[int], int]
"""Reserves consecutive status versions and returns the first (see `draw_status_versions`)."""

ACTOR = "system:import"
_STATUS = ["status", "held", "revoked_at", "reason", "invalidity_date", "status_version"]
_CONTENT = ["tbs_sha256", "spki_sha256", "not_before", "not_after"]


@dataclass(frozen=True, slots=True)
class CheckedCertificate:
    """A record that passed every check: its unsaved row, its DER, and whether its key is an RSA key."""

    record: SourceCertificate
    row: Certificate
    is_rsa: bool = False


def take(
    record: SourceCertificate, seen: CheckedContent | None, ca: CertificateAuthority, now: dt.datetime, *, revoke_held: bool
) -> CheckedCertificate:
    """Returns the record as an unsaved row. Raises RowFault.

    A reason that we do not support becomes `unspecified`; a date before the earliest that a CRL can encode becomes that one.
    """
    if record.fault is not None:
        raise record.fault
    serial = _serial(record, seen)
    not_before = seen.not_before if seen else record.not_before or record.not_after
    not_after = seen.not_after if seen else record.not_after
    if not_before is None or not_after is None or (record.revoked_at is not None and record.revoked_at > now):
        raise RowFault("times")
    if record.reason == HOLD and not revoke_held:
        raise RowFault("on-hold")
    reason = record.reason if record.reason in HOLDER_REASONS or not record.revoked_at else RevocationReason.UNSPECIFIED.value
    row = Certificate(
        id=new_id(),
        ca=ca,
        serial=serial,
        status=CertificateStatus.REVOKED if record.revoked_at else CertificateStatus.ISSUED,
        tbs_sha256=seen.tbs_sha256 if seen else "",
        spki_sha256=seen.spki_sha256 if seen else "",
        subject_ref=record.subject_ref,
        carrier_ref=record.carrier_ref,
        unit_ref=record.unit_ref,
        not_before=not_before,
        not_after=not_after,
        created_at=now,
        issued_at=record.issued_at or not_before,
        revoked_at=max(record.revoked_at, EARLIEST) if record.revoked_at else None,
        reason=reason,
        invalidity_date=record.invalidity_date,
    )
    return CheckedCertificate(record, row, is_rsa=seen is not None and seen.is_rsa)


def _serial(record: SourceCertificate, seen: CheckedContent | None) -> str:
    stated = ""
    if record.serial:
        try:
            stated = serials.text(serials.number(record.serial))
        except ValueError:
            raise RowFault("serial") from None
    if seen is None:
        if not stated:
            raise RowFault("serial")
        return stated
    if stated and stated != seen.serial:
        raise RowFault("serial", f"certifikatet har {seen.serial}")
    return seen.serial


def store(batch: Sequence[CheckedCertificate], ca: CertificateAuthority, ledger: Ledger, draw: Draw, *, lock: bool) -> None:
    """Stores the batch in the caller's transaction, in a number of queries that does not grow with it."""
    wanted = _once(batch, ledger)
    rows = Certificate.objects.filter(ca=ca, serial__in=list(wanted)).defer("tbs_der").order_by("id")
    if lock:
        rows = rows.select_for_update(of=("self",), no_key=True)
    known = {row.serial: row for row in rows}
    new = [each for serial, each in wanted.items() if serial not in known]
    completed, changed = [], []
    for serial, row in known.items():
        each = wanted[serial]
        if not _same(each, row, ledger):
            continue
        completes, findings_before = not row.tbs_sha256 and each.row.tbs_sha256 != "", len(ledger.found)
        if completes:
            for name in _CONTENT:
                setattr(row, name, getattr(each.row, name))
            completed.append((row, each))
        revokes = _sharpen(each, row, ledger)
        if revokes:
            changed.append(row)
        ledger.counts["unchanged"] += not completes and not revokes and len(ledger.found) == findings_before
    _number([each.row for each in new], changed, draw)
    bulk.insert(each.row for each in new)
    blobs = [(each.row, each) for each in new] + completed
    bulk.insert(CertificateBlob(certificate=row, der=each.record.der) for row, each in blobs if each.record.der is not None)
    if lock:
        shared_factors.enter_hashes({row.spki_sha256 for row, each in blobs if each.is_rsa}, clock.now())
    Certificate.objects.bulk_update([row for row, _each in completed], _CONTENT, batch_size=1000)
    Certificate.objects.bulk_update(changed, _STATUS, batch_size=1000)
    if lock:
        _record(changed)
    ledger.counts.update(
        Counter(
            new=len(new),
            new_revoked=sum(each.row.revoked_at is not None for each in new),
            new_serial_only=sum(each.record.der is None for each in new),
            completed=len(completed),
            revoked=len(changed),
        )
    )


def _record(changed: Sequence[Certificate]) -> None:
    """Records revocations of certificates that were good here, for other apps: by signal, and in a table for missed signals."""
    if not changed:
        return
    now = clock.now()
    Revocation.objects.bulk_create(
        Revocation(
            certificate=row,
            received_at=now,
            decided_at=now,
            effective_at=row.revoked_at or now,
            invalidity_date=row.invalidity_date,
            requester=ACTOR,
            actor_ref=ACTOR,
            channel=RevocationChannel.SYSTEM,
            reason=row.reason,
            justification="Revoked where the CA lived before.",
        )
        for row in changed
    )
    jobs.enqueue("pki.tell_revoked", certificate_ids=[str(row.id) for row in changed])


def _once(batch: Sequence[CheckedCertificate], ledger: Ledger) -> dict[str, CheckedCertificate]:
    """Returns the batch by serial. Counts an identical duplicate; reports the later of two different ones."""
    wanted: dict[str, CheckedCertificate] = {}
    for each in batch:
        first = wanted.setdefault(each.row.serial, each)
        if first is each:
            continue
        if _essence(first.row) == _essence(each.row):
            ledger.counts["unchanged"] += 1
        else:
            ledger.report(each.record.place, "twice", each.row.serial)
    return wanted


def _essence(row: Certificate) -> tuple[object, ...]:
    return (row.tbs_sha256, row.status, row.revoked_at, row.reason, row.invalidity_date)


def _same(each: CheckedCertificate, row: Certificate, ledger: Ledger) -> bool:
    """Returns whether the known row can be the same certificate; reports it if not."""
    other = bool(row.tbs_sha256 and each.row.tbs_sha256 and row.tbs_sha256 != each.row.tbs_sha256)
    if other or row.status not in (CertificateStatus.ISSUED, CertificateStatus.REVOKED):
        ledger.report(each.record.place, "other-certificate", row.serial)
        return False
    return True


def _sharpen(each: CheckedCertificate, row: Certificate, ledger: Ledger) -> bool:
    """Revokes the known row if the record is revoked; reports the opposite difference, since revocation is final."""
    wanted = each.row
    if not each.record.status_known or (row.revoked_at is None and wanted.revoked_at is None):
        return False
    if wanted.revoked_at is None:
        ledger.report(each.record.place, "revoked-here", row.serial)
        return False
    if row.revoked_at is None:
        row.status, row.held = CertificateStatus.REVOKED, False
        row.revoked_at, row.reason = wanted.revoked_at, wanted.reason
        row.invalidity_date = wanted.invalidity_date
        return True
    # CRLs have whole seconds, so a row from a CRL does not differ by its fractions.
    if row.revoked_at.replace(microsecond=0) != wanted.revoked_at.replace(microsecond=0) or row.reason != wanted.reason:
        ledger.report(each.record.place, "other-revocation", row.serial)
    return False


def _number(new: Sequence[Certificate], changed: Sequence[Certificate], draw: Draw) -> None:
    revoked = [row for row in new if row.revoked_at is not None] + list(changed)
    if revoked:
        first = draw(len(revoked))
        for offset, row in enumerate(revoked):
            row.status_version = first + offset
