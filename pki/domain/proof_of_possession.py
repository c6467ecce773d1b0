"""Proof that the client that orders a certificate has the key: a PKCS #10 request (RFC 2986), or a signature over the order.

The order's text begins with `{`, so that no signature over it can be taken for one over a certificate or a request in DER.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.serialization import load_der_public_key

from siths_portal.lib.canonical import canonical_json
from siths_portal.lib.certificates import signatures
from siths_portal.lib.certificates.unreadable import UNREADABLE
from siths_portal.lib.errors import Invalid

PURPOSE = "siths-portal certificate order"


@dataclass(frozen=True)
class SignedKey:
    """A public key (SubjectPublicKeyInfo) and its private key's signature over `document`, which describes the order."""

    spki_der: bytes = field(repr=False)
    document: bytes = field(repr=False)
    signature: bytes = field(repr=False)


def order_document(order: Mapping[str, Any], idempotency_key: str) -> bytes:
    """Returns what a `SignedKey` signs: the order without `proof`, with its key and a purpose, as canonical JSON (RFC 8785)."""
    members = {name: value for name, value in order.items() if name != "proof"}
    return canonical_json(members | {"idempotency_key": idempotency_key, "purpose": PURPOSE})


def key_of_request(csr_der: bytes, *, field: str = "csr") -> PublicKeyTypes:
    """Returns the key of a PKCS #10 request that the key signed.

    Raises Invalid, with `field`, for a malformed request and for another key's signature.
    """
    try:
        request = x509.load_der_x509_csr(csr_der)
        valid, public_key = request.is_signature_valid, request.public_key()
    except UNREADABLE:
        reason = "Certifikatbegäran går inte att läsa. Skicka PKCS #10 i DER."
        raise Invalid("csr-malformed", reason, fields={field: [reason]}) from None
    if not valid:
        reason = "Certifikatbegärans signatur stämmer inte, så innehavet av nyckeln är inte visat."
        raise Invalid("csr-proof-of-possession", reason, fields={field: [reason]})
    return public_key


def key_of_signed(signed: SignedKey) -> PublicKeyTypes:
    """Returns the key if its own signature verifies: PKCS #1 v1.5 or ECDSA on P-256 with SHA-256, ECDSA on P-384 with SHA-384.

    Raises Invalid for a malformed key, for one that cannot sign in these ways, and for another key's or document's signature.
    """
    try:
        public_key = load_der_public_key(signed.spki_der)
    except (ValueError, UnsupportedAlgorithm):
        reason = "Den publika nyckeln går inte att läsa. Skicka SubjectPublicKeyInfo."
        raise Invalid("key-malformed", reason, fields={"public_key": [reason]}) from None
    try:
        valid = signatures.is_valid(public_key, signed.signature, signed.document)
    except signatures.KeyTypeUnsupported:
        reason = "Innehav av en sådan nyckel kan inte visas."
        raise Invalid("key-type", reason, fields={"public_key": [reason]}) from None
    except ValueError:
        valid = False
    if not valid:
        reason = "Signaturen över beställningen stämmer inte, så innehavet av nyckeln är inte visat."
        raise Invalid("key-proof-of-possession", reason, fields={"proof": [reason]})
    return public_key
