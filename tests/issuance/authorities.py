"""CAs that plan: rows whose keys lie in no token, since issuance only plans certificates; signing is tested in `tests/pki`."""

import datetime as dt
import hashlib
from dataclasses import dataclass
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from joserfc import jwe
from joserfc.jwk import ECKey
from joserfc.registry import HeaderParameter

from issuance.carriers.domain.kinds import CARD_PROFILES
from issuance.records.domain.ids import luhn_check_digit
from pki import service as pki
from pki.models import (
    CaState,
    Certificate,
    CertificateAuthority,
    CertificateStatus,
    HsmKey,
    KeyFinding,
    KeyPurpose,
    Secret,
    SecretState,
)
from pki.secrets.received import tell_settled
from siths_portal.lib import clock

DAY = dt.timedelta(days=1)
_CA_KEY = ec.generate_private_key(ec.SECP256R1())
_PUK_KEY = ec.generate_private_key(ec.SECP256R1())


def make_authorities() -> None:
    """The two level-3 CAs, the CA of earlier cards, and the key that PUKs are encrypted to."""
    root = make_authority("root", "DEMO SITHS e-id Root CA v2", CaState.OFFLINE)
    for slug, name, state in (
        ("person-hsaid-3", "DEMO SITHS e-id Person HSA-id 3 CA v1", CaState.ACTIVE),
        ("person-id-3", "DEMO SITHS e-id Person ID 3 CA v1", CaState.ACTIVE),
        ("demo-bulk", "DEMO SITHS e-id Bulk CA v1", CaState.STATUS_ONLY),
    ):
        make_authority(slug, name, state, root)
    public = _PUK_KEY.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    HsmKey.objects.create(
        finding=KeyFinding.AS_RECORDED,
        key_id="aa", purpose=KeyPurpose.SECRET_DERIVE, token_label="none", label="derive", algorithm="EC P-256",
        public_key_der=public, created_at=clock.now(),
    )  # fmt: skip


def make_authority(
    slug: str, common_name: str, state: CaState, parent: CertificateAuthority | None = None
) -> CertificateAuthority:
    """A CA with this name and state, and a certificate of its own."""
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "SE"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Demo AB"),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )
    start = (clock.now() - 2000 * DAY).replace(microsecond=0)
    ski = x509.SubjectKeyIdentifier.from_public_key(_CA_KEY.public_key())
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(_CA_KEY.public_key())
    builder = builder.serial_number(x509.random_serial_number()).not_valid_before(start).not_valid_after(start + 7000 * DAY)
    builder = builder.add_extension(ski, False).add_extension(x509.BasicConstraints(True, None), True)
    certificate = builder.sign(_CA_KEY, hashes.SHA256())
    return CertificateAuthority.objects.create(
        slug=slug, common_name=common_name, state=state, parent=parent, definition_sha256="0" * 64,
        subject_der=name.public_bytes(), certificate_der=certificate.public_bytes(serialization.Encoding.DER),
        spki_sha256=hashlib.sha256(slug.encode()).hexdigest(), ski=ski.digest.hex(), not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc, file_stem=slug.replace("-", ""), token_label="none", key_id="00",
        crl_period=DAY, crl_validity=2 * DAY, created_at=clock.now(),
    )  # fmt: skip


@dataclass(frozen=True)
class Card:
    """What a supplier sends of a card."""

    serial: str
    key: bytes
    csrs: dict[str, bytes]


def serial_of(number: int) -> str:
    """The `number`th serial of the tests, with its check digit."""
    digits = f"9752{number:014}"
    return digits + luhn_check_digit(digits)


def card(number: int) -> Card:
    """The `number`th card of the tests; its keys, all on P-256 to be quick, are made once a run."""
    return Card(serial_of(number), *_keys(number))


@cache
def _keys(number: int) -> tuple[bytes, dict[str, bytes]]:
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    spki = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return spki, {profile: _csr() for profile in CARD_PROFILES}


def _csr() -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, hashes.SHA256())
    return request.public_bytes(serialization.Encoding.DER)


def issue(ids: object = None) -> None:
    """Lets the planned certificates (all of them, or those with `ids`) be issued, as the signer would."""
    rows = Certificate.objects.filter(status=CertificateStatus.RESERVED)
    (rows if ids is None else rows.filter(pk__in=ids)).update(status=CertificateStatus.ISSUED, issued_at=clock.now())


def open_puks(refused: str = "", *, heard: bool = True) -> None:
    """Settles the PUKs that were received, as the `pki` worker would: sealed, or refused with this code.

    `heard`: the orders learn it by the signal.
    """
    waiting = Secret.objects.filter(state=SecretState.RECEIVED)
    ids = list(waiting.values_list("pk", flat=True))
    state, sealed_at = (SecretState.REFUSED, None) if refused else (SecretState.SEALED, clock.now())
    waiting.update(state=state, failure=refused, sealed_at=sealed_at, jwe=None)
    if heard:
        tell_settled(ids)


def puk_jwe(order_id: object, serial: str) -> str:
    """A PUK as suppliers send it. Each call gives another text."""
    names = {name: HeaderParameter(name, "str") for name in ("order", "serial")}
    registry = jwe.JWERegistry(header_registry=names, algorithms=["ECDH-ES", "A256GCM"])
    key = pki.secret_jwks()["keys"][0]
    header = {"alg": "ECDH-ES", "enc": "A256GCM", "kid": key["kid"], "order": str(order_id), "serial": serial}
    return jwe.encrypt_compact(header, b"12345678", ECKey.import_key(key), registry=registry)
