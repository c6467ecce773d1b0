"""Verification of signatures by the key types that we certify, in the form that CMS and PKCS #10 use."""

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

CARD_FORMAT = (
    "RSASSA-PKCS1-v1_5 with SHA-256 (RFC 8017 section 8.2) from an RSA-2048 key; from a P-256 key ECDSA with SHA-256 as "
    "ECDSA-Sig-Value in DER (RFC 3279 section 2.2.3, RFC 5753 section 7.2), which most cards' r and s must be made into."
)
"""The form of a card's signature, as the API descriptions state it."""


class KeyTypeUnsupported(ValueError):
    """The key is neither RSA nor on P-256 or P-384."""


def is_valid(public_key: PublicKeyTypes, signature: bytes, data: bytes) -> bool:
    """Returns whether `signature` over `data` is by this key.

    RSA keys use RSASSA-PKCS1-v1_5 with SHA-256, P-256 keys ECDSA with SHA-256 and P-384 keys ECDSA with SHA-384, both as
    ECDSA-Sig-Value in DER. Raises KeyTypeUnsupported.
    """
    try:
        if isinstance(public_key, rsa.RSAPublicKey):
            public_key.verify(signature, data, padding.PKCS1v15(), hashes.SHA256())
        elif isinstance(public_key, ec.EllipticCurvePublicKey) and public_key.curve.name in _HASHES:
            public_key.verify(signature, data, ec.ECDSA(_HASHES[public_key.curve.name]))
        else:
            raise KeyTypeUnsupported
    except InvalidSignature:
        return False
    return True


_HASHES: dict[str, hashes.HashAlgorithm] = {"secp256r1": hashes.SHA256(), "secp384r1": hashes.SHA384()}
