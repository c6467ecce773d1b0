"""Queries for the status HTTP service: stored OCSP responses and published files. No token, no signing, at most two queries."""

import datetime as dt
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from cryptography import x509
from cryptography.x509 import ocsp
from django.db.models import Exists, F, FilteredRelation, OuterRef, Q, QuerySet

from pki.domain import serials
from pki.domain.ocsp_request import CertId
from pki.models import ANSWERING, CaState, Certificate, CertificateAuthority, CertificateStatus, Crl, OcspSigner
from siths_portal.lib import clock

MACHINE_PROFILE = "function"
"""The profile of the certificates that machine clients of ours authenticate with."""


class Unauthorized(Exception):
    """No authoritative response is possible (RFC 9919 section 3.2.3): the CertID has another CA, or a serial never issued."""


class TryLater(Exception):
    """The certificate is ours, but the response for its current status is not signed yet."""


class Contradiction(TryLater):
    """The stored response has the certificate's status version but another status: we did not store it."""


@dataclass(frozen=True)
class StoredAnswer:
    """A pre-signed response that may be served now: `ca` is `<slug>:<generation>`, `status` `good` or `revoked`."""

    ca: str
    status: str
    der: bytes
    this_update: dt.datetime
    next_update: dt.datetime


def answer(asked: CertId) -> StoredAnswer:
    """Returns the stored response for the CertID, if it was signed for the certificate's current status and is valid now.

    A certificate on hold has none (TryLater): its responses are signed for each request, which this function does not do.

    Raises Unauthorized or TryLater. A stale response, one from the future, or one with another status than the table is never
    returned (B1.24, B1.33).
    """
    if not 0 < asked.serial.bit_length() <= 160 or asked.serial < 0:
        raise Unauthorized
    ca = (
        CertificateAuthority.objects.filter(
            **{f"name_{asked.hash}": asked.issuer_name_hash, f"key_{asked.hash}": asked.issuer_key_hash}
        )
        .annotate(has_signer=Exists(OcspSigner.objects.filter(ca=OuterRef("id"), retired_at=None)) & Q(state__in=ANSWERING))
        .values_list("id", "has_signer", "slug", "generation")
        .first()
    )
    if ca is None:
        raise Unauthorized
    ca_id, has_signer, slug, generation = ca
    now = clock.now()
    row = (
        Certificate.objects.filter(ca_id=ca_id, serial=serials.text(asked.serial))
        .annotate(stored=FilteredRelation("ocsp_responses", condition=Q(ocsp_responses__cert_id_hash=asked.hash)))
        .values_list(
            "status",
            "held",
            "not_after",
            "status_version",
            "stored__status_version",
            "stored__der",
            "stored__this_update",
            "stored__next_update",
        )
        .first()
    )
    if row is None:
        raise Unauthorized
    status, held, not_after, version, signed_version, der, this_update, next_update = row
    if status not in (CertificateStatus.ISSUED, CertificateStatus.REVOKED):
        raise Unauthorized
    if not held and signed_version == version and this_update > now:
        raise TryLater
    if not held and signed_version == version and next_update > now:
        if not _says(bytes(der), asked.serial, status):
            raise Contradiction
        said = "revoked" if status == CertificateStatus.REVOKED else "good"
        return StoredAnswer(f"{slug}:{generation}", said, bytes(der), this_update, next_update)
    if not has_signer or not_after <= now:
        raise Unauthorized
    raise TryLater


def _says(der: bytes, serial: int, status: str) -> bool:
    """Whether the response is for this serial and has this status. So a changed row alone cannot make a certificate good."""
    response = ocsp.load_der_ocsp_response(der)
    says = ocsp.OCSPCertStatus.REVOKED if status == CertificateStatus.REVOKED else ocsp.OCSPCertStatus.GOOD
    return (response.serial_number, response.certificate_status) == (serial, says)


def is_revoked(der: bytes) -> bool:
    """Returns True if one of our CAs has revoked the certificate or has it on hold; False also for another CA's certificate.

    Reads the table itself, so a revocation counts at once. It does not say that the certificate is genuine.
    """
    return bool(revoked([der]))


def revoked(ders: Iterable[bytes]) -> frozenset[bytes]:
    """Returns those of the certificates for which `is_revoked` is true, with one query."""
    named = {der: _named(der) for der in ders}
    names, numbers = {name for name, _serial in named.values()}, {serial for _name, serial in named.values()}
    not_good = Q(status=CertificateStatus.REVOKED) | Q(held=True)
    rows = Certificate.objects.filter(not_good, ca__name_sha256__in=names, serial__in=numbers)
    found = set(rows.values_list("ca__name_sha256", "serial"))
    return frozenset(der for der, name in named.items() if name in found)


def refusal_of_machine(der: bytes) -> str:
    """Returns why our own table says that the certificate does not authenticate a machine; empty if it says nothing.

    `revoked`, `on-hold`, or `no-function` for a certificate that we issued for another use, such as a card; empty also for a
    certificate of another issuer. It does not say that the certificate is genuine.
    """
    found = _found(der).values_list("status", "held", "profile_version__name").first()
    if found is None:
        return ""
    status, held, profile = found
    if status == CertificateStatus.REVOKED:
        return "revoked"
    if held:
        return "on-hold"
    # A certificate that was imported only by its serial has no known profile.
    return "" if profile in (None, MACHINE_PROFILE) else "no-function"


def _found(der: bytes) -> QuerySet[Certificate]:
    issuer, serial = _named(der)
    return Certificate.objects.filter(ca__name_sha256=issuer, serial=serial)


def _named(der: bytes) -> tuple[str, str]:
    """Returns the hash of the issuer's name, and the serial."""
    certificate = x509.load_der_x509_certificate(der)
    return hashlib.sha256(certificate.issuer.public_bytes()).hexdigest(), serials.text(certificate.serial_number)


@dataclass(frozen=True)
class PublishedAuthority:
    """A CA as shown on the index page of the status service. Times are None until its first CRL; a last CRL has no nextUpdate."""

    common_name: str
    file_stem: str
    not_after: dt.datetime | None
    crl_number: int | None
    crl_this_update: dt.datetime | None
    crl_next_update: dt.datetime | None

    @property
    def crl_is_overdue(self) -> bool:
        """Whether the newest CRL has passed its nextUpdate."""
        return self.crl_next_update is not None and self.crl_next_update < clock.now()


def published_authorities() -> list[PublishedAuthority]:
    """Returns every CA that has a certificate, roots first, with its newest CRL."""
    newest = {crl.ca_id: crl for crl in Crl.objects.filter(shard=None).order_by("ca_id", "-number").distinct("ca_id")}
    found = []
    authorities = CertificateAuthority.objects.exclude(state=CaState.PLANNED)
    for ca in authorities.order_by(F("parent_id").asc(nulls_first=True), "common_name"):
        crl = newest.get(ca.id)
        found.append(
            PublishedAuthority(
                ca.common_name,
                ca.file_stem,
                ca.not_after,
                crl.number if crl else None,
                crl.this_update if crl else None,
                crl.next_update if crl else None,
            )
        )
    return found
