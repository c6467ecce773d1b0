"""Attestations that a supplier made a card's keys in the card (rules/issuance 3.10)."""

from collections.abc import Mapping, Sequence

import structlog
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from authn import service as authn
from siths_portal.lib import clock
from siths_portal.lib.certificates import key_attestations
from siths_portal.lib.certificates.unreadable import UNREADABLE
from siths_portal.lib.errors import Invalid

log = structlog.get_logger(__name__)


def require(demanded: authn.KeyAttestation, attestations: Sequence[str], card_key_spki: bytes, csrs: Mapping[str, bytes]) -> None:
    """Checks that the attestations name the card key and the key of each request. They need not come if the supplier's row does
    not demand them; without roots in the row they are not looked at. Raises Invalid.
    """
    if not demanded.roots or not (attestations or demanded.required):
        return
    if not attestations:
        message = "Skicka attestations: intyg om att kortets nycklar är gjorda i kortet."
        raise Invalid("attestation-missing", message, fields={"attestations": [message]})
    attested: set[bytes] = set()
    for number, token in enumerate(attestations):
        try:
            attested |= key_attestations.attested_keys(token, demanded.roots, clock.now())
        except key_attestations.AttestationRefused as refused:
            log.warning("suppliers.attestation_refused", reason=refused.reason)
            message = "Intyget om kortets nycklar är inte giltigt."
            raise Invalid("attestation-invalid", message, fields={f"attestations.{number}": [message]}) from None
    message = "Inget intyg omfattar nyckeln."
    keys = {f"csrs.{profile}": _key_of(csr) for profile, csr in csrs.items()} | {"card_key": card_key_spki}
    if missing := {field: [message] for field, key in keys.items() if key not in attested}:
        raise Invalid("key-not-attested", message, fields=missing)


def _key_of(csr: bytes) -> bytes | None:
    """Returns the key of a request, or None if it cannot be read; `pki` refuses that too."""
    try:
        return x509.load_der_x509_csr(csr).public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    except UNREADABLE:
        return None
