"""What a device's key signs: that it takes the start code, and the requests for certificates of further keys on the device."""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.conf import settings

from issuance.mobile.models import MobileEnrolment
from issuance.mobile.services import attestations
from pki import service as pki
from siths_portal.lib.canonical import canonical_json, sha256_hex
from siths_portal.lib.certificates.unreadable import UNREADABLE
from siths_portal.lib.errors import Conflict, DomainError

KIND = "mobile"


@dataclass(frozen=True)
class DeviceProof:
    """The app's proof of the device: its first key (SubjectPublicKeyInfo, DER), the maker's attestation of that key (JWT), the
    holder's name of the device, and the key's signature (ECDSA-Sig-Value).

    The key signs, with SHA-256, the canonical JSON of attestation_sha256, device, handle, kind and origin.
    """

    device: str = field(repr=False)
    device_key: bytes = field(repr=False)
    attestation: str = field(repr=False)
    origin: str
    signature: bytes = field(repr=False)

    def message(self, handle: str) -> bytes:
        """Returns the bytes that the device's key signs."""
        return canonical_json(
            {
                "attestation_sha256": sha256_hex(self.attestation.encode()),
                "device": self.device,
                "handle": handle,
                "kind": KIND,
                "origin": self.origin,
            }
        )

    @property
    def key_sha256(self) -> str:
        """The SHA-256 of the first key."""
        return sha256_hex(self.device_key)


def fault(proof: DeviceProof, handle: str) -> DomainError | None:
    """Returns the error of a refused proof, or None if the device's key signed it for this start code and origin, and its maker
    attests the key.
    """
    if not pki.CardProof(proof.message(handle), proof.signature).is_by(proof.device_key):
        return Conflict("proof-refused", "Enheten kunde inte visa att nyckeln är dess egen. Försök igen.")
    if not hmac.compare_digest(proof.origin.encode(), settings.MINASIDOR_BASE_URL.encode()):
        return Conflict("wrong-origin", "Koden är inte från Mina sidor. Öppna appen från Mina sidor.")
    try:
        attestations.require(proof.attestation, [proof.device_key])
    except Conflict as refused:
        return refused
    return None


def message(enrolment: MobileEnrolment, csrs: Mapping[str, bytes]) -> bytes:
    """Returns the bytes that the device's key signs: canonical JSON of the SHA-256 of start code and of each request (DER)."""
    hashes = {profile: sha256_hex(der) for profile, der in csrs.items()}
    return canonical_json({"csrs": hashes, "handle_sha256": enrolment.handle_sha256})


def is_proven(enrolment: MobileEnrolment, csrs: Mapping[str, bytes], signature: bytes) -> bool:
    """Returns whether the device's first key signed the requests for this enrolment."""
    return pki.CardProof(message(enrolment, csrs), signature).is_by(bytes(enrolment.device_key_spki))


def key_of(csr: bytes) -> bytes:
    """Returns the key of a request (SubjectPublicKeyInfo, DER), empty if it cannot be read; `pki` refuses that too."""
    try:
        return x509.load_der_x509_csr(csr).public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    except UNREADABLE:
        return b""
