"""A maker of cards that attests keys: a root, a signer below it, and the JWT of OpenID4VCI 1.0, appendix D.1."""

import base64
import json
from collections.abc import Sequence
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from joserfc import jws
from joserfc.jwk import ECKey, RSAKey

from siths_portal.lib import clock
from tests.tls import Identity, SmallCa


def public_jwk(key: Any) -> dict[str, Any]:
    """The public JWK of a public key."""
    der = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    kind = ECKey if hasattr(key, "curve") else RSAKey
    return dict(kind.import_key(der).as_dict(private=False))


class CardMaker:
    """Signs attestations with a certificate of its own root."""

    def __init__(self) -> None:
        self.ca = SmallCa("DEMO card maker root")
        self.signer: Identity = self.ca.issue("DEMO attestation signer")

    @property
    def root(self) -> x509.Certificate:
        return self.ca.certificate

    def attest(
        self,
        keys: Sequence[Any],
        *,
        header: dict[str, Any] | None = None,
        signer: Identity | None = None,
        chain: Sequence[bytes] | None = None,
        **claims: Any,
    ) -> str:
        """An attestation of public keys, with changed headers, claims, signer or chain. A header of None is left out."""
        by = signer or self.signer
        x5c = [base64.b64encode(each).decode() for each in (chain if chain is not None else [by.der])]
        given = {"alg": "ES256", "typ": "key-attestation+jwt", "x5c": x5c} | (header or {})
        body = {"iat": int(clock.now().timestamp()), "attested_keys": [public_jwk(key) for key in keys]} | claims
        key = ECKey.import_key(
            by.key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        )
        kept = {name: value for name, value in given.items() if value is not None}
        content = json.dumps({name: value for name, value in body.items() if value is not None}).encode()
        registry = jws.JWSRegistry(algorithms=[kept["alg"]], strict_check_header=False)
        registry.max_header_length = 100_000
        return str(jws.serialize_compact(kept, content, key, registry=registry))
