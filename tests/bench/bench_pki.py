"""Signatures in the token, beside the same signatures with a key in this process's memory."""

from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from django.conf import settings

from pki.hsm import Algorithm, Hsm, KeySpec, Scheme
from tests.pki_fixtures import TEST_PIN, make_token

MESSAGE = b"x" * 1200  # about a TBSCertificate

Measure = Callable[[str, str, dict[str, Callable[[], object]]], dict[str, float]]


@pytest.fixture(scope="module")
def token() -> Hsm:
    """A token of its own."""
    make_token("bench")
    return Hsm(path=settings.PKCS11_MODULE, token_label="bench", read_pin=lambda: TEST_PIN)


@pytest.mark.parametrize("bits", [2048, 4096])
def test_rsa_signatures(token: Hsm, side_by_side: Measure, bits: int) -> None:
    ref = token.generate(KeySpec(Algorithm(f"rsa-{bits}"), f"bench/rsa-{bits}"))
    key = rsa.generate_private_key(65537, bits)
    rates = side_by_side(
        "pki",
        f"signatures RSA-{bits} SHA-512",
        {
            "pki.hsm on SoftHSM": lambda: token.sign(ref, MESSAGE, Scheme.RSA_SHA512),
            "cryptography, key in memory": lambda: key.sign(MESSAGE, padding.PKCS1v15(), hashes.SHA512()),
        },
    )
    assert all(rates.values())


def test_ecdsa_signatures(token: Hsm, side_by_side: Measure) -> None:
    ref = token.generate(KeySpec(Algorithm.EC_P256, "bench/p256"))
    key = ec.generate_private_key(ec.SECP256R1())
    rates = side_by_side(
        "pki",
        "signatures ECDSA P-256 SHA-256",
        {
            "pki.hsm on SoftHSM": lambda: token.sign(ref, MESSAGE, Scheme.ECDSA_SHA256),
            "cryptography, key in memory": lambda: key.sign(MESSAGE, ec.ECDSA(hashes.SHA256())),
        },
    )
    assert all(rates.values())
