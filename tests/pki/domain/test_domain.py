"""Serials, names, alternative names and keys, without a database."""

import math

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from hypothesis import given
from hypothesis import strategies as st

from pki.domain import alternative_names, ca_states, keys, names, serials
from pki.domain.profiles import PROFILES

HSA = PROFILES["person-hsaid-auth"].subject
VALUES = {
    "countryName": "SE",
    "organizationName": "Demoregionen",
    "commonName": "Åsa Östberg",
    "surname": "Östberg",
    "givenName": "Åsa",
    "serialNumber": "SE2321000016-1003",
}


@given(st.integers(0, 2**48 - 1))
def test_a_time_serial_is_positive_short_and_carries_its_time(milliseconds):
    serial = serials.time_random(milliseconds)
    assert serial >> 72 == milliseconds
    assert 0 < serial.bit_length() <= 120 or milliseconds == 0
    assert len(serial.to_bytes(serial.bit_length() // 8 + 1)) <= 20


def test_many_serials_of_one_millisecond_differ():
    drawn = {serials.time_random(1_795_000_000_000) for _ in range(100_000)}
    assert len(drawn) == 100_000
    low = [serial & (2**72 - 1) for serial in drawn]
    # Each of the 72 low bits is set in about half of them: within eight standard deviations.
    for bit in range(72):
        ones = sum(value >> bit & 1 for value in low)
        assert abs(ones - 50_000) < 8 * math.sqrt(100_000) / 2


def test_plain_serials_have_one_length_and_no_sign():
    drawn = {serials.random() for _ in range(10_000)}
    assert len(drawn) == 10_000
    assert {len(serials.text(serial)) for serial in drawn} == {32}
    assert all(serial.to_bytes(16)[0] & 0x80 == 0 for serial in drawn)


@given(st.integers(1, 2**159 - 1))
def test_serial_text_is_whole_octets_and_reads_back(serial):
    text = serials.text(serial)
    assert (len(text) % 2, text[:2] != "00", text.upper()) == (0, True, text)
    assert serials.number(text) == serial


@pytest.mark.parametrize("text", ["", "0", "00", "-1", "xyz", "F" * 40, "1" * 41])
def test_what_is_no_serial_is_refused(text):
    with pytest.raises(ValueError, match=r"."):
        serials.number(text)


def test_a_subject_in_order_has_no_faults():
    assert names.faults(HSA, VALUES) == {}
    assert (
        names.build(HSA, VALUES)
        .rfc4514_string()
        .startswith("2.5.4.5=SE2321000016-1003,2.5.4.42=Åsa,2.5.4.4=Östberg,CN=Åsa Östberg")
    )


@pytest.mark.parametrize(
    ("change", "field", "text"),
    [
        ({"commonName": "å" * 65}, "commonName", "65 tecken långt. I certifikatet ryms 64"),
        ({"organizationName": "x" * 65}, "organizationName", "ryms 64"),
        ({"title": "x" * 65}, "title", "ryms 64"),
        ({"surname": ""}, "surname", "Efternamnet saknas"),
        ({"givenName": " Åsa"}, "givenName", "blanktecken i kanten"),
        ({"commonName": "Åsa\u200bÖstberg"}, "commonName", "tecken som inte syns"),
        ({"commonName": "Åsa\x00Östberg"}, "commonName", "tecken som inte syns"),
        ({"commonName": "Åsa\u2028Östberg"}, "commonName", "tecken som inte syns"),
        ({"commonName": "Åsa\u2029Östberg"}, "commonName", "tecken som inte syns"),
        ({"serialNumber": "SE2321000016_1003"}, "serialNumber", "inte ryms"),
        ({"serialNumber": "232100-0016"}, "serialNumber", "inte rätt form"),
        ({"countryName": "se"}, "countryName", "inte rätt form"),
        ({"countryName": "SWE"}, "countryName", "ryms 2"),
        ({"mail": "x"}, "mail", "får inte finnas"),
    ],
)
def test_what_does_not_fit_a_subject_is_said_in_swedish(change, field, text):
    found = names.faults(HSA, VALUES | change)
    assert list(found) == [field]
    assert text in found[field][0]
    assert all(value not in found[field][0] for value in change.values() if len(value) > 3)


def test_64_characters_fit():
    assert names.faults(HSA, VALUES | {"commonName": "å" * 64}) == {}


@pytest.mark.parametrize(
    ("common_name", "stem"),
    [
        ("SITHS e-id Person ID 3 CA v1", "sithseidpersonid3cav1"),
        ("DEMO SITHS e-id Person HSA-id 3 CA v1", "demosithseidpersonhsaid3cav1"),
    ],
)
def test_a_file_is_named_by_the_ca(common_name, stem):
    assert names.file_stem(common_name) == stem


ALL = alternative_names.KINDS


@pytest.mark.parametrize(
    "values",
    [
        {"dNSName": "api.example.com, localhost", "iPAddress": "127.0.0.1,::1"},
        {"rfc822Name": "a.b+c@example.com"},
        {"userPrincipalName": "åsa@region.example.com"},
        {},
    ],
)
def test_alternative_names_in_order(values):
    assert alternative_names.faults(ALL, False, values) == {}


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"dNSName": "under_score.example.com"}, "dNSName"),
        ({"dNSName": "*.example.com"}, "dNSName"),
        ({"dNSName": "å.example.com"}, "dNSName"),
        ({"dNSName": "a" * 64 + ".example.com"}, "dNSName"),
        ({"iPAddress": "127.0.0.256"}, "iPAddress"),
        ({"iPAddress": "10.0.0.0/8"}, "iPAddress"),
        ({"rfc822Name": "åsa@example.com"}, "rfc822Name"),
        ({"rfc822Name": "asa@example"}, "rfc822Name"),
        ({"userPrincipalName": "asa"}, "userPrincipalName"),
        ({"directoryName": "x"}, "directoryName"),
    ],
)
def test_alternative_names_that_are_wrong(values, field):
    assert list(alternative_names.faults(ALL, False, values)) == [field]


def test_a_required_alternative_name_is_missed():
    assert list(alternative_names.faults(("dNSName",), True, {"dNSName": " , "})) == ["subject_alternative"]


ALLOWED = ("rsa", "ec-p256", "ec-p384")


@pytest.mark.parametrize("key", [ec.SECP256R1(), ec.SECP384R1(), 2048, 3072])
def test_keys_that_are_certified(key):
    made = rsa.generate_private_key(65537, key) if isinstance(key, int) else ec.generate_private_key(key)
    assert keys.fault(made.public_key(), ALLOWED) is None


def _rsa(n: int, e: int = 65537) -> rsa.RSAPublicKey:
    return rsa.RSAPublicNumbers(e, n).public_key()


def _roca() -> int:
    """A modulus as the flawed generator makes them: a power of 65537 modulo the product of small primes."""
    product = math.prod([11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127, 151, 157])
    candidate = pow(65537, 4711, product) + product * (2**2047 // product + 1)
    return candidate if candidate % 2 else candidate + product


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: rsa.generate_private_key(65537, 1024).public_key(), "1024 bitar"),
        (lambda: rsa.generate_private_key(3, 2048).public_key(), "exponent"),
        (lambda: _rsa(_roca()), "ROCA"),
        (lambda: ec.generate_private_key(ec.SECP521R1()).public_key(), "Nyckeltypen"),
        (lambda: ed25519.Ed25519PrivateKey.generate().public_key(), "Nyckeltypen"),
    ],
)
def test_keys_that_are_not(make, text):
    assert text in (keys.fault(make(), ALLOWED) or "")


def test_a_key_type_that_the_profile_does_not_take():
    assert keys.fault(ec.generate_private_key(ec.SECP256R1()).public_key(), ("rsa",)) is not None


def test_states_from_which_a_ca_never_works_again():
    given = {target for targets in ca_states.TRANSITIONS.values() for target in targets}
    assert {state for state in given if ca_states.is_final_state(state)} == {"retired", "compromised"}
