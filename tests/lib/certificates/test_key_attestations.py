"""Attestations of keys: who signed, which keys, and what is refused."""

import base64
import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from siths_portal.lib import clock
from siths_portal.lib.certificates.key_attestations import AttestationRefused, attested_keys
from tests.issuance.suppliers.attesting import CardMaker
from tests.tls import DAY, SmallCa

MAKER = CardMaker()
KEY = ec.generate_private_key(ec.SECP256R1()).public_key()


def spki(key: Any) -> bytes:
    return bytes(key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo))


def test_the_attested_keys_are_those_of_the_jwt() -> None:
    rsa_key = rsa.generate_private_key(65537, 2048).public_key()
    token = MAKER.attest([KEY, rsa_key], exp=int((clock.now() + DAY).timestamp()), key_storage=["iso_18045_high"])
    assert attested_keys(token, [MAKER.root], clock.now()) == {spki(KEY), spki(rsa_key)}
    whole = MAKER.attest([KEY], chain=[MAKER.signer.der, MAKER.root.public_bytes(serialization.Encoding.DER)])
    assert attested_keys(whole, [SmallCa("other").certificate, MAKER.root], clock.now()) == {spki(KEY)}


def _changed(token: str) -> str:
    head, payload, signature = token.split(".")
    return f"{head}.{payload}.{signature[:-4]}{'AAAA' if signature[-4:] != 'AAAA' else 'BBBB'}"


def _other_payload(token: str) -> str:
    head, _payload, signature = token.split(".")
    return f"{head}.{MAKER.attest([]).split('.')[1]}.{signature}"


def _jwk(**changes: Any) -> str:
    return MAKER.attest([], attested_keys=[{"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"} | changes])


REFUSED: dict[str, tuple[Callable[[], str], str]] = {
    "no JWT": (lambda: "x", "malformed"),
    "not ASCII": (lambda: "å.å.å", "malformed"),
    "too long": (lambda: MAKER.attest([KEY], more="x" * 20_000), "too-long"),
    "another type": (lambda: MAKER.attest([KEY], header={"typ": "JWT"}), "malformed"),
    "no type": (lambda: MAKER.attest([KEY], header={"typ": None}), "malformed"),
    "no chain": (lambda: MAKER.attest([KEY], header={"x5c": None}), "malformed"),
    "an empty chain": (lambda: MAKER.attest([KEY], chain=[]), "malformed"),
    "no certificate": (lambda: MAKER.attest([KEY], chain=[b"x"]), "malformed"),
    "a key in the header": (lambda: MAKER.attest([KEY], header={"jwk": {"kty": "EC"}}), "malformed"),
    "a foreign root": (lambda: CardMaker().attest([KEY]), "root"),
    "the signer's chain, another's signature": (
        lambda: MAKER.attest([KEY], signer=CardMaker().signer, chain=[MAKER.signer.der]), "signature"
    ),
    "a signer that is another's issuer": (
        lambda: MAKER.attest([KEY], signer=(other := CardMaker()).signer, chain=[other.signer.der, MAKER.signer.der]), "chain"
    ),
    "a changed signature": (lambda: _changed(MAKER.attest([KEY])), "signature"),
    "another payload": (lambda: _other_payload(MAKER.attest([KEY])), "signature"),
    "an ended signer": (
        lambda: MAKER.attest([KEY], signer=MAKER.ca.issue("old", not_after=clock.now() - DAY / 2)), "out-of-time"
    ),
    "made in the future": (lambda: MAKER.attest([KEY], iat=int((clock.now() + DAY).timestamp())), "out-of-time"),
    "expired": (lambda: MAKER.attest([KEY], exp=int((clock.now() - DAY).timestamp())), "out-of-time"),
    "no time": (lambda: MAKER.attest([KEY], iat=None), "malformed"),
    "a time in words": (lambda: MAKER.attest([KEY], iat="now"), "malformed"),
    "no keys": (lambda: MAKER.attest([KEY], attested_keys=None), "malformed"),
    "an empty list of keys": (lambda: MAKER.attest([]), "malformed"),
    "too many keys": (lambda: MAKER.attest([KEY] * 21), "malformed"),
    "a key that is none": (lambda: _jwk(), "malformed"),
    "a secret key": (lambda: _jwk(kty="oct", k="AAAA"), "malformed"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused(name: str) -> None:
    make, reason = REFUSED[name]
    with pytest.raises(AttestationRefused) as refused:
        attested_keys(make(), [MAKER.root], clock.now())
    assert refused.value.reason == reason


def test_without_a_valid_root_nothing_is_attested() -> None:
    token = MAKER.attest([KEY])
    for roots, moment in (([], clock.now()), ([MAKER.root], clock.now() + dt.timedelta(days=200))):
        with pytest.raises(AttestationRefused):
            attested_keys(token, roots, moment)


def test_a_certificate_that_may_not_issue_issues_no_signer() -> None:
    """A leaf of the same root signs a certificate of its own making."""
    leaf = MAKER.ca.issue("leaf")
    key = ec.generate_private_key(ec.SECP256R1())
    forged = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([]))
        .issuer_name(leaf.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(clock.now() - DAY)
        .not_valid_after(clock.now() + DAY)
        .sign(leaf.key, hashes.SHA256())
    )
    from tests.tls import Identity

    signer = Identity(forged, key)
    token = MAKER.attest([KEY], signer=signer, chain=[signer.der, leaf.der])
    with pytest.raises(AttestationRefused) as refused:
        attested_keys(token, [MAKER.root], clock.now())
    assert refused.value.reason == "chain"


def test_the_chain_is_base64_and_not_base64url() -> None:
    loose = base64.urlsafe_b64encode(MAKER.signer.der).decode().rstrip("=") + "\n"
    with pytest.raises(AttestationRefused):
        attested_keys(MAKER.attest([KEY], header={"x5c": [loose]}), [MAKER.root], clock.now())
