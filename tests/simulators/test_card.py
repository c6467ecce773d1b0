"""The software smart card, on real SoftHSM tokens, each act in a process of its own."""

import datetime as dt
import fcntl
import threading
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.x509.oid import NameOID

from siths_portal.lib import clock
from siths_portal.simulators.card import PROFILES, Card, CardError, Tries, luhn_digit, new_serial
from tests.waiting import wait_for

PUK, TRANSPORT = "31415926", "transport-8d1f0c"


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Card:
    return Card.make(tmp_path_factory.mktemp("cards"), new_serial(), puk=PUK, transport_code=TRANSPORT)


@pytest.fixture
def card(made: Card) -> Card:
    made.unblock(puk=PUK, new_code="246810")
    return made


def _certificates(csrs: dict[str, str]) -> dict[str, str]:
    ca = ec.generate_private_key(ec.SECP256R1())
    result = {}
    for profile, pem in csrs.items():
        request = x509.load_pem_x509_csr(pem.encode())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, profile)])
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(request.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(clock.now())
            .not_valid_after(clock.now() + dt.timedelta(days=1))
            .sign(ca, hashes.SHA256())
        )
        result[profile] = certificate.public_bytes(serialization.Encoding.PEM).decode()
    return result


def test_serial_has_nineteen_digits_and_a_luhn_digit() -> None:
    assert luhn_digit("7992739871") == "3"  # the worked example of ISO/IEC 7812-1
    for _ in range(50):
        serial = new_serial()
        assert len(serial) == 19
        assert serial.startswith("9752")
        assert luhn_digit(serial[:-1]) == serial[-1]


def test_four_requests_are_signed_by_four_rsa_keys_on_the_card(card: Card) -> None:
    requests = {profile: x509.load_pem_x509_csr(pem.encode()) for profile, pem in card.csrs(code="246810").items()}
    assert set(requests) == set(PROFILES)
    assert all(request.is_signature_valid and request.public_key().key_size == 2048 for request in requests.values())
    assert len({request.public_key().public_numbers().n for request in requests.values()}) == 4


def test_card_key_proves_the_card_without_code(card: Card) -> None:
    public = serialization.load_pem_public_key(card.card_key().encode())
    assert isinstance(public.curve, ec.SECP256R1)
    public.verify(card.prove(b"handle"), b"handle", ec.ECDSA(hashes.SHA256()))
    with pytest.raises(InvalidSignature):
        public.verify(card.prove(b"other"), b"handle", ec.ECDSA(hashes.SHA256()))


def test_signs_with_the_code_only(card: Card) -> None:
    public = x509.load_pem_x509_csr(card.csrs(code="246810")["person-id-sign"].encode()).public_key()
    public.verify(card.sign("person-id-sign", b"text", code="246810"), b"text", padding.PKCS1v15(), hashes.SHA256())
    with pytest.raises(CardError, match="wrong-code"):
        card.sign("person-id-sign", b"text", code="999999")
    assert card.tries() == Tries(2, 10)
    card.sign("person-id-sign", b"text", code="246810")
    assert card.tries() == Tries(3, 10)


def test_a_card_with_p256_keys_requests_signs_and_stores_as_others_do(tmp_path: Path) -> None:
    card = Card.make(tmp_path, new_serial(), puk=PUK, transport_code=TRANSPORT, keys="ec-p256")
    csrs = card.csrs(code=TRANSPORT)
    requests = [x509.load_pem_x509_csr(csrs[profile].encode()) for profile in PROFILES]
    assert all(request.is_signature_valid and isinstance(request.public_key().curve, ec.SECP256R1) for request in requests)
    assert len({request.public_key().public_numbers() for request in requests}) == 4
    signature = card.sign("person-id-sign", b"text", code=TRANSPORT)
    requests[PROFILES.index("person-id-sign")].public_key().verify(signature, b"text", ec.ECDSA(hashes.SHA256()))
    certificates = _certificates(csrs)
    card.store_certificates(certificates, code=TRANSPORT)
    assert card.certificates() == certificates


def test_three_wrong_codes_block_and_the_puk_unblocks_with_the_same_keys(card: Card) -> None:
    before = card.csrs(code="246810")["person-id-auth"]
    for expected in ("wrong-code", "wrong-code", "code-blocked", "code-blocked"):
        with pytest.raises(CardError, match=expected):
            card.sign("person-id-sign", b"text", code="111111")
    with pytest.raises(CardError, match="code-blocked"):
        card.sign("person-id-sign", b"text", code="246810")
    with pytest.raises(CardError, match="wrong-puk"):
        card.unblock(puk="00000000", new_code="135791")
    assert card.tries() == Tries(0, 9)
    with pytest.raises(CardError, match="bad-code"):
        card.unblock(puk=PUK, new_code="12345")
    card.unblock(puk=PUK, new_code="135791")
    after = card.csrs(code="135791")["person-id-auth"]
    keys = [x509.load_pem_x509_csr(pem.encode()).public_key() for pem in (before, after)]
    assert keys[0] == keys[1]


def test_ten_wrong_puks_end_the_card(tmp_path: Path) -> None:
    card = Card.make(tmp_path, new_serial(), puk=PUK, transport_code=TRANSPORT)
    for _ in range(9):
        with pytest.raises(CardError, match="wrong-puk"):
            card.unblock(puk="00000000", new_code="246810")
    for puk in ("00000000", PUK):
        with pytest.raises(CardError, match="puk-blocked"):
            card.unblock(puk=puk, new_code="246810")


def test_certificates_are_stored_beside_their_own_keys_and_read_without_code(card: Card) -> None:
    certificates = _certificates(card.csrs(code="246810"))
    swapped = {"person-id-auth": certificates["person-id-sign"]}
    with pytest.raises(CardError, match="mismatch"):
        card.store_certificates(swapped, code="246810")
    assert card.certificates() == {}
    card.store_certificates(certificates, code="246810")
    card.store_certificates(certificates, code="246810")
    assert card.certificates() == certificates


def test_making_that_was_cut_off_begins_anew_and_a_finished_card_is_left_alone(tmp_path: Path) -> None:
    serial = new_serial()
    (tmp_path / serial / "tokens").mkdir(parents=True)
    (tmp_path / serial / "tokens" / "half").write_text("x")
    card = Card.make(tmp_path, serial, puk=PUK, transport_code=TRANSPORT)
    key = card.card_key()
    with pytest.raises(CardError, match="exists"):
        Card.make(tmp_path, serial, puk=PUK, transport_code=TRANSPORT)
    assert card.card_key() == key


def test_a_making_waits_for_one_that_outlived_its_starter(tmp_path: Path) -> None:
    serial, outcomes = new_serial(), []
    folder = tmp_path / serial
    (folder / "tokens").mkdir(parents=True)

    def attempt() -> None:
        try:
            Card.make(tmp_path, serial, puk=PUK, transport_code=TRANSPORT)
        except CardError as error:
            outcomes.append(error.code)

    second = threading.Thread(target=attempt)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        number = f":{(folder / 'lock').stat().st_ino} "
        second.start()
        wait_for(lambda: any("->" in line and number in line for line in Path("/proc/locks").read_text().splitlines()))
        (folder / "tokens" / "key").write_text("of the first")
        (folder / "tries.json").write_text("{}")
    second.join()
    assert outcomes == ["exists"]
    assert (folder / "tokens" / "key").read_text() == "of the first"


def test_an_absent_card_says_so(tmp_path: Path) -> None:
    with pytest.raises(CardError, match="absent"):
        Card(tmp_path / new_serial()).certificates()


def test_two_readers_at_once_count_every_try(card: Card) -> None:
    outcomes: list[str] = []

    def attempt() -> None:
        try:
            card.sign("person-id-auth", b"x", code="000000")
        except CardError as error:
            outcomes.append(error.code)

    threads = [threading.Thread(target=attempt) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["code-blocked"] * 3 + ["wrong-code"] * 2


def test_no_private_key_leaves_the_card_folder_in_the_clear(made: Card) -> None:
    found = [path for path in made.folder.rglob("*") if path.is_file() and b"PRIVATE KEY" in path.read_bytes()]
    assert found == []
    assert (made.folder / "tokens").stat().st_mode & 0o077 == 0
