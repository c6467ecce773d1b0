"""Which public keys are certified (B1.12): type, size, exponent, and the ROCA flaw of cards' key generators (CVE-2017-15361)."""

import functools
import hashlib

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

RSA_MIN_BITS, RSA_MAX_BITS = 2048, 8192
RSA_EXPONENT = 65537
_ROCA_PRIMES = (11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127, 151, 157)


def spki(public_key: PublicKeyTypes) -> bytes:
    """SubjectPublicKeyInfo in DER."""
    return public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def spki_sha256(public_key: PublicKeyTypes) -> str:
    """SHA-256 of SubjectPublicKeyInfo in hex: the identity of a key, for re-use checks."""
    return hashlib.sha256(spki(public_key)).hexdigest()


def kind(public_key: PublicKeyTypes) -> str:
    """`rsa`, `ec-p256`, `ec-p384`, or `other`."""
    if isinstance(public_key, rsa.RSAPublicKey):
        return "rsa"
    if isinstance(public_key, ec.EllipticCurvePublicKey) and public_key.curve.name in ("secp256r1", "secp384r1"):
        return f"ec-p{public_key.curve.key_size}"
    return "other"


def fault(public_key: PublicKeyTypes, allowed: tuple[str, ...]) -> str | None:
    """Why the key is not certified, in Swedish; None if it may be."""
    if kind(public_key) not in allowed:
        return "Nyckeltypen får inte finnas i ett sådant certifikat."
    if isinstance(public_key, rsa.RSAPublicKey):
        return _rsa_fault(public_key)
    return None


def _rsa_fault(public_key: rsa.RSAPublicKey) -> str | None:
    numbers = public_key.public_numbers()
    if not RSA_MIN_BITS <= public_key.key_size <= RSA_MAX_BITS:
        return f"RSA-nyckeln är {public_key.key_size} bitar. Den ska vara minst {RSA_MIN_BITS}."
    if numbers.e != RSA_EXPONENT:
        return f"RSA-nyckelns exponent ska vara {RSA_EXPONENT}."
    if numbers.n % 2 == 0:
        return "RSA-nyckelns modul är jämn."
    if all(numbers.n % prime in _powers(prime) for prime in _ROCA_PRIMES):
        return "RSA-nyckeln är gjord med en känd svaghet (ROCA)."
    return None


@functools.cache
def _powers(prime: int) -> frozenset[int]:
    """The subgroup that 65537 generates modulo `prime`; a flawed modulus is in it for every prime."""
    found, value = {1}, RSA_EXPONENT % prime
    while value not in found:
        found.add(value)
        value = value * RSA_EXPONENT % prime
    return frozenset(found)
