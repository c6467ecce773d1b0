"""Revokes here what another system's CRL has revoked, before we publish that CRL (B1.33, ADR 0218)."""

import datetime as dt
from collections.abc import Sequence
from contextlib import AbstractContextManager

from django.db import transaction

from pki.models import CertificateAuthority, Event, draw_status_versions
from pki.takeover import old_crls, storing
from pki.takeover.findings import LOCK, Ledger
from pki.takeover.old_crls import OldList, OldLists
from pki.takeover.records import SourceCertificate
from pki.takeover.storing import CheckedCertificate
from siths_portal.lib import clock
from siths_portal.lib.canonical import sha256_hex
from siths_portal.lib.database import locks
from siths_portal.lib.errors import Conflict


def import_lock() -> AbstractContextManager[None]:
    """Holds the import lock while the block runs. Raises Conflict if another session holds it. A session may take it twice."""
    return locks.held_or_raise(LOCK, Conflict("import-running", "En import pågår redan."))


def rows_of(entries: Sequence[old_crls.CrlEntry], ca: CertificateAuthority, now: dt.datetime) -> list[CheckedCertificate]:
    """Returns entries of a CRL as revoked certificates of which only the serial is known."""
    # The CRL does not show notAfter; the CA's own notAfter is the latest possible.
    records = [
        SourceCertificate(
            "crl",
            serial=serial,
            not_before=revoked_at,
            not_after=ca.not_after,
            revoked_at=revoked_at,
            reason=reason,
            invalidity_date=since,
        )
        for serial, revoked_at, reason, since in entries
    ]
    return [storing.take(record, None, ca, now, revoke_held=True) for record in records]


def follow(ca: CertificateAuthority, found: OldList, *, revoke_held: bool, actor_ref: str) -> int:
    """Revokes certificates that a verified CRL of the CA lists and that are not revoked here, in one transaction with its event.

    Returns the status version up to which the CRL has every revocation that is recorded here. Raises Conflict, with nothing
    changed, for entries on hold without a decision and while an import runs.
    """
    ledger, serials = Ledger(), []
    with import_lock(), transaction.atomic(durable=True):
        old_crls.load(OldLists([found], found.number), ledger, revoke_held=revoke_held)
        if held := ledger.findings.get("on-hold"):
            raise _undecided(held)
        old_crls.lock(ca, [])
        for pieces in (old_crls.not_revoked, old_crls.unknown):
            for piece in pieces(ca):
                taken = rows_of(piece, ca, clock.now())
                storing.store(taken, ca, ledger, lambda count: draw_status_versions(ca.id, count), lock=True)
                serials += [each.row.serial for each in taken]
        if serials:
            facts = {
                "ca": ca.slug,
                "number": str(found.number),
                "list_sha256": found.sha256,
                "count": len(serials),
                "unknown_before": ledger.counts["new"],
                "serials_sha256": sha256_hex("\n".join(sorted(serials)).encode()),
            }
            Event.record(
                actor_ref=actor_ref,
                action="certificates.revoked_elsewhere",
                subject_type="certificate_authority",
                subject_ref=str(ca.id),
                facts=facts,
            )
        return old_crls.told_up_to(ca, found.this_update)


def _undecided(count: int) -> Conflict:
    return Conflict(
        "crl-on-hold",
        f"{count} poster på listan är tillfälligt spärrade (certificateHold), vilket inte finns här. Avgör dem hos utfärdaren, "
        "eller publicera listan med --hold revoke, så att de spärras här för gott.",
    )
