"""The token boundary's contract, capability by capability, on SoftHSM and on NSS softokn (E2).

What a module lacks stands in its row of MODULES, with what the boundary then says; nothing is passed over.
"""

import ctypes
import multiprocessing
import secrets
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pkcs11
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from django.conf import settings
from pkcs11 import Attribute, KeyType, Mechanism, MechanismFlag, ObjectClass
from pkcs11.util.ec import encode_named_curve_parameters

from pki import hsm
from pki.hsm import Algorithm, Hsm, KeySpec, Scheme, sessions
from pki.hsm.keys import verify
from pki.hsm.objects import key_id_of, public_key_der
from tests.pki_fixtures import TEST_PIN, make_token

NSS = "/usr/lib/x86_64-linux-gnu/libsoftokn3.so"
NSS_PIN = "Nss-648219-pin"


@dataclass(frozen=True)
class Kind:
    """A module and what it lacks: capability -> the words with which the boundary refuses."""

    name: str
    label: str
    pin: str
    lacks: dict[str, str] = field(default_factory=dict)


MODULES = [
    Kind("softhsm", "hsm-contract", TEST_PIN),
    # NSS tells of a stored private key neither ALWAYS_SENSITIVE nor NEVER_EXTRACTABLE, and of no key whether it is LOCAL: that a
    # key was never elsewhere cannot be shown, so it makes none of ours. Those that were moved in (point 13) it serves. Asked how
    # long a GCM ciphertext will be, it forgets the tag, and python-pkcs11 believes it: nothing is sealed there.
    Kind(
        "nss",
        "NSS Certificate DB",
        NSS_PIN,
        {
            "make-pair": "ALWAYS_SENSITIVE, NEVER_EXTRACTABLE, LOCAL",
            "make-derive-key": "ALWAYS_SENSITIVE, NEVER_EXTRACTABLE, LOCAL",
            "make-secret": "LOCAL",
            "seal": "Buffer was too small",
        },
    ),
]


@pytest.fixture(scope="module", params=MODULES, ids=lambda kind: kind.name)
def kind(request) -> Kind:
    return request.param


@pytest.fixture(scope="module")
def token(kind, tmp_path_factory) -> Hsm:
    return opened(kind, _arguments(kind, tmp_path_factory))


def _arguments(kind: Kind, tmp_path_factory) -> str:
    if kind.name == "softhsm":
        make_token(kind.label)
        return ""
    folder = tmp_path_factory.mktemp("nss")
    (folder / "pin").write_text(kind.pin)
    command = ["certutil", "-N", "-d", f"sql:{folder}", "-f", str(folder / "pin")]
    subprocess.run(command, check=True, capture_output=True)
    return f"configdir='sql:{folder}' certPrefix='' keyPrefix='' secmod='secmod.db' flags= updatedir='' "


def opened(kind: Kind, arguments: str, *, pin: str = "") -> Hsm:
    path = NSS if kind.name == "nss" else settings.PKCS11_MODULE
    return Hsm(path=path, token_label=kind.label, read_pin=lambda: pin or kind.pin, module_arguments=arguments)


def raw(token: Hsm) -> Any:
    """A session as another program would have it: it makes the keys that were moved in."""
    token.random(1)
    return token.module.lib.get_token(token_label=token.token_label).open(rw=True)


def moved_in(token: Hsm, algorithm: Algorithm, label: str, *, derive: bool = False) -> str:
    """A key pair of another program's making; its CKA_ID."""
    capabilities = MechanismFlag.DERIVE if derive else MechanismFlag.SIGN | MechanismFlag.VERIFY
    private = {Attribute.SENSITIVE: True, Attribute.EXTRACTABLE: False, Attribute.PRIVATE: True}
    common = {"store": True, "label": label, "id": secrets.token_bytes(20), "capabilities": capabilities}
    session = raw(token)
    if algorithm == Algorithm.RSA_2048:
        public, _ = session.generate_keypair(KeyType.RSA, 2048, private_template=private, **common)
    else:
        curve = {Algorithm.EC_P256: "secp256r1", Algorithm.EC_P384: "secp384r1"}[algorithm]
        parameters = session.create_domain_parameters(
            KeyType.EC, {Attribute.EC_PARAMS: encode_named_curve_parameters(curve)}, local=True
        )
        public, _ = parameters.generate_keypair(mechanism=Mechanism.EC_KEY_PAIR_GEN, private_template=private, **common)
    key_id = bytes(public[Attribute.ID]).hex()
    session.close()
    return key_id


def moved_in_secret(token: Hsm, key_type: KeyType, capabilities: MechanismFlag, label: str) -> str:
    key_id = secrets.token_bytes(20)
    session = raw(token)
    template = {Attribute.SENSITIVE: True, Attribute.EXTRACTABLE: False, Attribute.PRIVATE: True}
    session.generate_key(key_type, 256, id=key_id, label=label, store=True, capabilities=capabilities, template=template)
    session.close()
    return key_id.hex()


@pytest.fixture(scope="module")
def signing(token) -> dict[Algorithm, str]:
    return {
        each: moved_in(token, each, f"contract/{each}") for each in (Algorithm.RSA_2048, Algorithm.EC_P256, Algorithm.EC_P384)
    }


def made(kind: Kind, capability: str, make: Any) -> Any:
    """What `make` makes, or None where the module lacks the capability and the boundary says so in the words of its row."""
    if capability not in kind.lacks:
        return make()
    with pytest.raises(hsm.HsmError, match=kind.lacks[capability]):
        make()
    return None


@pytest.mark.parametrize("algorithm", [Algorithm.RSA_2048, Algorithm.EC_P256, Algorithm.EC_P384])
def test_making_a_pair(kind, token, algorithm):
    label = f"contract/made/{algorithm}"
    ref = made(kind, "make-pair", lambda: token.generate(KeySpec(algorithm, label)))
    if ref is not None:
        assert token.find(ref.key_id) == ref
        assert ref.key_id == key_id_of(ref.public_key_der)
    assert [each.label for each in token.everything() if each.label == label] == ([label] * 2 if ref else [])


def test_making_secret_keys_and_a_derive_key(kind, token):
    for capability, label, make in [
        ("make-secret", "contract/kek", token.generate_kek),
        ("make-secret", "contract/mac", token.generate_mac_key),
        ("make-derive-key", "contract/derive", token.generate_derive_key),
    ]:
        ref = made(kind, capability, lambda make=make, label=label: make(label))
        assert token.find_label(label) == (ref.key_id if ref else None)
        assert bool([each for each in token.everything() if each.label == label]) is (ref is not None)


@pytest.mark.parametrize(
    ("algorithm", "scheme"),
    [
        (Algorithm.RSA_2048, Scheme.RSA_SHA256),
        (Algorithm.RSA_2048, Scheme.RSA_SHA384),
        (Algorithm.RSA_2048, Scheme.RSA_SHA512),
        (Algorithm.EC_P256, Scheme.ECDSA_SHA256),
        (Algorithm.EC_P384, Scheme.ECDSA_SHA384),
    ],
)
def test_signing(token, signing, algorithm, scheme):
    ref = token.find(signing[algorithm], ours=False)
    assert ref.algorithm == algorithm
    token.prove(ref)
    public = token.private_key(ref.key_id).public_key()
    verify(public, token.sign(ref, b"data", scheme), b"data", scheme)


def test_a_private_key_does_not_leave(token, signing):
    session = raw(token)
    for algorithm, attribute in ((Algorithm.RSA_2048, Attribute.PRIVATE_EXPONENT), (Algorithm.EC_P256, Attribute.VALUE)):
        key = session.get_key(object_class=ObjectClass.PRIVATE_KEY, id=bytes.fromhex(signing[algorithm]))
        with pytest.raises(pkcs11.AttributeSensitive):
            key[attribute]
    session.close()


def test_macs(token):
    key_id = moved_in_secret(token, KeyType.GENERIC_SECRET, MechanismFlag.SIGN, "contract/moved/mac")
    first = token.mac(key_id, b"seal 1")
    assert (len(first), token.mac(key_id, b"seal 1")) == (32, first)
    assert token.mac(key_id, b"seal 2") != first


def test_sealing(kind, token):
    flags = MechanismFlag.ENCRYPT | MechanismFlag.DECRYPT
    key_id = moved_in_secret(token, KeyType.AES, flags, "contract/moved/kek")
    blob = made(kind, "seal", lambda: token.seal(key_id, b"12345678", b"row-1"))
    if blob is None:
        return
    assert token.open(blob, b"row-1") == b"12345678"
    for broken, aad in [(blob, b"row-2"), (blob[:-1] + bytes([blob[-1] ^ 1]), b"row-1")]:
        with pytest.raises(hsm.HsmSealBroken):
            token.open(broken, aad)
    assert token.open(blob, b"row-1") == b"12345678"
    with pytest.raises(hsm.HsmSealKeyLost):
        token.open(blob[:1] + bytes(20) + blob[21:], b"row-1")


def test_agreement(token):
    key_id = moved_in(token, Algorithm.EC_P256, "contract/moved/derive", derive=True)
    ours = ec.generate_private_key(ec.SECP256R1())
    theirs = token.private_key(key_id).public_key()
    assert token.ecdh_derive(key_id, ours.public_key()) == ours.exchange(ec.ECDH(), theirs)


def test_random_health_and_inventory(kind, token, signing):
    assert token.is_present()
    assert len(token.random(32)) == 32
    assert token.health().private_keys >= len(signing)
    found = {each.key_id: each.attributes for each in token.inventory()}
    for key_id in signing.values():
        assert found[key_id]["SENSITIVE"] is True
        assert found[key_id]["EXTRACTABLE"] is False
    kinds = {each.kind for each in token.everything() if each.key_id == signing[Algorithm.EC_P256]}
    assert kinds == {"private_key", "public_key"}


def test_a_missing_key_is_named_as_such(token):
    with pytest.raises(hsm.HsmKeyMissing):
        token.sign("ab" * 20, b"x", Scheme.RSA_SHA256)


def test_threads_sign_at_once(token, signing):
    key_id, faults = signing[Algorithm.EC_P256], []
    public = token.private_key(key_id).public_key()

    def work(number: int) -> None:
        try:
            for turn in range(50):
                data = f"{number}/{turn}".encode()
                verify(public, token.sign(key_id, data, Scheme.ECDSA_SHA256), data, Scheme.ECDSA_SHA256)
        except Exception as error:  # noqa: BLE001
            faults.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    assert token.health().locking == "os"


def _finalise(token: Hsm) -> None:
    table = ctypes.POINTER(ctypes.c_void_p)()
    assert ctypes.CDLL(token.module.path).C_GetFunctionList(ctypes.byref(table)) == 0
    ctypes.CFUNCTYPE(ctypes.c_ulong, ctypes.c_void_p)(table[2])(None)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_module_finalised_behind_the_back_comes_back(token, signing):
    key_id = signing[Algorithm.EC_P256]
    token.sign(key_id, b"x", Scheme.ECDSA_SHA256)
    generation = token.module.generation
    _finalise(token)
    public = token.private_key(key_id).public_key()
    verify(public, token.sign(key_id, b"x", Scheme.ECDSA_SHA256), b"x", Scheme.ECDSA_SHA256)
    assert token.module.generation == generation + 1


def _sign_in_child(token: Hsm, key_id: str, results: Any) -> None:
    try:
        results.put(token.sign(key_id, b"child", Scheme.ECDSA_SHA256))
    except Exception as error:  # noqa: BLE001
        results.put(repr(error))


def test_a_forked_child_signs(token, signing):
    key_id = signing[Algorithm.EC_P256]
    token.sign(key_id, b"parent", Scheme.ECDSA_SHA256)
    context = multiprocessing.get_context("fork")
    results = context.Queue()
    child = context.Process(target=_sign_in_child, args=(token, key_id, results))
    child.start()
    signature = results.get(timeout=150)
    child.join(150)
    verify(token.private_key(key_id).public_key(), signature, b"child", Scheme.ECDSA_SHA256)


@pytest.fixture
def forgetting() -> Iterator[None]:
    """Refused PINs are forgotten before and after, since the tokens are made for this file alone."""
    sessions._refused_pins.clear()
    yield
    sessions._refused_pins.clear()


def test_a_wrong_pin_is_tried_once(kind, token, forgetting, tmp_path):
    token.random(1)
    wrong = Hsm(
        path=token.module.path, token_label=kind.label, read_pin=lambda: "000000", module_arguments=token.module.arguments
    )
    here = wrong.module
    here.restart(here.generation)  # the log-in of the other is gone
    for told in ("PinIncorrect", "before"):
        with pytest.raises(hsm.HsmPinError, match=told):
            wrong.random(8)
    assert len(token.random(8)) == 8


def test_public_halves_are_read_alike(token, signing):
    session = raw(token)
    for key_id in signing.values():
        public = session.get_key(object_class=ObjectClass.PUBLIC_KEY, id=bytes.fromhex(key_id))
        assert public_key_der(public) == token.find(key_id, ours=False).public_key_der
    session.close()


def test_the_second_module_is_there():
    """Without it half of the contract would not be shown."""
    assert Path(NSS).exists()
