"""JWE compact serialization with ECDH-ES in direct agreement and A256GCM on P-256 (RFC 7516, RFC 7518 section 4.6).

Received content is decrypted with a shared secret Z that the caller supplies, so that the key can stay in a token; joserfc
encrypts sent content to the recipient's key.
"""

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.concatkdf import ConcatKDFHash
from joserfc import jwe
from joserfc.jwk import ECKey
from joserfc.registry import HeaderParameter

MAX_LENGTH = 8192
ALGORITHM = "ECDH-ES"
ENCRYPTION = "A256GCM"
_BASE64URL = re.compile(r"[A-Za-z0-9_-]*")


class MalformedJwe(Exception):
    """The text is not a JWE of the only supported kind. The message says why and contains none of the content."""


class NotDecrypted(Exception):
    """The content does not decrypt with this key: the key is another one, or bytes were changed."""


@dataclass(frozen=True)
class Jwe:
    """A parsed JWE: its protected header, the recipient's key id and the sender's ephemeral public key."""

    header: dict[str, Any]
    kid: str
    ephemeral: ec.EllipticCurvePublicKey = field(repr=False)
    party_u: bytes = field(repr=False)
    party_v: bytes = field(repr=False)
    aad: bytes = field(repr=False)
    iv: bytes = field(repr=False)
    ciphertext: bytes = field(repr=False)
    tag: bytes = field(repr=False)


def parse(compact: str) -> Jwe:
    """Parses a JWE and checks everything that needs no key. Raises MalformedJwe, also for `zip`, `crit` and other algorithms."""
    if len(compact) > MAX_LENGTH:
        raise MalformedJwe("too long")
    parts = compact.split(".")
    if len(parts) != 5:
        raise MalformedJwe("not five parts")
    protected, encrypted_key, iv, ciphertext, tag = parts
    if encrypted_key:
        raise MalformedJwe("direct agreement has no encrypted key")
    header = _header(_decode(protected))
    kid = header.get("kid")
    if not isinstance(kid, str):
        raise MalformedJwe("no kid")
    found = Jwe(
        header=header,
        kid=kid,
        ephemeral=_point(header.get("epk")),
        party_u=_decode(header.get("apu", "")),
        party_v=_decode(header.get("apv", "")),
        aad=protected.encode(),
        iv=_decode(iv),
        ciphertext=_decode(ciphertext),
        tag=_decode(tag),
    )
    if len(found.iv) != 12 or len(found.tag) != 16:
        raise MalformedJwe("length of iv or tag")
    return found


def decrypt(jwe: Jwe, shared_secret: bytes) -> bytes:
    """Decrypts with the key that the Concat KDF derives from the shared secret Z. Raises NotDecrypted."""
    info = b"".join(_prefixed(part) for part in (ENCRYPTION.encode(), jwe.party_u, jwe.party_v)) + (256).to_bytes(4)
    key = ConcatKDFHash(algorithm=hashes.SHA256(), length=32, otherinfo=info).derive(shared_secret)
    try:
        return AESGCM(key).decrypt(jwe.iv, jwe.ciphertext + jwe.tag, jwe.aad)
    except InvalidTag:
        raise NotDecrypted from None


def encrypt(plaintext: bytes, recipient_jwk: Mapping[str, str], header: Mapping[str, str]) -> str:
    """Encrypts `plaintext` to a P-256 key, with `header` among the protected parameters. Raises MalformedJwe for another key."""
    require_public_jwk(recipient_jwk)
    parameters = {name: HeaderParameter(name, "str") for name in header}
    registry = jwe.JWERegistry(header_registry=parameters, algorithms=[ALGORITHM, ENCRYPTION])
    key = ECKey.import_key(dict(recipient_jwk))
    return jwe.encrypt_compact({"alg": ALGORITHM, "enc": ENCRYPTION, **header}, plaintext, key, registry=registry)


def require_public_jwk(jwk: Any) -> None:
    """Raises MalformedJwe unless `jwk` is a public JWK of a point on P-256, with only the members of RFC 7518 section 6.2.1."""
    if not isinstance(jwk, Mapping) or set(jwk) != {"kty", "crv", "x", "y"}:
        raise MalformedJwe("jwk")
    _point(dict(jwk))


def public_jwk(key: ec.EllipticCurvePublicKey, kid: str) -> dict[str, str]:
    """Returns the public JWK of a P-256 key for ECDH-ES (RFC 7517, RFC 7518 section 6.2.1)."""
    numbers = key.public_numbers()
    return {
        "kty": "EC",
        "crv": "P-256",
        "x": _encode(numbers.x.to_bytes(32)),
        "y": _encode(numbers.y.to_bytes(32)),
        "use": "enc",
        "alg": ALGORITHM,
        "kid": kid,
    }


def _header(text: bytes) -> dict[str, Any]:
    try:
        header = json.loads(text, object_pairs_hook=_unique)
    except (ValueError, RecursionError):
        raise MalformedJwe("header") from None
    if not isinstance(header, dict):
        raise MalformedJwe("header")
    if header.get("alg") != ALGORITHM or header.get("enc") != ENCRYPTION:
        raise MalformedJwe("alg or enc")
    if "crit" in header or "zip" in header:
        raise MalformedJwe("crit or zip")
    return header


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("repeated name")
    return found


def _point(jwk: Any) -> ec.EllipticCurvePublicKey:
    if not isinstance(jwk, dict) or jwk.get("kty") != "EC" or jwk.get("crv") != "P-256":
        raise MalformedJwe("epk")
    x, y = _decode(jwk.get("x")), _decode(jwk.get("y"))
    if len(x) != 32 or len(y) != 32:
        raise MalformedJwe("epk")
    try:
        # Rejects a point that is not on the curve: with such a point, the response would leak bits of the private key.
        return ec.EllipticCurvePublicNumbers(int.from_bytes(x), int.from_bytes(y), ec.SECP256R1()).public_key()
    except ValueError:
        raise MalformedJwe("epk") from None


def _decode(text: Any) -> bytes:
    if not isinstance(text, str) or not _BASE64URL.fullmatch(text) or len(text) % 4 == 1:
        raise MalformedJwe("base64url")
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _encode(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _prefixed(part: bytes) -> bytes:
    return len(part).to_bytes(4) + part
