"""Attestations that private keys were made in a card and cannot leave it: the JWT of OpenID for Verifiable Credential Issuance
1.0, appendix D.1, with the signer's certificates in `x5c`.
"""

import base64
import binascii
import datetime as dt
import json
from collections.abc import Sequence
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey

TYPE = "key-attestation+jwt"
LONGEST = 16_384
"""Characters of an attestation."""
ALGORITHMS = ("ES256", "ES384", "PS256", "RS256")
MOST_KEYS = 20
_MOST_CERTIFICATES = 5
_FORBIDDEN_HEADERS = frozenset({"b64", "crit", "jku", "jwk", "x5u"})
_LEEWAY = dt.timedelta(minutes=5)
_SMALLEST_RSA = 2048
_FAULTS = (JoseError, UnsupportedAlgorithm, binascii.Error, ValueError, TypeError, KeyError)


class _Registry(jws.JWSRegistry):
    """The library's own limit is too small for a header with a chain; LONGEST limits the whole."""

    max_header_length = LONGEST


_REGISTRY = _Registry(algorithms=list(ALGORITHMS))


class AttestationRefused(Exception):
    """The attestation is not valid. `reason` is a code for logs and tests."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def attested_keys(token: str, roots: Sequence[x509.Certificate], now: dt.datetime) -> set[bytes]:
    """Returns the SubjectPublicKeyInfo (DER) of each key that the attestation names.

    Its signer's chain must end at one of `roots`, with all certificates valid at `now`. Raises AttestationRefused.
    """
    if len(token) > LONGEST:
        raise AttestationRefused("too-long")
    try:
        header = dict(jws.extract_compact(token.encode("ascii"), registry=_REGISTRY).protected)
        _check_header(header)
        chain = [x509.load_der_x509_certificate(base64.b64decode(each, validate=True)) for each in header["x5c"]]
    except _FAULTS:
        raise AttestationRefused("malformed") from None
    _check_chain(chain, roots, now)
    try:
        verified = jws.deserialize_compact(token.encode("ascii"), _key(chain[0]), registry=_REGISTRY)
        claims = json.loads(verified.payload)
    except JoseError:
        raise AttestationRefused("signature") from None
    except _FAULTS:
        raise AttestationRefused("malformed") from None
    return _keys_of(claims, now)


def _check_header(header: dict[str, Any]) -> None:
    chain = header["x5c"]
    right = header.get("typ") == TYPE and header["alg"] in ALGORITHMS and not _FORBIDDEN_HEADERS & header.keys()
    if not right or not isinstance(chain, list) or not 0 < len(chain) <= _MOST_CERTIFICATES:
        raise ValueError


def _check_chain(chain: Sequence[x509.Certificate], roots: Sequence[x509.Certificate], now: dt.datetime) -> None:
    """Requires that each certificate is issued by the next and the last by a root, or is one."""
    issuers = [*chain[1:], None]
    for place, (certificate, issuer) in enumerate(zip(chain, issuers, strict=True)):
        if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
            raise AttestationRefused("out-of-time")
        if place and not _may_issue(certificate, below=place - 1):
            raise AttestationRefused("chain")
        if issuer is not None and not _is_issued_by(certificate, issuer):
            raise AttestationRefused("chain")
    last = chain[-1]
    trusted = (root for root in roots if root.not_valid_before_utc <= now <= root.not_valid_after_utc)
    if not any(last == root or _is_issued_by(last, root) for root in trusted):
        raise AttestationRefused("root")


def _may_issue(certificate: x509.Certificate, *, below: int) -> bool:
    """Returns whether it is a CA that may have `below` CAs between itself and the signer (RFC 5280 sections 4.2.1.3 and 9)."""
    try:
        constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except (x509.ExtensionNotFound, ValueError):
        return False
    within = constraints.path_length is None or constraints.path_length >= below
    return constraints.ca and within and usage.key_cert_sign


def _is_issued_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (InvalidSignature, ValueError, TypeError, UnsupportedAlgorithm):
        return False
    return True


def _key(certificate: x509.Certificate) -> ECKey | RSAKey:
    """Returns the signer's key. Raises ValueError for one that may not sign attestations."""
    public = certificate.public_key()
    der = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if isinstance(public, rsa.RSAPublicKey) and public.key_size >= _SMALLEST_RSA:
        return RSAKey.import_key(der)
    if isinstance(public, ec.EllipticCurvePublicKey):
        return ECKey.import_key(der)
    raise ValueError


def _keys_of(claims: Any, now: dt.datetime) -> set[bytes]:
    try:
        made, ends = claims["iat"], claims.get("exp")
        if not all(type(moment) in (int, float) for moment in (made, 0 if ends is None else ends)):
            raise TypeError
        if made > (now + _LEEWAY).timestamp() or (ends is not None and ends < (now - _LEEWAY).timestamp()):
            raise AttestationRefused("out-of-time")
        keys = claims["attested_keys"]
        if not isinstance(keys, list) or not 0 < len(keys) <= MOST_KEYS:
            raise ValueError
        return {_spki(key) for key in keys}
    except (*_FAULTS, AttributeError):
        raise AttestationRefused("malformed") from None


def _spki(jwk: dict[str, Any]) -> bytes:
    key = RSAKey.import_key(jwk) if jwk["kty"] == "RSA" else ECKey.import_key(jwk)
    return bytes(key.public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
