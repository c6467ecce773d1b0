"""The makers of devices whose attestations of keys the portal accepts, and their verification."""

from collections.abc import Collection
from pathlib import Path

import structlog
from cryptography import x509
from django.conf import settings

from siths_portal.lib import clock
from siths_portal.lib.certificates import key_attestations
from siths_portal.lib.errors import Conflict

log = structlog.get_logger(__name__)


def roots() -> list[x509.Certificate]:
    """Returns the certificates in DEVICE_ATTESTATION_ROOTS (PEM). An empty setting or a missing file is none: no device is
    accepted then.
    """
    path = settings.DEVICE_ATTESTATION_ROOTS
    try:
        return x509.load_pem_x509_certificates(Path(path).read_bytes()) if path else []
    except (OSError, ValueError) as error:
        log.error("mobile.attestation_roots_unreadable", error=type(error).__name__)
        return []


def is_possible() -> bool:
    """Returns whether some maker's devices are accepted, so that holders can get mobile eIDs at all."""
    return bool(roots())


def covers(token: str, keys: Collection[bytes]) -> bool:
    """Returns whether the attestation is valid now and names all of the keys (SubjectPublicKeyInfo, DER)."""
    try:
        attested = key_attestations.attested_keys(token, roots(), clock.now())
    except key_attestations.AttestationRefused as refused:
        log.warning("mobile.attestation_refused", reason=refused.reason)
        return False
    return set(keys) <= attested


def require(token: str, keys: Collection[bytes]) -> None:
    """Raises Conflict unless `covers`."""
    if not covers(token, keys):
        message = "Enhetens säkra lager kunde inte intygas. Uppdatera enheten och appen, eller använd en annan enhet."
        raise Conflict("attestation-refused", message)
