"""Keys that are judged by what is known of others: a list of weak keys, shared primes, keys in use, compromised keys."""

import hashlib
import subprocess
import sys

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key
from django.core import checks as framework
from django.db import connection, transaction

from pki import service
from pki.domain import keys, moduli, weak_keys
from pki.issuing import key_checks, shared_factors, signing
from pki.models import Certificate, CertificateAuthority, Event, HsmKey, ModulusBlock, Revocation, RsaKey
from siths_portal.lib import checks, clock
from siths_portal.lib.errors import Conflict, Invalid, Unavailable
from tests.pki import orders
from tests.pki.orders import csr, order, plan


@pytest.fixture(scope="session")
def primes() -> list[int]:
    """Four primes of 1024 bits, for keys that share them."""
    numbers = [rsa.generate_private_key(65537, 2048).private_numbers() for _ in range(2)]
    return [prime for each in numbers for prime in (each.p, each.q)]


@pytest.fixture(scope="session")
def close(primes) -> int:
    """The next prime after the first: to find it takes longer than all else here."""
    number = primes[0] + 2
    while not _is_prime(number):
        number += 2
    return number


def key_of(p: int, q: int) -> rsa.RSAPrivateKey:
    d = pow(65537, -1, (p - 1) * (q - 1))
    public = rsa.RSAPublicNumbers(65537, p * q)
    return rsa.RSAPrivateNumbers(p, q, d, d % (p - 1), d % (q - 1), rsa.rsa_crt_iqmp(p, q), public).private_key()


def spki(key) -> bytes:
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def refused(*wanted: service.CertificateOrder, error=Invalid):
    before = Certificate.objects.count()
    with pytest.raises(error) as caught:
        plan(*wanted)
    assert Certificate.objects.count() == before
    return caught.value


def revoke(*ids, reason="keyCompromise") -> None:
    with transaction.atomic():
        service.plan_revocation(ids, reason=reason, actor_ref="user:1", received_at=clock.now(), channel="portal")


# --- the list of weak keys ----------------------------------------------------------------------------------------------


@pytest.fixture
def listed(tmp_path, settings):
    """Writes the list and names it in the settings."""

    def write(*lines: str):
        path = tmp_path / "weak-keys"
        path.write_text("\n".join(lines))
        settings.PKI_WEAK_KEYS_FILE = str(path)
        return path

    return write


def test_a_key_on_the_list_by_its_hash_is_refused(demo_pki, listed):
    key = ec.generate_private_key(ec.SECP256R1())
    listed("# known keys", "", hashlib.sha256(b"another").hexdigest(), hashlib.sha256(spki(key)).hexdigest().upper())
    error = refused(order(csr_der=csr(key)))
    assert (error.code, list(error.fields)) == ("key-weak", ["csr"])
    plan(order())


def test_a_key_on_debians_list_is_refused(demo_pki, listed, tmp_path):
    """The entry is made as openssl-vulnkey makes it: from what `openssl rsa -modulus` prints."""
    key = orders.rsa_key()
    path = tmp_path / "key.der"
    path.write_bytes(spki(key))
    printed = subprocess.run(
        ["openssl", "rsa", "-pubin", "-inform", "DER", "-in", path, "-noout", "-modulus"], capture_output=True, check=True
    ).stdout
    listed("# comment of openssl-blacklist", hashlib.sha1(printed).hexdigest()[20:])
    assert refused(order(csr_der=csr(key))).code == "key-weak"
    plan(order(csr_der=csr(orders.rsa_key())))


def test_a_list_that_changes_is_read_anew(demo_pki, listed):
    key = ec.generate_private_key(ec.SECP256R1())
    listed("0" * 64)
    plan(order(csr_der=csr(key)))
    listed("0" * 64, hashlib.sha256(spki(key)).hexdigest())
    assert refused(order(csr_der=csr(key))).code == "key-weak"


@pytest.mark.parametrize("lines", [None, [""], ["# nothing"], ["0" * 63], ["0" * 62], ["g" * 64], ["0" * 64, "name"]])
def test_without_a_list_that_can_be_read_nothing_is_planned_and_nothing_starts(demo_pki, settings, listed, tmp_path, lines):
    if lines is None:
        settings.PKI_WEAK_KEYS_FILE = str(tmp_path / "missing")
    else:
        listed(*lines)
    assert refused(order(), error=Unavailable).code == "weak-keys-unreadable"
    assert "pki.E002" in {message.id for message in framework.run_checks(tags=[checks.TAG])}
    settings.FACE = "status"
    assert "pki.E002" not in {message.id for message in framework.run_checks(tags=[checks.TAG])}


def test_a_long_list_stays_small_and_is_searched_fast():
    values = [hashlib.sha256(number.to_bytes(4)).hexdigest().encode() for number in range(50_000)]
    found = weak_keys.parse(values)
    assert sys.getsizeof(found.spki._content) < 33 * 50_000
    assert all(bytes.fromhex(value.decode()) in found.spki for value in values[::997])
    assert hashlib.sha256(b"x").digest() not in found.spki


# --- what a modulus shows -----------------------------------------------------------------------------------------------


def test_small_factors_close_primes_and_squares_are_found(primes, close):
    p = primes[0]
    assert moduli.has_close_primes(p * close)
    assert moduli.has_close_primes(p * p)
    assert not moduli.has_close_primes(primes[0] * primes[1])
    assert moduli.has_small_factor(p * 751)
    assert not moduli.has_small_factor(primes[0] * primes[1])


def _is_prime(number: int) -> bool:
    if not all(number % small for small in range(3, 1000, 2)):
        return False
    return all(pow(base, number - 1, number) == 1 for base in (2, 3, 5, 7, 11))


@pytest.mark.parametrize(
    ("modulus", "text"), [("close", "för nära"), ("small", "litet tal"), ("odd-size", "jämnt delbart med 8")]
)
def test_such_a_modulus_is_refused_in_swedish(primes, close, modulus, text):
    p = primes[0]
    key = {
        "close": rsa.RSAPublicNumbers(65537, p * close),
        "small": rsa.RSAPublicNumbers(65537, (primes[1] * p // 3 | 1) * 3),
        "odd-size": rsa.RSAPublicNumbers(65537, primes[0] * primes[1] * 8 + 1),
    }[modulus].public_key()
    assert text in (keys.fault(key, ("rsa",)) or "")


def test_a_point_that_is_not_on_its_curve_is_no_key():
    """Read as a request, such a key is malformed; no check of ours is reached."""
    der = bytearray(spki(ec.generate_private_key(ec.SECP256R1())))
    der[-1] ^= 1
    with pytest.raises(ValueError, match=r"."):
        load_der_public_key(bytes(der))


@pytest.mark.parametrize("key", [ec.SECP384R1(), 3072])
def test_card_keys_are_rsa_2048_or_p256(demo_pki, key):
    made = rsa.generate_private_key(65537, key) if isinstance(key, int) else ec.generate_private_key(key)
    error = refused(order(csr_der=csr(made)))
    assert list(error.fields) == ["csr"]
    plan(order("function", csr_der=csr(made)))


# --- primes that two keys share -----------------------------------------------------------------------------------------


def test_keys_of_one_call_that_share_a_prime_are_refused(demo_pki, primes):
    requests = [csr(key_of(primes[0], primes[1])), csr(key_of(primes[2], primes[1])), csr(orders.rsa_key()), csr()]
    wanted = [order(profile, csr_der=request) for profile, request in zip(orders.PERSON_PROFILES, requests, strict=True)]
    error = refused(*wanted)
    assert (error.code, list(error.fields)) == ("key-shared-factor", ["csr"])


def test_batch_gcd_is_gcd(primes):
    numbers = [primes[0] * primes[1], primes[2] * primes[1], primes[3] * 7, primes[0] * 11, 13]
    expected = [primes[0] * primes[1], primes[1], 1, primes[0], 1]
    assert moduli.shared_factors(numbers) == expected
    assert moduli.shared_factors([]) == []
    assert moduli.shared_factors([15]) == [1]
    assert moduli.divisors(numbers, primes[3] * primes[1] * 13) == [primes[1], primes[1], primes[3], 1, 13]
    assert moduli.divisors([15], 35) == [5]
    assert moduli.product(numbers) == moduli.product(numbers[:2]) * moduli.product(numbers[2:])


def test_keys_certified_at_different_times_that_share_a_prime_are_found_and_revoked(demo_pki, primes, monkeypatch):
    monkeypatch.setattr(shared_factors, "LONGEST_WAIT", shared_factors.LONGEST_WAIT * 0)
    (first,) = plan(order(csr_der=csr(key_of(primes[0], primes[1]))))
    bystander = plan(order(subject_ref="person:2", csr_der=csr(orders.rsa_key())), order(subject_ref="person:4"))
    signing.sign_reserved()
    assert shared_factors.compare_due() == 0
    (second,) = plan(order(subject_ref="person:3", csr_der=csr(key_of(primes[2], primes[1]))))
    assert shared_factors.compare_due() == 2
    rows = {row.id: row for row in Certificate.objects.filter(id__in=[first, second, *bystander])}
    assert [(rows[id_].status, rows[id_].reason) for id_ in (first, second)] == [("revoked", "keyCompromise")] * 2
    assert {rows[id_].status for id_ in bystander} == {"issued"}
    assert set(Revocation.objects.values_list("requester", flat=True)) == {"system:shared-factors"}
    assert Event.objects.filter(action="rsa_key.shared_factor_found").count() == 2
    assert not ModulusBlock.objects.filter(compared_at=None).exists()
    assert shared_factors.compare_due() == 0
    assert refused(order(csr_der=csr(key_of(primes[0], primes[1]))), error=Conflict).code == "key-compromised"


def test_keys_of_one_block_that_share_a_prime_are_found(demo_pki, primes, monkeypatch):
    plan(order(csr_der=csr(key_of(primes[0], primes[1]))))
    plan(order(subject_ref="person:3", csr_der=csr(key_of(primes[2], primes[1]))))
    assert shared_factors.compare_due() == 0  # too few and too new for a block
    monkeypatch.setattr(shared_factors, "BLOCK", 2)
    assert shared_factors.compare_due() == 2
    assert set(Certificate.objects.filter(subject_ref__startswith="person:").values_list("status", flat=True)) == {"revoked"}


def test_a_search_that_is_cut_goes_on_where_it_was(demo_pki, primes, monkeypatch):
    monkeypatch.setattr(shared_factors, "BLOCK", 1)
    pairs = [(primes[0], primes[1]), (primes[2], primes[3]), (primes[1], primes[3])]
    for number, (p, q) in enumerate(pairs):
        plan(order(subject_ref=f"person:{number}", csr_der=csr(key_of(p, q))))
    found = sum(shared_factors.compare_due(seconds=0) for _ in range(3))  # each turn folds one block
    assert ModulusBlock.objects.count() == 3
    while ModulusBlock.objects.filter(compared_at=None).exists():
        step = shared_factors._compare()
        found += step or 0
    assert found >= 3
    assert set(Certificate.objects.filter(subject_ref__startswith="person:").values_list("status", flat=True)) == {"revoked"}


def test_a_key_is_entered_once_and_only_if_it_is_rsa(demo_pki):
    key = orders.rsa_key()
    for _ in range(2):
        plan(order(csr_der=csr(key)))
    plan(order())
    assert list(RsaKey.objects.values_list("spki_sha256", flat=True)) == [hashlib.sha256(spki(key)).hexdigest()]


# --- keys of one order --------------------------------------------------------------------------------------------------


def refused_set(*wanted: service.CertificateOrder) -> Invalid:
    with pytest.raises(Invalid) as caught, transaction.atomic():
        service.plan_certificates(wanted, actor_ref="user:1", unit_ref="", whole=True)
    return caught.value


def test_one_key_twice_in_a_set_is_refused_as_such_and_not_as_somebodys(demo_pki):
    shared = csr(ec.generate_private_key(ec.SECP256R1()))
    error = refused_set(*(order(csr_der=shared, key_field=f"csrs.{name}") for name in ("first", "second", "third")))
    assert (error.code, list(error.fields)) == ("key-repeated", ["csrs.second", "csrs.third"])
    assert "csrs.first" in error.fields["csrs.second"][0]


def test_keys_of_a_set_are_of_one_type(demo_pki):
    mixed = [
        order(csr_der=csr(rsa.generate_private_key(65537, 2048)), key_field="csrs.first"),
        order(csr_der=csr(ec.generate_private_key(ec.SECP256R1())), key_field="csrs.second"),
    ]
    error = refused_set(*mixed)
    assert error.code == "key-types-mixed"
    assert [reasons[0].split(".")[0] for reasons in error.fields.values()] == ["Nyckeln är RSA", "Nyckeln är P-256"]
    assert len(plan(*mixed)) == 2


# --- keys that are somebody's -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("purpose", ["ca", "ocsp"])
def test_our_own_keys_are_not_certified_for_anybody(demo_pki, purpose, monkeypatch):
    """Nobody can prove to have such a key, so what proves it is taken away first."""
    from pki.issuing import planning

    own = HsmKey.objects.filter(purpose=purpose).first()
    public = load_der_public_key(bytes(own.public_key_der))
    monkeypatch.setattr(planning, "_proven_key", lambda _order: public)
    error = refused(order("function"), error=Conflict)
    assert (error.code, list(error.fields)) == ("key-in-use", ["csr"])


def test_a_ca_whose_key_is_elsewhere_keeps_its_key_too(demo_pki):
    key = ec.generate_private_key(ec.SECP256R1())
    CertificateAuthority.objects.filter(slug="demo-bulk").update(spki_sha256=hashlib.sha256(spki(key)).hexdigest())
    assert refused(order(csr_der=csr(key)), error=Conflict).code == "key-in-use"


@pytest.mark.parametrize("first_reason", ["keyCompromise", "superseded"])
def test_a_compromise_that_is_recorded_later_counts_too(demo_pki, first_reason):
    request = csr()
    (id_,) = plan(order(csr_der=request))
    signing.sign_reserved([id_])
    revoke(id_, reason=first_reason)
    if first_reason != "keyCompromise":
        plan(order(csr_der=request))  # a new card's superseding is no compromise
        revoke(id_)
    error = refused(order(csr_der=request), error=Conflict)
    assert (error.code, list(error.fields)) == ("key-compromised", ["csr"])


def test_what_was_planned_with_a_key_is_not_signed_once_the_key_is_compromised(demo_pki):
    request = csr()
    (first,) = plan(order(csr_der=request))
    signing.sign_reserved([first])
    (renewal,) = plan(order(csr_der=request))
    revoke(first)
    assert signing.sign_reserved([renewal]) == 0
    assert Certificate.objects.get(id=renewal).status == "reserved"
    assert key_checks.revoke_compromised() == 1
    row = Certificate.objects.get(id=renewal)
    assert (row.status, row.reason) == ("revoked", "keyCompromise")


def test_other_certificates_of_a_compromised_key_are_revoked(demo_pki):
    request = csr()
    first, second, other = (plan(order(csr_der=wanted))[0] for wanted in (request, request, csr()))
    signing.sign_reserved([first, second, other])
    revoke(first)
    assert key_checks.revoke_compromised() == 1
    assert key_checks.revoke_compromised() == 0
    statuses = dict(Certificate.objects.values_list("id", "status"))
    assert [statuses[id_] for id_ in (first, second, other)] == ["revoked", "revoked", "issued"]


def test_keys_are_looked_up_by_their_index_however_many(db):
    hashes = [hashlib.sha256(bytes([number])).hexdigest() for number in range(250)]
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        assert "pki_cert_spki" in Certificate.objects.filter(key_checks.with_keys(hashes)).explain()
        assert "pki_cert_spki" not in Certificate.objects.filter(spki_sha256__in=hashes).explain()  # which is why
