"""Queries for CAs: views, chains, and the values that a certificate takes from its issuer."""

import datetime as dt
import functools
from dataclasses import dataclass, field

from cryptography import x509
from django.conf import settings
from django.db.models import Exists, OuterRef, Q

from pki.domain import serials
from pki.domain.tbs import Issuer
from pki.models import (
    CaImport,
    CaState,
    Certificate,
    CertificateAuthority,
    CertificateStatus,
    CrlScope,
    OcspSigner,
    ProfileVersion,
)
from siths_portal.lib.errors import NotFound


@dataclass(frozen=True)
class AuthorityView:
    """A CA: `parent` is the slug of the CA that certified it, None for a root; `certificate` is DER."""

    slug: str
    generation: int
    common_name: str
    state: str
    parent: str | None
    not_before: dt.datetime | None
    not_after: dt.datetime | None
    file_stem: str
    certificate: bytes = field(repr=False)


def authorities() -> list[AuthorityView]:
    """Returns every CA that has a certificate, roots first."""
    rows = CertificateAuthority.objects.exclude(state=CaState.PLANNED).select_related("parent")
    views = [
        AuthorityView(
            row.slug,
            row.generation,
            row.common_name,
            row.state,
            row.parent.slug if row.parent else None,
            row.not_before,
            row.not_after,
            row.file_stem,
            bytes(row.certificate_der),
        )
        for row in rows.order_by("id")
    ]
    return sorted(views, key=lambda view: view.parent is not None)


def chain(ca: str, generation: int | None = None) -> list[bytes]:
    """Returns DER certificates from CA `ca` to its root, of that generation or the newest in use. Raises NotFound."""
    rows = CertificateAuthority.objects.filter(slug=ca).exclude(state=CaState.PLANNED)
    row = rows.filter(**({} if generation is None else {"generation": generation})).order_by("-generation").first()
    if row is None:
        raise NotFound("ca-unknown", "Utfärdaren finns inte.")
    return chain_of(row)


def chain_of(ca: CertificateAuthority) -> list[bytes]:
    """Returns DER certificates from this generation of a CA to its root."""
    found = [bytes(ca.certificate_der)]
    while ca.parent is not None:
        ca = ca.parent
        found.append(bytes(ca.certificate_der))
    return found


def ca_certificates() -> Q:
    """A condition for CA certificates in `Certificate`: by profile, and by issuer and serial for imported ones without a profile.

    Never by a reference, because clients choose theirs.
    """
    profiles = ProfileVersion.objects.filter(definition__basic_constraints=True).values_list("id", flat=True)
    known = Q(profile_version__in=list(profiles))
    for id_, parent_id, der in CertificateAuthority.objects.values_list("id", "parent_id", "certificate_der"):
        if der:
            serial = x509.load_der_x509_certificate(bytes(der)).serial_number
            known |= Q(ca_id=parent_id or id_, serial=serials.text(serial))
    return known


def given_a_responder() -> Q:
    """A condition for CAs that get responders automatically: those that had one, and those imported with their key (ADR 0216)."""
    had = Exists(OcspSigner.objects.filter(ca=OuterRef("pk")))
    taken_over = Exists(CaImport.objects.filter(ca=OuterRef("pk")))
    return (Q(had) | Q(taken_over)) & ~Q(key_id="")


def must_answer() -> Q:
    """A condition for CAs that must have a working OCSP responder: the only place of this rule (ADR 0216, 0218).

    CAs that issue or are retired; `status_only` CAs that we give a responder; `external` CAs that have had one, although we
    cannot renew it. An offline CA signs its responses with its own key, at ceremonies.
    """
    by_themselves = given_a_responder() & Q(state=CaState.STATUS_ONLY)
    had = Exists(OcspSigner.objects.filter(ca=OuterRef("pk")))
    return Q(state__in=[CaState.ACTIVE, CaState.RETIRED]) | by_themselves | (Q(had) & Q(state=CaState.EXTERNAL))


def known_until(ca: CertificateAuthority) -> dt.datetime | None:
    """Returns until when the status of the certificates of a CA with an external key is known (ADR 0218).

    That is the end of its published CRL, or of the CA's certificate if the CRL never expires; None without a CRL.
    """
    ends = CrlScope.objects.filter(ca=ca, shard=None, newest__isnull=False).values_list("newest__next_update", flat=True)
    return next((end or ca.not_after for end in ends), None)


def certificate_of(ca: CertificateAuthority) -> Certificate | None:
    """Returns the CA's own certificate, among its parent's or for a root its own; None before it is planned."""
    rows = Certificate.objects.filter(ca=ca.parent or ca, subject_ref=f"ca:{ca.slug}:{ca.generation}")
    return rows.exclude(status=CertificateStatus.FAILED).first()


def addresses(file_stem: str) -> dict[str, str]:
    """Returns the URLs of a CA's status and certificate, as in the certificates that it issues (rules/pki 1.3)."""
    base = settings.STATUS_BASE_URL.rstrip("/")
    return {
        "crl_url": f"{base}/crl/{file_stem}.crl",
        "ocsp_url": f"{base}/ocsp",
        "aia_url": f"{base}/aia/{file_stem}.cer",
    }


def issuer_of(ca: CertificateAuthority) -> Issuer:
    """Returns the issuer data for certificates from `ca`. Raises ValueError if the CA has no certificate."""
    return _issuer(ca.slug, bytes(ca.certificate_der), tuple(addresses(ca.file_stem).items()))


@functools.lru_cache(maxsize=128)
def _issuer(slug: str, certificate_der: bytes, addresses: tuple[tuple[str, str], ...]) -> Issuer:
    certificate = x509.load_der_x509_certificate(certificate_der)
    identifier = certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    return Issuer(
        slug=slug,
        name=certificate.subject,
        ski=identifier.digest,
        public_key=certificate.public_key(),
        not_after=certificate.not_valid_after_utc,
        **dict(addresses),
    )
