"""The public keys that we certify (B1.12): type, size, exponent, and checks of an RSA modulus by itself.

The library checks that an EC key's point is on its curve when it reads the key. For curves of cofactor 1 no more can be checked
(NIST SP 800-56A section 5.6.2.3.3).
"""

import hashlib

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from pki.domain import der, moduli

RSA_MIN_BITS, RSA_MAX_BITS = 2048, 8192
RSA_EXPONENT = 65537


def spki(public_key: PublicKeyTypes) -> bytes:
    """Returns SubjectPublicKeyInfo in DER."""
    return public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def spki_sha256(public_key: PublicKeyTypes) -> str:
    """Returns SHA-256 of SubjectPublicKeyInfo in hex: the identity of a key, for re-use checks."""
    return hashlib.sha256(spki(public_key)).hexdigest()


def identifier(spki_der: bytes) -> bytes:
    """Returns the key identifier by method 1 of RFC 5280 section 4.2.1.2: SHA-1 of a SubjectPublicKeyInfo's BIT STRING octets."""
    _algorithm, bits = der.children(spki_der, der.whole(spki_der, der.SEQUENCE))
    return hashlib.sha1(spki_der[bits.content + 1 : bits.end], usedforsecurity=False).digest()


_CURVES = {"secp256r1": "ec-p256", "secp384r1": "ec-p384"}


def kind(public_key: PublicKeyTypes) -> str:
    """Returns `rsa`, `ec-p256`, `ec-p384`, or `other`."""
    if isinstance(public_key, ec.EllipticCurvePublicKey):
        return _CURVES.get(public_key.curve.name, "other")
    return "rsa" if isinstance(public_key, rsa.RSAPublicKey) else "other"


def description(allowed: tuple[str, ...]) -> str:
    """Describes the keys in `allowed`, a profile's `keys`, in English: `RSA-2048 or P-256`."""
    *first, last = [_DESCRIPTIONS[name] for name in allowed]
    return f"{', '.join(first)} or {last}" if first else last


_DESCRIPTIONS = {
    "rsa": f"RSA of {RSA_MIN_BITS} to {RSA_MAX_BITS} bits",
    "rsa-2048": "RSA-2048",
    "ec-p256": "P-256",
    "ec-p384": "P-384",
}


def fault(public_key: PublicKeyTypes, allowed: tuple[str, ...]) -> str | None:
    """Returns in Swedish why the key cannot be certified; None if it can. `allowed` are a profile's `keys`."""
    type_ = kind(public_key)
    if type_ in allowed:
        return _rsa_fault(public_key) if isinstance(public_key, rsa.RSAPublicKey) else None
    if not isinstance(public_key, rsa.RSAPublicKey) or not any(name.startswith("rsa-") for name in allowed):
        return "Nyckeltypen får inte finnas i ett sådant certifikat."
    if f"rsa-{public_key.key_size}" in allowed:
        return _rsa_fault(public_key)
    sizes = " eller ".join(name.removeprefix("rsa-") for name in allowed if name.startswith("rsa-"))
    return f"RSA-nyckeln är {public_key.key_size} bitar. I ett sådant certifikat ska den vara {sizes}."


def _rsa_fault(public_key: rsa.RSAPublicKey) -> str | None:
    numbers = public_key.public_numbers()
    if not RSA_MIN_BITS <= public_key.key_size <= RSA_MAX_BITS:
        return f"RSA-nyckeln är {public_key.key_size} bitar. Den ska vara minst {RSA_MIN_BITS} och högst {RSA_MAX_BITS}."
    if public_key.key_size % 8:
        return f"RSA-nyckeln är {public_key.key_size} bitar. Antalet ska vara jämnt delbart med 8."
    if numbers.e != RSA_EXPONENT:
        return f"RSA-nyckelns exponent ska vara {RSA_EXPONENT}."
    if moduli.has_small_factor(numbers.n):
        return "RSA-nyckelns modul går att dela med ett litet tal."
    if moduli.is_roca(numbers.n):
        return "RSA-nyckeln är gjord med en känd svaghet (ROCA)."
    if moduli.has_close_primes(numbers.n):
        return "RSA-nyckelns primtal ligger för nära varandra."
    return None
