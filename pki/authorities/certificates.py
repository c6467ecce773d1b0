"""Certificates for other applications. Needs no token."""

import datetime as dt
import hashlib
import time
from collections.abc import Iterable, Iterator
from uuid import UUID

from pki.domain import serials
from pki.domain.orders import CertificateView
from pki.models import Certificate, CertificateAuthority, CertificateBlob, CertificateStatus, Fingerprint, Revocation

POLL_SECONDS = 0.05


def certificates(certificate_ids: Iterable[UUID]) -> list[CertificateView]:
    """Returns the certificates in the given order, with their current state; leaves out unknown ids."""
    wanted = list(certificate_ids)
    rows = Certificate.objects.filter(id__in=wanted).select_related("ca", "profile_version", "blob").defer("tbs_der")
    found = {row.id: _view(row) for row in rows}
    return [found[id_] for id_ in wanted if id_ in found]


def of_der(der: bytes) -> CertificateView | None:
    """Returns the certificate with exactly these bytes, which was signed and stored here, or None."""
    blobs = CertificateBlob.objects.annotate(sha256=Fingerprint("der")).filter(sha256=hashlib.sha256(der).digest())
    found = certificates(blobs.values_list("certificate_id", flat=True)[:1])
    return found[0] if found else None


def with_serials(wanted: Iterable[tuple[str, int, str]]) -> list[CertificateView]:
    """Returns the issued and revoked certificates with these serials. Each is named by the slug and the generation of its CA and
    by its serial in hexadecimal, in any letter case.

    Leaves out unknown ones, and text that is no serial. Two queries, however many are wanted.
    """
    keys = {(ca, generation, text) for ca, generation, serial in wanted if (text := _serial_text(serial))}
    cas = CertificateAuthority.objects.filter(slug__in={ca for ca, _generation, _text in keys}).values_list("id", flat=True)
    rows = Certificate.objects.filter(
        ca__in=list(cas),
        serial__in={text for _ca, _generation, text in keys},
        status__in=[CertificateStatus.ISSUED, CertificateStatus.REVOKED],
    )
    views = [_view(row) for row in rows.select_related("ca", "profile_version", "blob").defer("tbs_der")]
    return [view for view in views if (view.ca, view.generation, view.serial) in keys]


def _serial_text(serial: str) -> str:
    try:
        return serials.text(serials.number(serial))
    except ValueError:
        return ""


def revoked_since(moment: dt.datetime) -> Iterator[UUID]:
    """Yields ids of certificates whose revocation was decided at `moment` or later, by a streamed query. Some may repeat."""
    rows = Revocation.objects.filter(decided_at__gte=moment).order_by("id")
    return rows.values_list("certificate_id", flat=True).iterator(chunk_size=2000)


def _view(row: Certificate) -> CertificateView:
    blob: CertificateBlob | None = getattr(row, "blob", None)
    return CertificateView(
        id=row.id,
        ca=row.ca.slug,
        generation=row.ca.generation,
        profile=row.profile_version.name if row.profile_version else "",
        serial=row.serial,
        status=row.status,
        held=row.held,
        der=bytes(blob.der) if blob else None,
        not_before=row.not_before,
        not_after=row.not_after,
        subject_ref=row.subject_ref,
        carrier_ref=row.carrier_ref,
        revoked_at=row.revoked_at,
        reason=row.reason,
    )


def wait_until_settled(certificate_ids: Iterable[UUID], *, seconds: float) -> list[CertificateView]:
    """Returns the certificates once none of them is reserved, or in their state after `seconds`. Not inside a transaction."""
    wanted = list(certificate_ids)
    deadline = time.monotonic() + seconds
    waiting = Certificate.objects.filter(id__in=wanted, status=CertificateStatus.RESERVED)
    while waiting.exists() and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
    return certificates(wanted)
