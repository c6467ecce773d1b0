"""The token boundary on SoftHSM: threads, forks, death and return, PINs, and keys that do not leave."""

import multiprocessing
import os
import shutil
import threading
from pathlib import Path

import pkcs11
import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding
from django.conf import settings
from pkcs11 import Attribute, ObjectClass, exceptions

from pki import hsm
from pki.hsm import Algorithm, Hsm, KeySpec, Scheme, sessions
from pki.hsm.keys import verify
from pki.hsm.module import Module, module
from tests.pki.hsm.hsm_faults import counted, finalise_behind_the_back
from tests.pki_fixtures import TEST_PIN, make_token

CKR_PIN_INCORRECT = 0xA0


def opened(label: str, *, pin: str = TEST_PIN) -> Hsm:
    return Hsm(path=settings.PKCS11_MODULE, token_label=label, read_pin=lambda: pin)


@pytest.fixture(scope="module")
def token_label() -> str:
    make_token("hsm-tests")
    return "hsm-tests"


@pytest.fixture(scope="module")
def token(token_label) -> Hsm:
    return opened(token_label)


@pytest.fixture(scope="module")
def rsa_key(token):
    return token.generate(KeySpec(Algorithm.RSA_2048, "test/rsa"))


@pytest.fixture(scope="module")
def ec_key(token):
    return token.generate(KeySpec(Algorithm.EC_P256, "test/ec"))


@pytest.mark.parametrize(
    ("algorithm", "scheme"),
    [
        (Algorithm.RSA_2048, Scheme.RSA_SHA256),
        (Algorithm.RSA_2048, Scheme.RSA_SHA512),
        (Algorithm.EC_P256, Scheme.ECDSA_SHA256),
        (Algorithm.EC_P384, Scheme.ECDSA_SHA384),
    ],
)
def test_a_made_key_signs_and_is_found_by_the_hash_of_its_public_key(token, algorithm, scheme):
    ref = token.generate(KeySpec(algorithm, f"test/made/{scheme}"))
    assert token.find(ref.key_id) == ref
    assert token.find_label(ref.label) == ref.key_id
    public = token.public_key(ref)
    verify(public, token.sign(ref.key_id, b"data", scheme), b"data", scheme)
    with pytest.raises(InvalidSignature):
        verify(public, token.sign(ref, b"data", scheme), b"other", scheme)


def test_rsa_signatures_of_the_same_bytes_are_the_same(token, rsa_key):
    assert token.sign(rsa_key, b"tbs", Scheme.RSA_SHA256) == token.sign(rsa_key, b"tbs", Scheme.RSA_SHA256)


def test_a_digest_of_another_length_is_refused(token, rsa_key):
    with pytest.raises(ValueError, match="digest"):
        token.sign_digest(rsa_key, b"short", Scheme.RSA_SHA256)


@pytest.fixture
def relocked():
    """Starts the module anew with another way of keeping threads apart, and back at the end."""
    here = module(settings.PKCS11_MODULE, "auto")

    def relock(locking: str) -> None:
        here.locking = locking
        here.restart(here.generation)

    yield relock
    relock("auto")


@pytest.mark.parametrize("locking", ["os", "global"])
def test_threads_sign_at_once(token, rsa_key, ec_key, locking, relocked):
    relocked(locking)
    shared = token
    public = {ref.key_id: shared.public_key(ref) for ref in (rsa_key, ec_key)}
    signatures, faults = [], []

    def work(number: int) -> None:
        try:
            for turn in range(200):
                ref, scheme = (rsa_key, Scheme.RSA_SHA256) if turn % 10 == 0 else (ec_key, Scheme.ECDSA_SHA256)
                data = f"{number}/{turn}".encode()
                signatures.append((ref, scheme, data, shared.sign(ref, data, scheme)))
                if turn % 50 == 0:
                    shared.find(ref.key_id)
        except Exception as error:  # noqa: BLE001  (whatever it is, the test tells it)
            faults.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    assert len(signatures) == 800
    for ref, scheme, data, signature in signatures:
        verify(public[ref.key_id], signature, data, scheme)
    assert shared.health().locking == locking


def _sign_in_child(shared: Hsm, key_id: str, results) -> None:
    try:
        results.put((os.getpid(), shared.sign(key_id, b"child", Scheme.ECDSA_SHA256)))
    except Exception as error:  # noqa: BLE001
        results.put((os.getpid(), repr(error)))


def test_children_forked_after_use_sign(token, ec_key):
    token.sign(ec_key, b"parent", Scheme.ECDSA_SHA256)
    context = multiprocessing.get_context("fork")
    results = context.Queue()
    children = [context.Process(target=_sign_in_child, args=(token, ec_key.key_id, results)) for _ in range(4)]
    for child in children:
        child.start()
    answers = [results.get(timeout=150) for _ in children]
    for child in children:
        child.join(150)
        assert child.exitcode == 0
    public = token.public_key(ec_key)
    for _pid, signature in answers:
        verify(public, signature, b"child", Scheme.ECDSA_SHA256)
    assert len({pid for pid, _ in answers}) == 4
    token.sign(ec_key, b"parent again", Scheme.ECDSA_SHA256)


def test_fork_while_threads_are_inside_the_module(token, ec_key):
    stop = threading.Event()

    def busy() -> None:
        while not stop.is_set():
            token.sign(ec_key, b"busy", Scheme.ECDSA_SHA256)

    threads = [threading.Thread(target=busy) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        context = multiprocessing.get_context("fork")
        for _ in range(5):
            results = context.Queue()
            child = context.Process(target=_sign_in_child, args=(token, ec_key.key_id, results))
            child.start()
            _pid, signature = results.get(timeout=150)
            child.join(150)
            verify(token.public_key(ec_key), signature, b"child", Scheme.ECDSA_SHA256)
    finally:
        stop.set()
        for thread in threads:
            thread.join()


# python-pkcs11 ends the search that failed; it fails to, in a module that is down, and says so.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_module_finalised_behind_the_back_comes_back(token, rsa_key):
    token.sign(rsa_key, b"before", Scheme.RSA_SHA256)
    generation = module(settings.PKCS11_MODULE, "auto").generation
    finalise_behind_the_back()
    verify(token.public_key(rsa_key), token.sign(rsa_key, b"after", Scheme.RSA_SHA256), b"after", Scheme.RSA_SHA256)
    assert module(settings.PKCS11_MODULE, "auto").generation == generation + 1


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_threads_share_one_reconnect(token, ec_key):
    here = module(settings.PKCS11_MODULE, "auto")
    token.sign(ec_key, b"before", Scheme.ECDSA_SHA256)
    generation = here.generation
    barrier, faults = threading.Barrier(4), []

    def work() -> None:
        barrier.wait()
        try:
            for _ in range(20):
                token.sign(ec_key, b"again", Scheme.ECDSA_SHA256)
        except Exception as error:  # noqa: BLE001
            faults.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    finalise_behind_the_back()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    assert here.generation == generation + 1


@pytest.mark.parametrize(
    ("fault", "began"),
    [
        (exceptions.DeviceError, True),
        (exceptions.SessionClosed, True),
        (exceptions.DataLenRange, True),
        (exceptions.SessionHandleInvalid, False),
        (exceptions.TokenNotPresent, False),
    ],
)
def test_a_fault_says_whether_the_token_may_have_done_its_work(fault, began):
    label = f"hsm-began-{fault.__name__}"[:32]
    make_token(label)
    token = opened(label)

    def operation(_work):
        raise fault

    with pytest.raises(hsm.HsmError) as raised:
        token._run(operation)
    assert raised.value.began is began


def test_a_token_that_is_away_fails_fast_and_returns(monkeypatch):
    make_token("hsm-away")
    token = opened("hsm-away")
    key = token.generate(KeySpec(Algorithm.EC_P256, "away/ec"))
    tokens = Path(os.environ["SOFTHSM2_CONF"]).parent / "tokens"
    home = _folder_of_token(tokens, key.key_id)
    shutil.move(home, tokens.parent / "away")
    module(settings.PKCS11_MODULE, "auto").restart(module(settings.PKCS11_MODULE, "auto").generation)
    now = [1000.0]
    monkeypatch.setattr(sessions.time, "monotonic", lambda: now[0])
    with pytest.raises(hsm.HsmUnavailable, match="TokenNotPresent") as absent:
        token.sign(key, b"x", Scheme.ECDSA_SHA256)
    assert not absent.value.began
    with pytest.raises(hsm.HsmUnavailable, match="a moment ago") as closed:
        token.sign(key, b"x", Scheme.ECDSA_SHA256)
    assert not closed.value.began
    now[0] += 1.1
    with pytest.raises(hsm.HsmUnavailable, match="TokenNotPresent"):
        token.sign(key, b"x", Scheme.ECDSA_SHA256)
    now[0] += 1.1
    with pytest.raises(hsm.HsmUnavailable, match="a moment ago"):
        token.sign(key, b"x", Scheme.ECDSA_SHA256)
    shutil.move(tokens.parent / "away", home)
    now[0] += 1
    verify(token.public_key(key), token.sign(key, b"x", Scheme.ECDSA_SHA256), b"x", Scheme.ECDSA_SHA256)


def test_a_token_made_anew_under_the_old_label_is_another(monkeypatch):
    """Deleted and initialised again, it has another serial number: nothing is signed until somebody has looked (E2.3)."""
    monkeypatch.setattr(sessions, "BACK_OFF_SECONDS", (0,))
    make_token("hsm-anew")
    token = opened("hsm-anew")
    key = token.generate(KeySpec(Algorithm.EC_P256, "anew/ec"))
    shutil.rmtree(_folder_of_token(Path(os.environ["SOFTHSM2_CONF"]).parent / "tokens", key.key_id))
    make_token("hsm-anew")
    here = module(settings.PKCS11_MODULE, "auto")
    here.restart(here.generation)
    with pytest.raises(hsm.HsmConfigError, match="another token"):
        token.sign(key, b"x", Scheme.ECDSA_SHA256)


def _folder_of_token(tokens: Path, key_id: str) -> Path:
    (found,) = {path.parent for path in tokens.rglob("*.object") if bytes.fromhex(key_id) in path.read_bytes()}
    return found


def test_a_wrong_pin_is_tried_once(monkeypatch, tally):
    """Counted where the module counts: at C_Login."""
    make_token("hsm-pin")
    monkeypatch.setattr(sessions, "_refused_pins", {})
    wrong = opened("hsm-pin", pin="000000")
    with counted("C_Login") as logins:
        for _ in range(5):
            with pytest.raises(hsm.HsmPinError) as caught:
                wrong.random(8)
            assert "000000" not in str(caught.value)
        assert logins == [CKR_PIN_INCORRECT]
        assert len(opened("hsm-pin").random(8)) == 8
        assert logins == [CKR_PIN_INCORRECT, 0]
        tally.run([CKR_PIN_INCORRECT, 0], logins, "log-ins to the token")


def test_a_refused_pin_is_not_tried_again_by_a_child(monkeypatch):
    make_token("hsm-pin-fork")
    wrong = opened("hsm-pin-fork", pin="111111")
    with pytest.raises(hsm.HsmPinError):
        wrong.random(8)
    context = multiprocessing.get_context("fork")
    results = context.Queue()

    def child() -> None:
        try:
            wrong.random(8)
        except hsm.HsmPinError as error:
            results.put(str(error))

    process = context.Process(target=child)
    process.start()
    assert "before" in results.get(timeout=150)
    process.join()
    monkeypatch.setattr(sessions, "_refused_pins", {})


def _raw_private(token_label: str, key_id: str):
    """The private key as a caller with the PIN and no manners would hold it."""
    lib = module(settings.PKCS11_MODULE, "auto").lib
    session = lib.get_token(token_label=token_label).open(rw=True)
    return session, session.get_key(object_class=ObjectClass.PRIVATE_KEY, id=bytes.fromhex(key_id))


def _raw_secret(token_label: str, key_id: str):
    session = module(settings.PKCS11_MODULE, "auto").lib.get_token(token_label=token_label).open(rw=True)
    return session, session.get_key(object_class=ObjectClass.SECRET_KEY, id=bytes.fromhex(key_id))


def test_a_private_key_cannot_leave(token, token_label, rsa_key, ec_key):
    token.random(1)
    session, key = _raw_private(token_label, rsa_key.key_id)
    with pytest.raises(pkcs11.AttributeSensitive):
        key[Attribute.PRIVATE_EXPONENT]
    with pytest.raises(pkcs11.PKCS11Error):
        key[Attribute.EXTRACTABLE] = True
    with pytest.raises(pkcs11.PKCS11Error):
        key.copy({Attribute.TOKEN: False, Attribute.EXTRACTABLE: True})
    wrapper = session.generate_key(pkcs11.KeyType.AES, 256, store=False)
    with pytest.raises(pkcs11.PKCS11Error):
        wrapper.wrap_key(key, mechanism=pkcs11.Mechanism.AES_KEY_WRAP_PAD)
    assert not isinstance(key, pkcs11.DecryptMixin | pkcs11.DeriveMixin | pkcs11.UnwrapMixin)
    session.close()
    session, key = _raw_private(token_label, ec_key.key_id)
    with pytest.raises(pkcs11.AttributeSensitive):
        key[Attribute.VALUE]
    session.close()
    described = {each.key_id: each for each in token.inventory()}[rsa_key.key_id]
    assert described.attributes == {
        "TOKEN": True, "PRIVATE": True, "SENSITIVE": True, "ALWAYS_SENSITIVE": True, "NEVER_EXTRACTABLE": True, "LOCAL": True,
        "EXTRACTABLE": False, "MODIFIABLE": False, "SIGN": True, "DECRYPT": False, "UNWRAP": False, "DERIVE": False,
    }  # fmt: skip


def test_the_adapter_gives_no_key_material(token, rsa_key, ec_key):
    for ref in (rsa_key, ec_key):
        key = token.private_key(ref)
        with pytest.raises(hsm.HsmError):
            key.private_numbers()
        with pytest.raises(hsm.HsmError):
            key.private_bytes(serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    with pytest.raises(hsm.HsmError):
        token.private_key(rsa_key).sign(b"x", padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256())


def test_the_adapter_signs_what_cryptography_builds(token, rsa_key, ec_key):
    for ref in (rsa_key, ec_key):
        key = token.private_key(ref.key_id)
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Test")])
        request = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())
        assert request.is_signature_valid
        assert request.public_key() == token.public_key(ref)


def test_a_taken_label_is_refused(token, ec_key):
    with pytest.raises(hsm.HsmKeyExists):
        token.generate(KeySpec(Algorithm.EC_P256, ec_key.label))
    with pytest.raises(hsm.HsmKeyExists):
        token.generate_kek(ec_key.label)


def _generate_foreign(token_label: str, key_id: bytes, label: str) -> None:
    """A key pair made by someone else's program, with a CKA_ID of its own choice."""
    session = module(settings.PKCS11_MODULE, "auto").lib.get_token(token_label=token_label).open(rw=True)
    parameters = session.create_domain_parameters(
        pkcs11.KeyType.EC, {Attribute.EC_PARAMS: pkcs11.util.ec.encode_named_curve_parameters("secp256r1")}, local=True
    )
    parameters.generate_keypair(store=True, id=key_id, label=label, mechanism=pkcs11.Mechanism.EC_KEY_PAIR_GEN)
    session.close()


def test_two_keys_with_one_id_are_refused(token, token_label):
    ref = token.generate(KeySpec(Algorithm.EC_P256, "test/doubled"))
    _generate_foreign(token_label, bytes.fromhex(ref.key_id), "test/doubled/again")
    module(settings.PKCS11_MODULE, "auto").restart(module(settings.PKCS11_MODULE, "auto").generation)
    with pytest.raises(hsm.HsmConfigError, match="several"):
        token.sign(ref, b"x", Scheme.ECDSA_SHA256)


def test_an_id_that_is_not_the_public_keys_hash_is_refused(token, token_label):
    token.random(1)
    _generate_foreign(token_label, b"\x07" * 20, "test/foreign")
    with pytest.raises(hsm.HsmConfigError, match="another"):
        token.find("07" * 20)


def test_a_missing_key_is_named_as_such(token):
    with pytest.raises(hsm.HsmKeyMissing):
        token.sign("ab" * 20, b"x", Scheme.RSA_SHA256)


def test_what_is_sealed_opens_only_with_its_own_data(token, rsa_key):
    kek = token.generate_kek("test/kek")
    generation = module(settings.PKCS11_MODULE, "auto").generation
    blob = token.seal(kek, b"12345678", b"row-1")
    assert token.open(blob, b"row-1") == b"12345678"
    assert b"12345678" not in blob
    assert token.seal(kek, b"12345678", b"row-1") != blob
    for broken, aad in [(blob, b"row-2"), (blob[:-1] + bytes([blob[-1] ^ 1]), b"row-1"), (blob[:40], b"row-1"), (b"", b"row-1")]:
        with pytest.raises(hsm.HsmSealBroken):
            token.open(broken, aad)
    assert module(settings.PKCS11_MODULE, "auto").generation == generation  # a broken seal is no dead token
    assert token.find_secret(kek.key_id) == kek


def test_the_mac_key_makes_macs_and_does_nothing_else(token, token_label):
    ref = token.generate_mac_key("test/mac")
    assert ref.algorithm == Algorithm.HMAC_SHA256
    assert token.find_secret(ref.key_id) == ref
    first = token.mac(ref.key_id, b"seal 1")
    assert len(first) == 32
    assert token.mac(ref, b"seal 1") == first
    assert token.mac(ref, b"seal 2") != first
    assert token.mac(token.generate_mac_key("test/mac/other"), b"seal 1") != first
    with pytest.raises(hsm.HsmError):
        token.seal(ref, b"x", b"")
    with pytest.raises(hsm.HsmConfigError, match="not for this use"):
        token.mac(token.generate_kek("test/mac/kek"), b"seal 1")
    with pytest.raises(hsm.HsmKeyMissing):
        token.mac("ab" * 20, b"seal 1")
    session, key = _raw_secret(token_label, ref.key_id)
    with pytest.raises(pkcs11.AttributeSensitive):
        key[Attribute.VALUE]
    session.close()
    described = token.attributes(ref.key_id).attributes
    assert {name for name, value in described.items() if value} == {
        "TOKEN", "PRIVATE", "SENSITIVE", "ALWAYS_SENSITIVE", "NEVER_EXTRACTABLE", "LOCAL", "SIGN",
    }  # fmt: skip


def test_the_mac_is_that_of_rfc_4231(token, token_label):
    """Test case 2 with the key put into the token as a foreign program would."""
    token.random(1)
    session = module(settings.PKCS11_MODULE, "auto").lib.get_token(token_label=token_label).open(rw=True)
    session.create_object(
        {
            Attribute.CLASS: ObjectClass.SECRET_KEY, Attribute.KEY_TYPE: pkcs11.KeyType.GENERIC_SECRET, Attribute.TOKEN: True,
            Attribute.ID: b"\x42" * 20, Attribute.LABEL: "rfc 4231", Attribute.VALUE: b"Jefe".ljust(32, b"\0"),
            Attribute.SIGN: True,
        }
    )  # fmt: skip
    session.close()
    # HMAC pads keys with zeros to a block, so the padded key is the same key (RFC 2104 section 2).
    assert token.mac("42" * 20, b"what do ya want for nothing?").hex() == (
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    )


def test_the_derive_key_agrees_and_does_nothing_else(token, token_label):
    ref = token.generate_derive_key("test/derive")
    ours = ec.generate_private_key(ec.SECP256R1())
    assert token.ecdh_derive(ref.key_id, ours.public_key()) == ours.exchange(ec.ECDH(), token.public_key(ref))
    with pytest.raises(ValueError, match="P-256"):
        token.ecdh_derive(ref, ec.generate_private_key(ec.SECP384R1()).public_key())
    with pytest.raises(hsm.HsmError):
        token.sign(ref, b"x", Scheme.ECDSA_SHA256)
    session, key = _raw_private(token_label, ref.key_id)
    with pytest.raises(pkcs11.AttributeSensitive):
        key[Attribute.VALUE]
    session.close()


def test_a_process_without_a_pin_cannot_open_the_token(settings):
    settings.PKCS11_PIN_FILE = ""
    make_token("hsm-no-pin")
    with pytest.raises(hsm.HsmConfigError, match="PKCS11_PIN_FILE"):
        hsm.hsm_for("hsm-no-pin").random(8)


def test_a_module_that_is_not_there_is_a_fault_of_the_settings():
    broken = Hsm(path="/nonexistent/module.so", token_label="x", read_pin=lambda: "1")
    with pytest.raises(hsm.HsmConfigError):
        broken.random(8)
    assert isinstance(module("/nonexistent/module.so", "auto"), Module)


def test_no_pkcs11_type_is_public():
    assert not [name for name in hsm.__all__ if getattr(hsm, name).__module__.startswith("pkcs11")]
