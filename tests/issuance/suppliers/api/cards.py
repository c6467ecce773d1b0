"""A card for tests that need no token: keys in memory, the requests that a supplier sends, and reports on it."""

import base64
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from joserfc import jwe
from joserfc.jwk import ECKey
from joserfc.registry import HeaderParameter

from siths_portal.simulators.card import PROFILES, new_serial

REGISTRY = jwe.JWERegistry(
    header_registry={name: HeaderParameter(name, "str") for name in ("order", "serial")}, algorithms=["ECDH-ES", "A256GCM"]
)


def spki(key: Any) -> str:
    return key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()


def csr(key: Any) -> str:
    request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, hashes.SHA256())
    return request.public_bytes(serialization.Encoding.PEM).decode()


def forged_csr(key: Any, signer: Any) -> str:
    """A request with `key`'s public half and `signer`'s signature: no proof of possession."""
    der = bytearray(x509.load_pem_x509_csr(csr(key).encode()).public_bytes(serialization.Encoding.DER))
    other = x509.load_pem_x509_csr(csr(signer).encode()).signature
    der[-len(other) :] = other
    return _pem(bytes(der))


def csr_of_no_version(key: Any) -> str:
    """A request of a version of PKCS #10 that there is not."""
    der = x509.load_pem_x509_csr(csr(key).encode()).public_bytes(serialization.Encoding.DER)
    return _pem(der.replace(b"\x02\x01\x00", b"\x02\x01\x05", 1))


def _pem(der: bytes) -> str:
    body = base64.encodebytes(der).decode()
    return f"-----BEGIN CERTIFICATE REQUEST-----\n{body}-----END CERTIFICATE REQUEST-----\n"


def rsa_keys() -> dict[str, Any]:
    """Four RSA-2048 keys by profile."""
    return {profile: rsa.generate_private_key(65537, 2048) for profile in PROFILES}


def p256_keys() -> dict[str, Any]:
    """Four P-256 keys by profile."""
    return {profile: ec.generate_private_key(ec.SECP256R1()) for profile in PROFILES}


@dataclass
class PaperCard:
    """Four keys of one type, a card key, a serial."""

    serial: str = field(default_factory=new_serial)
    keys: dict[str, Any] = field(default_factory=rsa_keys)
    card_key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    def request(self, **changes: Any) -> dict[str, Any]:
        """The body of `POST certificates`."""
        csrs = {profile: csr(key) for profile, key in self.keys.items()}
        return {"card_serial": self.serial, "card_key": spki(self.card_key), "csrs": csrs} | changes

    def produced(self, order: str, key: dict[str, str], puk: str = "31415926", **changes: str) -> dict[str, Any]:
        """The body of the report `produced`."""
        header = {"alg": "ECDH-ES", "enc": "A256GCM", "kid": key["kid"], "order": order, "serial": self.serial} | changes
        sealed = jwe.encrypt_compact(header, puk.encode(), ECKey.import_key(key), registry=REGISTRY)
        return {"type": "produced", "mifare_id": "0123456789", "puk_jwe": sealed}


@cache
def weak_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 1024)
