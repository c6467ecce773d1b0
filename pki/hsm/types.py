"""Values that go to the token and come from it."""

import enum
from dataclasses import dataclass, field

from pki.hsm.errors import HsmError


class Algorithm(enum.StrEnum):
    """Types of the keys that we create."""

    RSA_2048 = "rsa-2048"
    RSA_3072 = "rsa-3072"
    RSA_4096 = "rsa-4096"
    EC_P256 = "ec-p256"
    EC_P384 = "ec-p384"
    AES_256 = "aes-256"
    HMAC_SHA256 = "hmac-sha256"

    @property
    def is_rsa(self) -> bool:
        """True for RSA keys."""
        return self.value.startswith("rsa-")


class Scheme(enum.StrEnum):
    """Signature schemes: PKCS #1 v1.5 (deterministic, RFC 8017 section 8.2) and ECDSA as a DER SEQUENCE (RFC 3279)."""

    RSA_SHA256 = "rsa-sha256"
    RSA_SHA384 = "rsa-sha384"
    RSA_SHA512 = "rsa-sha512"
    ECDSA_SHA256 = "ecdsa-sha256"
    ECDSA_SHA384 = "ecdsa-sha384"

    @property
    def hash_name(self) -> str:
        """`sha256`, `sha384` or `sha512`."""
        return self.value.partition("-")[2]

    @property
    def is_rsa(self) -> bool:
        """True for PKCS #1 v1.5."""
        return self.value.startswith("rsa-")


@dataclass(frozen=True)
class KeySpec:
    """A signing key to be created. `label` is for people: `siths/<environment>/<ca>/<purpose>/<yyyy-mm>`."""

    algorithm: Algorithm
    label: str


@dataclass(frozen=True)
class KeyRef:
    """A key in a token. `key_id` is CKA_ID in lower-case hex; `public_key_der` is its SubjectPublicKeyInfo, empty for secrets."""

    key_id: str
    label: str
    algorithm: Algorithm
    public_key_der: bytes = field(default=b"", repr=False)


@dataclass(frozen=True)
class Signatures:
    """The result of signing several pieces of data: `made` has the signatures of the first ones, in their order.

    `error` is what kept the token from signing the next one, and tells whether that had begun; None if all are signed or the time
    ran out. None of the later ones was begun.
    """

    made: tuple[bytes, ...]
    error: HsmError | None = None


@dataclass(frozen=True)
class KeyAttributes:
    """The attributes of a private or secret key in the token (PKCS #11 section 4.9)."""

    key_id: str
    label: str
    kind: str
    attributes: dict[str, bool]


@dataclass(frozen=True)
class TokenObject:
    """An object in a token. `kind` is CKO_'s name in lower case; `public_key_sha256` is of the SubjectPublicKeyInfo."""

    kind: str
    key_id: str
    label: str
    attributes: dict[str, bool] = field(default_factory=dict)
    public_key_sha256: str = ""


@dataclass(frozen=True)
class Health:
    """The result of a probe of the token: `token` its label, `serial` its number, `locking` `os` or `global`."""

    token: str
    serial: str
    locking: str
    private_keys: int
