"""Private keys that stay in the token and still satisfy cryptography's interfaces, so that its builders sign with them."""

from collections.abc import Callable
from typing import Any, NoReturn, Self

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.serialization import load_der_public_key

from pki.hsm.errors import HsmConfigError, HsmError
from pki.hsm.types import KeyRef, Scheme

SignDigest = Callable[[bytes, Scheme], bytes]
_HASHES: dict[str, hashes.HashAlgorithm] = {"sha256": hashes.SHA256(), "sha384": hashes.SHA384(), "sha512": hashes.SHA512()}


def _digest(data: Any, algorithm: Any) -> tuple[bytes, str]:
    if isinstance(algorithm, utils.Prehashed):
        return bytes(data), algorithm._algorithm.name
    digest = hashes.Hash(algorithm)
    digest.update(data)
    return digest.finalize(), str(algorithm.name)


def _scheme(family: str, hash_name: str) -> Scheme:
    try:
        return Scheme(f"{family}-{hash_name}")
    except ValueError:
        raise HsmError(f"the scheme {family} with {hash_name} is not offered") from None


class _StaysInToken:
    def __init__(self, ref: KeyRef, public: Any, sign_digest: SignDigest) -> None:
        self._public = public
        self._sign_digest = sign_digest
        self.ref = ref

    @property
    def key_size(self) -> int:
        """Bits of the modulus or of the curve."""
        return int(self._public.key_size)

    def private_numbers(self) -> NoReturn:
        """Raises HsmError: the key stays in the token."""
        raise HsmError("the key stays in the token")

    def private_bytes(self, encoding: Any, format: Any, encryption_algorithm: Any) -> NoReturn:
        """Raises HsmError: the key stays in the token."""
        raise HsmError("the key stays in the token")

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self


class TokenRsaKey(_StaysInToken, rsa.RSAPrivateKey):
    """An RSA key in the token; PKCS #1 v1.5 only."""

    def public_key(self) -> rsa.RSAPublicKey:
        """The public half."""
        public: rsa.RSAPublicKey = self._public
        return public

    def sign(self, data: Any, padding: Any, algorithm: Any) -> bytes:
        """Signs in the token. Raises HsmError for another padding."""
        if not isinstance(padding, _PKCS1V15):
            raise HsmError("only PKCS #1 v1.5 is offered")
        digest, hash_name = _digest(data, algorithm)
        return self._sign_digest(digest, _scheme("rsa", hash_name))

    def decrypt(self, ciphertext: Any, padding: Any) -> NoReturn:
        """Raises HsmError: the key only signs."""
        raise HsmError("the key only signs")


_PKCS1V15 = padding.PKCS1v15


class TokenEcKey(_StaysInToken, ec.EllipticCurvePrivateKey):
    """A P-256 or P-384 key in the token."""

    @property
    def curve(self) -> ec.EllipticCurve:
        """The curve."""
        curve: ec.EllipticCurve = self._public.curve
        return curve

    def public_key(self) -> ec.EllipticCurvePublicKey:
        """The public half."""
        public: ec.EllipticCurvePublicKey = self._public
        return public

    def sign(self, data: Any, signature_algorithm: ec.EllipticCurveSignatureAlgorithm) -> bytes:
        """Signs in the token; the signature is DER."""
        digest, hash_name = _digest(data, signature_algorithm.algorithm)
        return self._sign_digest(digest, _scheme("ecdsa", hash_name))

    def exchange(self, algorithm: Any, peer_public_key: Any) -> NoReturn:
        """Raises HsmError: the key only signs."""
        raise HsmError("the key only signs")


type TokenPrivateKey = TokenRsaKey | TokenEcKey


def private_key(ref: KeyRef, sign_digest: SignDigest) -> TokenPrivateKey:
    """The adapter for a key; `sign_digest` does the work. Raises HsmConfigError for a key type that no adapter has."""
    public = load_der_public_key(ref.public_key_der)
    if isinstance(public, rsa.RSAPublicKey):
        return TokenRsaKey(ref, public, sign_digest)
    if isinstance(public, ec.EllipticCurvePublicKey):
        return TokenEcKey(ref, public, sign_digest)
    raise HsmConfigError("no adapter for this key type")


def verify(public: PublicKeyTypes, signature: bytes, data: bytes, scheme: Scheme) -> None:
    """Verifies a signature on this side. Raises cryptography's InvalidSignature."""
    algorithm = _HASHES[scheme.hash_name]
    if isinstance(public, rsa.RSAPublicKey):
        public.verify(signature, data, padding.PKCS1v15(), algorithm)
    elif isinstance(public, ec.EllipticCurvePublicKey):
        public.verify(signature, data, ec.ECDSA(algorithm))
    else:
        raise HsmConfigError("no verification for this key type")
