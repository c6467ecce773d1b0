"""The token: the only package that imports `pkcs11`, and no pkcs11 type leaves it.

For CAs, OCSP signers, KEK and derive key: `issuing_hsm()`; for the root: `root_hsm()`; by the `token_label` of a row:
`hsm_for(token_label)`. Each gives an `Hsm`, which opens lazily, survives fork, may be used by threads at once and reconnects
once. A key is named by a `KeyRef` or by its CKA_ID in hex, as rows store it. Methods of `Hsm`:

- `generate(KeySpec(algorithm, label)) -> KeyRef`, `generate_kek(label)`, `generate_mac_key(label)`, `generate_derive_key(label)`
- `find(key_id) -> KeyRef`, `find_label(label) -> key_id | None`, `public_key(ref)`
- `sign(ref, data, scheme)`, `sign_digest(ref, digest, scheme)`, `private_key(ref)`: a key for cryptography's builders;
  `sign_all(ref, data, scheme, until) -> Signatures`: many in one call, with what kept the next one from being signed
- `mac(key_id, data) -> bytes`: HMAC-SHA-256; `prove(ref)`: a challenge signed and verified
- `seal(kek, plaintext, aad) -> bytes`, `open(blob, aad) -> bytes`, `ecdh_derive(ref, peer_public_key) -> bytes`
- `random(n)`, `health()`, `inventory()`, `attributes(key_id)`, `destroy(ref)`

Processes that serve the web have no PIN and must not call anything here.
"""

from pathlib import Path

from django.conf import settings

from pki.custodians import held
from pki.hsm.errors import (
    HsmConfigError,
    HsmError,
    HsmKeyExists,
    HsmKeyMissing,
    HsmPinError,
    HsmSealBroken,
    HsmSealKeyLost,
    HsmUnavailable,
)
from pki.hsm.keys import TokenPrivateKey
from pki.hsm.token import Hsm
from pki.hsm.types import Algorithm, Health, KeyAttributes, KeyRef, KeySpec, Scheme, Signatures, TokenObject

__all__ = [
    "Algorithm",
    "Health",
    "Hsm",
    "HsmConfigError",
    "HsmError",
    "HsmKeyExists",
    "HsmKeyMissing",
    "HsmPinError",
    "HsmSealBroken",
    "HsmSealKeyLost",
    "HsmUnavailable",
    "KeyAttributes",
    "KeyRef",
    "KeySpec",
    "Scheme",
    "Signatures",
    "TokenObject",
    "TokenPrivateKey",
    "hsm_for",
    "issuing_hsm",
    "root_hsm",
]


def _pin() -> str:
    """The PIN, read or put together at each log-in. Raises HsmConfigError if this process has none (S25, S26)."""
    if settings.PKI_START_BY_TWO:
        try:
            return held.pin()
        except LookupError:
            raise HsmConfigError("this process waits for two custodians (PKI_START_BY_TWO)") from None
    if not settings.PKCS11_PIN_FILE:
        raise HsmConfigError("this process has no PIN (PKCS11_PIN_FILE)")
    try:
        return Path(settings.PKCS11_PIN_FILE).read_text().strip()
    except OSError:
        raise HsmConfigError("the file named by PKCS11_PIN_FILE cannot be read") from None


def hsm_for(token_label: str) -> Hsm:
    """The token with this label. Nothing is opened before the first operation."""
    return Hsm(
        path=settings.PKCS11_MODULE,
        token_label=token_label,
        read_pin=_pin,
        locking=settings.HSM_LOCKING,
        call_seconds=settings.HSM_CALL_SECONDS,
        module_arguments=settings.PKCS11_MODULE_ARGUMENTS,
    )


def issuing_hsm() -> Hsm:
    """The token of the issuing CAs, the OCSP signers, the KEK and the derive key."""
    return hsm_for(settings.PKCS11_TOKEN)


def root_hsm() -> Hsm:
    """The root's token: in production absent but at ceremonies."""
    return hsm_for(settings.PKCS11_ROOT_TOKEN)
