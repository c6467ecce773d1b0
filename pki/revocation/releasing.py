"""Ends the hold of certificates; in the `pki` worker only.

Any process may request it (`pki.revocation.holds`). The worker requires a delivery of the same card whose proof it has verified
itself, so neither a supplier, who makes the card, nor a process of the portal can make a certificate good without that proof.
"""

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import batched
from uuid import UUID

import structlog
from django.db import connection, transaction
from django.db.models import Exists, OuterRef

from pki.authorities import clock_guard, journal
from pki.domain.card_proof import ProofKind
from pki.domain.findings import Finding, finding
from pki.hsm import HsmError
from pki.models import (
    Certificate,
    CertificateStatus,
    DeliveryState,
    Event,
    HoldRelease,
    SecretDelivery,
    draw_status_versions,
)
from pki.ocsp import presigning
from pki.revocation.holds import CardCodes
from siths_portal.lib import clock, faults, ports
from siths_portal.lib.canonical import sha256_hex

log = structlog.get_logger(__name__)

ACTOR = "system:pki-releaser"
BATCH = 500
RECENT = dt.timedelta(minutes=15)
"""The limit of requests that each sweep checks; older requests that are not executed are checked less often."""
LATE = dt.timedelta(minutes=5)
"""After this `pki_check` reports a hold that should have ended."""

_RELEASED, _REFUSED = "certificate.released", "certificate.release_refused"


def release_holds(certificate_ids: Iterable[UUID] | None = None, *, overdue: bool = False, limit: int = BATCH) -> int:
    """Ends the requested holds, of these certificates or of all, and signs their OCSP responses.

    Without ids it checks recent requests, with `overdue` all of them. Returns the number of ended holds. May run in several
    workers at once and be repeated. Refuses a request without the card's proof, with an event and an error in the log.

    Raises OSError, with no hold ended, if the journal cannot be written.
    """
    asked = HoldRelease.objects.filter(certificate__held=True, certificate__status=CertificateStatus.ISSUED)
    if certificate_ids is not None:
        asked = asked.filter(certificate__in=list(certificate_ids))
    elif not overdue:
        asked = asked.filter(requested_at__gt=clock.now() - RECENT)
    ids = list(asked.order_by("requested_at", "id").values_list("certificate_id", flat=True)[:limit])
    released = _release(ids) if ids else []
    faults.point("pki.release.after-commit")
    if released:
        try:
            presigning.presign(released)
        except (HsmError, presigning.SelfCheckFailed, clock_guard.ClockWentBack, OSError) as error:
            # The sweeper of OCSP responses finds them.
            log.error("hold.presign_postponed", count=len(released), error=type(error).__name__)
    return len(released)


def _release(ids: list[UUID]) -> list[UUID]:
    with transaction.atomic(durable=True):
        locked = Certificate.objects.filter(id__in=ids, held=True, status=CertificateStatus.ISSUED)
        locked = locked.select_for_update(of=("self",), no_key=True).select_related("ca")
        rows = list(locked.order_by("id").only("ca__slug", "ca__generation", "serial", "carrier_ref"))
        by_certificate: dict[UUID, list[HoldRelease]] = {}
        for release in HoldRelease.objects.filter(certificate__in=rows).select_related("delivery").order_by("id"):
            by_certificate.setdefault(release.certificate_id, []).append(release)
        grounds = {row.id: _ground(row, by_certificate.get(row.id, [])) for row in rows}
        released = [(row, ground) for row in rows if (ground := grounds[row.id]) is not None]
        _end_holds(released)
    return [row.id for row, _ in released]


def _ground(row: Certificate, releases: list[HoldRelease]) -> HoldRelease | None:
    """Returns the request that releases the certificate, or None. Records the refused requests."""
    for release in releases:
        fault = _fault(row, release.delivery)
        if not fault:
            return release
        if fault != "waiting":
            _refuse(row, release, fault)
    return None


def _fault(row: Certificate, delivery: SecretDelivery) -> str:
    """Returns why the delivery does not allow the release of the certificate; empty if it does."""
    if not row.carrier_ref or delivery.owner_ref != row.carrier_ref:
        return "other-carrier"
    # Only the seal of the PUK, which ACTIVATE opens, shows that the card key is the one that the supplier reported.
    if delivery.kind != ProofKind.ACTIVATE:
        return "other-kind"
    if delivery.proof_verified_at is not None:
        return ""
    return "waiting" if delivery.state == DeliveryState.REQUESTED else "not-proven"


def _refuse(row: Certificate, release: HoldRelease, fault: str) -> None:
    known = Event.objects.filter(subject_type="certificate", subject_ref=str(row.id), action=_REFUSED)
    if known.filter(facts__release=release.id).exists():
        return
    log.error("hold.release_refused", certificate=str(row.id), release=release.id, reason=fault)
    Event.record(
        actor_ref=ACTOR,
        action=_REFUSED,
        subject_type="certificate",
        subject_ref=str(row.id),
        facts={"release": release.id, "delivery": str(release.delivery_id), "requester": release.actor_ref, "reason": fault},
    )


@dataclass(frozen=True)
class JournalledRelease:
    """The end of a hold as the journal has it: the request, and when the worker verified the proof of its delivery."""

    certificate: UUID
    delivery: str
    actor_ref: str
    requested_at: dt.datetime
    proof_verified_at: dt.datetime


def release_again(found: Sequence[JournalledRelease], *, actor_ref: str) -> int:
    """Ends the holds whose end the journal has, and returns how many certificates were still on hold.

    Enters request and proof again, without which the database ends no hold.
    """
    by_id = {each.certificate: each for each in found}
    with transaction.atomic(durable=True):
        locked = Certificate.objects.filter(id__in=by_id, held=True, status=CertificateStatus.ISSUED)
        rows = list(locked.select_for_update(no_key=True).order_by("id").only("ca_id", "serial", "carrier_ref"))
        for row in rows:
            told = by_id[row.id]
            HoldRelease.objects.create(
                certificate=row, delivery=_proof(told, row.carrier_ref), requested_at=told.requested_at, actor_ref=told.actor_ref
            )
        versions = _end(rows)
        facts = ((str(row.id), {"ca_id": row.ca_id, "serial": row.serial, "status_version": versions[row.id]}) for row in rows)
        Event.record_each(facts, at=clock.now(), actor_ref=actor_ref, action=_RELEASED, subject_type="certificate")
    return len(rows)


def _proof(told: JournalledRelease, owner_ref: str) -> SecretDelivery:
    """Returns the row that has the proof of a lost delivery; the secret itself went to the card long ago."""
    made, _ = SecretDelivery.objects.get_or_create(
        handle_sha256=sha256_hex(f"journal {told.delivery}".encode()),
        defaults={
            "owner_ref": owner_ref,
            "actor_ref": told.actor_ref,
            "purpose": "restored",
            "state": DeliveryState.DESTROYED,
            "kind": ProofKind.ACTIVATE,
            "proof_verified_at": told.proof_verified_at,
            "recipient_jwk": {},
            "header": {},
            "created_at": told.requested_at,
        },
    )
    return made


def _end(rows: list[Certificate]) -> dict[UUID, int]:
    """Ends the holds of locked rows and returns their new status versions, the next of their CAs, whose rows it locks."""
    by_ca: dict[int, list[Certificate]] = {}
    for row in rows:
        by_ca.setdefault(row.ca_id, []).append(row)
    versions: dict[UUID, int] = {}
    for ca_id in sorted(by_ca):
        first = draw_status_versions(ca_id, len(by_ca[ca_id]))
        versions |= {row.id: first + offset for offset, row in enumerate(by_ca[ca_id])}
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE pki_certificate SET held = FALSE, status_version = numbered.version"
            " FROM unnest(%s::uuid[], %s::bigint[]) AS numbered (id, version) WHERE pki_certificate.id = numbered.id",
            [[str(id_) for id_ in versions], list(versions.values())],
        )
    return versions


def _end_holds(released: list[tuple[Certificate, HoldRelease]]) -> None:
    """Ends the holds, with an event for each and a record in the journal. Last in the transaction: it locks the CAs' rows."""
    versions = _end([row for row, _ in released])
    subjects = (
        (
            str(row.id),
            {
                "ca_id": row.ca_id,
                "serial": row.serial,
                "delivery": str(release.delivery_id),
                "requester": release.actor_ref,
                "status_version": versions[row.id],
            },
        )
        for row, release in released
    )
    Event.record_each(subjects, at=clock.now(), actor_ref=ACTOR, action=_RELEASED, subject_type="certificate")
    journal.released(released)
    faults.point("pki.release.before-commit")


def watched() -> Finding:
    """Checks that no certificate is still on hold more than LATE after its release was requested or its card got its code."""
    before = clock.now() - LATE
    late = Exists(HoldRelease.objects.filter(certificate=OuterRef("pk"), requested_at__lt=before))
    on_hold = Certificate.objects.filter(held=True, status=CertificateStatus.ISSUED)
    rows = list(on_hold.annotate(late=late).values_list("carrier_ref", "late"))
    refs = sorted({ref for ref, _ in rows if ref})
    codes = ports.get(CardCodes) if refs else None
    in_use = {ref for part in batched(refs, BATCH, strict=False) if codes for ref in codes.chosen(part, before=before)}
    overdue = sum(is_late or ref in in_use for ref, is_late in rows)
    if overdue:
        text = f"{overdue} certifikat är vilande fast koden är vald sedan mer än fem minuter"
        return finding("vilande", False, text, measure="count", value=overdue)
    return finding("vilande", True, f"{len(rows)} certifikat väntar på att kortens koder väljs", measure="count")
