"""All data of one certificate: the row, its revocations, its published status, and the decoded bytes."""

import datetime as dt
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import Encoding

from pki import decoding
from pki.decoding import Decoded, SerialForms
from pki.domain import serials
from pki.models import Certificate, Crl, Event, OcspResponse, Revocation
from pki.revocation.publication import PublicationView, publication
from siths_portal.lib import clock
from siths_portal.lib.errors import NotFound

EVENTS = 100


@dataclass(frozen=True)
class RevocationRecord:
    """A revocation, or a change of one to a more serious reason."""

    received_at: dt.datetime
    decided_at: dt.datetime
    effective_at: dt.datetime
    invalidity_date: dt.datetime | None
    requester: str
    channel: str
    reason: str
    justification: str


@dataclass(frozen=True)
class StoredAnswer:
    """A pre-signed OCSP response. `current` is True if it has the certificate's present status and has not expired."""

    cert_id_hash: str
    this_update: dt.datetime
    next_update: dt.datetime
    signer_key_id: str
    current: bool


@dataclass(frozen=True)
class CertificateEvent:
    """An event of the certificate, with its actor."""

    at: dt.datetime
    actor_ref: str
    action: str
    facts: dict[str, Any] = field(repr=False)


@dataclass(frozen=True)
class CertificateRecord:
    """A certificate for the operators' page.

    `decoded` is the decoded certificate or TBSCertificate, or None if only the serial number is stored. `verified` says whether
    the CA's certificate verifies the signature, None without a signature. `crl_number` is the first CRL that lists it.
    """

    id: UUID
    ca: str
    generation: int
    ca_name: str
    status: str
    held: bool
    failure: str
    profile: str
    profile_version: int | None
    profile_sha256: str
    serial: SerialForms
    subject_ref: str
    carrier_ref: str
    unit_ref: str
    client_ref: str
    spki_sha256: str
    tbs_sha256: str
    not_before: dt.datetime
    not_after: dt.datetime
    created_at: dt.datetime
    signing_started_at: dt.datetime | None
    signing_attempts: int
    issued_at: dt.datetime | None
    revoked_at: dt.datetime | None
    reason: str
    invalidity_date: dt.datetime | None
    status_version: int
    der: bytes | None = field(repr=False)
    decoded: Decoded | None = field(repr=False)
    verified: bool | None
    revocations: tuple[RevocationRecord, ...]
    answers: tuple[StoredAnswer, ...]
    published: PublicationView
    crl_number: int | None
    events: tuple[CertificateEvent, ...]

    @property
    def signed(self) -> bool:
        """Returns whether there is a certificate to save as a file."""
        return self.der is not None


def certificate_record(certificate_id: UUID) -> CertificateRecord:
    """Returns all data of a certificate. Raises NotFound."""
    row = Certificate.objects.select_related("ca", "profile_version", "blob").filter(pk=certificate_id).first()
    if row is None:
        raise unknown()
    blob = getattr(row, "blob", None)
    der = bytes(blob.der) if blob else None
    held = Crl.objects.filter(ca=row.ca_id, shard=None, status_version__gte=row.status_version).order_by("number")
    return CertificateRecord(
        id=row.id,
        ca=row.ca.slug,
        generation=row.ca.generation,
        ca_name=row.ca.common_name,
        status=row.status,
        held=row.held,
        failure=row.failure,
        profile=row.profile_version.name if row.profile_version else "",
        profile_version=row.profile_version.version if row.profile_version else None,
        profile_sha256=row.profile_version.sha256 if row.profile_version else "",
        serial=decoding.serial_forms(serials.number(row.serial), issuer_der=bytes(row.ca.subject_der)),
        subject_ref=row.subject_ref,
        carrier_ref=row.carrier_ref,
        unit_ref=row.unit_ref,
        client_ref=row.client_ref,
        spki_sha256=row.spki_sha256,
        tbs_sha256=row.tbs_sha256,
        not_before=row.not_before,
        not_after=row.not_after,
        created_at=row.created_at,
        signing_started_at=row.signing_started_at,
        signing_attempts=row.signing_attempts,
        issued_at=row.issued_at,
        revoked_at=row.revoked_at,
        reason=row.reason,
        invalidity_date=row.invalidity_date,
        status_version=row.status_version,
        der=der,
        decoded=_decoded(der, bytes(row.tbs_der) if row.tbs_der else None),
        verified=_verified(der, bytes(row.ca.certificate_der)) if der else None,
        revocations=tuple(_revocation(each) for each in row.revocations.order_by("id")),
        answers=tuple(_answers(row)),
        published=publication([row.id])[0],
        crl_number=held.values_list("number", flat=True).first() if row.revoked_at else None,
        events=tuple(_events(row)),
    )


def certificate_der(certificate_id: UUID) -> bytes:
    """Returns only the certificate, in DER. Raises NotFound, also if it was not signed or only its serial number is stored."""
    row = Certificate.objects.select_related("blob").only("blob__der").filter(pk=certificate_id, blob__isnull=False).first()
    if row is None:
        raise unknown()
    return bytes(row.blob.der)


def certificate_pem(der: bytes) -> bytes:
    """Returns a DER certificate as a PEM file."""
    return x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM)


def unknown() -> NotFound:
    """Returns the error for a missing certificate, the same in all cases."""
    return NotFound("certificate-unknown", "Certifikatet finns inte.")


def _decoded(der: bytes | None, tbs: bytes | None) -> Decoded | None:
    try:
        if der:
            return decoding.decode(der)
        return decoding.decode_to_be_signed(tbs) if tbs else None
    except ValueError:
        return decoding.unreadable(der or tbs or b"")


def _verified(der: bytes, issuer: bytes) -> bool:
    try:
        x509.load_der_x509_certificate(der).verify_directly_issued_by(x509.load_der_x509_certificate(issuer))
    except (InvalidSignature, ValueError, TypeError):
        return False
    return True


def _revocation(row: Revocation) -> RevocationRecord:
    return RevocationRecord(
        received_at=row.received_at,
        decided_at=row.decided_at,
        effective_at=row.effective_at,
        invalidity_date=row.invalidity_date,
        requester=row.requester,
        channel=row.channel,
        reason=row.reason,
        justification=row.justification,
    )


def _answers(row: Certificate) -> list[StoredAnswer]:
    now = clock.now()
    stored = OcspResponse.objects.filter(certificate=row).select_related("signer").defer("der", "signer__certificate_der")
    return [
        StoredAnswer(
            cert_id_hash=each.cert_id_hash,
            this_update=each.this_update,
            next_update=each.next_update,
            signer_key_id=each.signer.key_id if each.signer else "",
            current=each.status_version == row.status_version and each.this_update <= now < each.next_update,
        )
        for each in stored.order_by("cert_id_hash")
    ]


def _events(row: Certificate) -> list[CertificateEvent]:
    found = Event.objects.filter(subject_type="certificate", subject_ref=str(row.id)).order_by("id")[:EVENTS]
    return [CertificateEvent(each.at, each.actor_ref, each.action, each.facts) for each in found]
