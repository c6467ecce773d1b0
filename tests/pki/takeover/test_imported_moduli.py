"""RSA keys of a CA that was taken over take part in the search for shared primes (B1.12, rules/pki 9.2)."""

import base64
import datetime as dt
import json
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from pki.domain import moduli
from pki.issuing import shared_factors
from pki.models import Certificate, Event, ModulusBlock, RsaKey
from tests.pki.issuing.test_key_checks import key_of, primes
from tests.pki.orders import csr, order, plan
from tests.pki.takeover import takeover_world as world

__all__ = ["primes"]
NAME = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "OLD Moduli CA")])


def taken_over(folder: Path, *keys) -> list[Certificate]:
    """Imports a CA, whose key stays elsewhere, with a certificate for each key; their rows, in the keys' order."""
    key, start = ec.generate_private_key(ec.SECP256R1()), dt.datetime.now(dt.UTC).replace(microsecond=0) - dt.timedelta(days=9)
    ski = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    own = x509.CertificateBuilder(NAME, NAME, key.public_key(), 1, start, start + dt.timedelta(days=4000))
    own = own.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    folder.mkdir()
    (folder / "ca.cer").write_bytes(own.add_extension(ski, critical=False).sign(key, hashes.SHA256()).public_bytes(Encoding.DER))
    lines = []
    for number, each in enumerate(keys):
        made = x509.CertificateBuilder(NAME, NAME, each, (1 << 119) + number, start, start + dt.timedelta(days=800))
        der = made.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)
        lines.append(json.dumps({"der": base64.b64encode(der).decode(), "status": "issued"}))
    (folder / "certificates.jsonl").write_text("\n".join(lines))
    (folder / "import.yaml").write_text(
        "format: jsonl\nca:\n  slug: old-moduli\n  certificate: ca.cer\n  crl_period: 60m\n  crl_validity: 48h\n"
    )
    world.approve(folder)
    world.run(folder)
    return list(Certificate.objects.filter(ca__slug="old-moduli", serial__gt="80").order_by("serial"))


def statuses(*rows) -> list[tuple[str, str]]:
    found = Certificate.objects.in_bulk([row.pk for row in rows])
    return [(found[row.pk].status, found[row.pk].reason) for row in rows]


REVOKED, ISSUED = ("revoked", "keyCompromise"), ("issued", "")


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    """Blocks are folded without waiting for company."""
    monkeypatch.setattr(shared_factors, "LONGEST_WAIT", shared_factors.LONGEST_WAIT * 0)


def test_imported_keys_that_share_a_prime_are_found_among_themselves(demo_pki, primes, tmp_path):
    keys = [key_of(primes[0], primes[1]), key_of(primes[2], primes[1]), rsa.generate_private_key(65537, 2048)]
    rows = taken_over(
        tmp_path / "in", *(each.public_key() for each in keys), ec.generate_private_key(ec.SECP256R1()).public_key()
    )
    assert len(rows) == 4
    assert set(RsaKey.objects.values_list("spki_sha256", flat=True)) == {row.spki_sha256 for row in rows[:3]}
    assert shared_factors.compare_due() == 2
    assert statuses(*rows) == [REVOKED, REVOKED, ISSUED, ISSUED]
    assert Event.objects.filter(action="rsa_key.shared_factor_found").count() == 2


def test_a_card_key_that_shares_a_prime_with_an_imported_one_is_found(demo_pki, primes, tmp_path):
    (old,) = taken_over(tmp_path / "in", key_of(primes[0], primes[1]).public_key())
    assert shared_factors.compare_due() == 0
    (id_,) = plan(order(csr_der=csr(key_of(primes[2], primes[1]))))
    assert shared_factors.compare_due() == 2
    assert statuses(old, Certificate.objects.get(pk=id_)) == [REVOKED, REVOKED]


def test_a_certificate_over_a_multiple_of_somebodys_modulus_gets_his_key_not_revoked(demo_pki, primes, tmp_path):
    """An imported certificate proves no possession: its modulus may be anything."""
    victim = key_of(primes[0], primes[1])
    multiple = rsa.RSAPublicNumbers(65537, primes[0] * primes[1] * primes[2]).public_key()
    (id_,) = plan(order(csr_der=csr(victim)))
    demo_pki.settle()
    assert shared_factors.compare_due() == 0
    (hostile,) = taken_over(tmp_path / "in", multiple)
    assert shared_factors.compare_due() == 1
    assert statuses(Certificate.objects.get(pk=id_), hostile) == [ISSUED, REVOKED]


def test_numbers_that_are_no_moduli_stop_nothing(demo_pki, primes, tmp_path):
    even = rsa.RSAPublicNumbers(65537, 2 * primes[0] * primes[1]).public_key()
    whole = key_of(primes[2], primes[3]).public_key()
    rows = taken_over(tmp_path / "in", even, whole)
    assert shared_factors.compare_due() == 0
    assert statuses(*rows) == [ISSUED, ISSUED]
    assert bytes(ModulusBlock.objects.get().product) == moduli.product([primes[2] * primes[3]]).to_bytes(256)


def test_the_newest_block_is_compared_first(demo_pki, primes, monkeypatch):
    """Weeks of comparing what was taken over keep no new key waiting."""
    monkeypatch.setattr(shared_factors, "BLOCK", 1)
    for number in range(3):
        plan(order(subject_ref=f"person:{number}", csr_der=csr(rsa.generate_private_key(65537, 2048))))
        shared_factors._fold()
    first, second, third = ModulusBlock.objects.order_by("id").values_list("id", flat=True)
    assert shared_factors._compare() == 0
    assert dict(ModulusBlock.objects.values_list("id", "compared_to")) == {first: 0, second: 0, third: first}
