"""A software smart card: a SoftHSM token of its own, with the try counters that SoftHSM lacks, in a folder of its own.

Five key pairs, as on an ordinary card: four RSA-2048 that need the holder's code (authentication and signature, on HSA-id and
on person id) and the *card key*, P-256 without code (as PIV's 9E), which proves which card is in the reader. SO-PIN is the PUK.

SoftHSM reads SOFTHSM2_CONF when it is first loaded, so each act on a card runs in a process of its own:
`python -m siths_portal.simulators.card FOLDER`, with the request as JSON on standard input and the answer on standard output.
No code and no PUK stands on a command line or in the environment.
"""

import base64
import contextlib
import ctypes
import fcntl
import json
import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pkcs11
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa, utils
from pkcs11 import Attribute, KeyType, Mechanism, MechanismFlag, ObjectClass
from pkcs11.util.ec import encode_ec_public_key, encode_named_curve_parameters
from pkcs11.util.rsa import encode_rsa_public_key
from pkcs11.util.x509 import decode_x509_certificate

MODULE = os.environ.get("CARD_PKCS11_MODULE", "/usr/lib/softhsm/libsofthsm2.so")
PROFILES = ("person-hsaid-auth", "person-hsaid-sign", "person-id-auth", "person-id-sign")
CARD_KEY = "card-key"
CODE_TRIES = 3
PUK_TRIES = 10
_REPOSITORY = Path(__file__).resolve().parent.parent.parent


class CardError(Exception):
    """The card refused. `code` is one of wrong-code, code-blocked, wrong-puk, puk-blocked, bad-code, exists, absent, mismatch."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True)
class Tries:
    """How many wrong attempts the card still allows."""

    code: int
    puk: int


def luhn_digit(digits: str) -> str:
    """The check digit of ISO/IEC 7812-1 annex B for `digits`."""
    total = 0
    for position, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if position % 2 == 0 else 1)
        total += value - 9 if value > 9 else value
    return str(-total % 10)


def new_serial() -> str:
    """A card serial: 19 digits, 9752 first, a Luhn digit last."""
    digits = "9752" + "".join(secrets.choice("0123456789") for _ in range(14))
    return digits + luhn_digit(digits)


@dataclass(frozen=True)
class Card:
    """A card by its folder, whose name is the card's serial. Every method is one act in a process of its own."""

    folder: Path

    @property
    def serial(self) -> str:
        """The 19 digits."""
        return self.folder.name

    @property
    def finished(self) -> bool:
        """True if the card's keys were all made; a folder without this is a card whose making was cut off."""
        return (self.folder / "tries.json").exists()

    @property
    def has_holders_code(self) -> bool:
        """True once the holder has set a code of his own, by the PUK or in place of the transport code."""
        return (self.folder / "holders-code").exists()

    @classmethod
    def make(cls, cards: Path, serial: str, *, puk: str, transport_code: str) -> "Card":
        """Makes the card with its five keys. A card whose making was cut off is begun anew; a finished one is `exists`."""
        card = cls(cards / serial)
        if card.finished:
            raise CardError("exists")
        shutil.rmtree(card.folder, ignore_errors=True)
        (card.folder / "tokens").mkdir(parents=True, mode=0o700)
        card._act("make", puk=puk, code=transport_code)
        return card

    def csrs(self, *, code: str) -> dict[str, str]:
        """Four certificate requests (RFC 2986) by profile, as PEM, each signed by its key on the card. The subject is empty."""
        return cast(dict[str, str], self._act("csrs", code=code))

    def card_key(self) -> str:
        """The card key's public half as SubjectPublicKeyInfo PEM."""
        return cast(str, self._act("card_key"))

    def prove(self, data: bytes) -> bytes:
        """ECDSA-Sig-Value (RFC 3279) of the card key over SHA-256 of `data`; needs no code."""
        return base64.b64decode(self._act("prove", data=base64.b64encode(data).decode()))

    def sign(self, profile: str, data: bytes, *, code: str) -> bytes:
        """RSASSA-PKCS1-v1_5 with SHA-256 over `data` by the key of `profile`."""
        return base64.b64decode(self._act("sign", profile=profile, data=base64.b64encode(data).decode(), code=code))

    def store_certificates(self, certificates: Mapping[str, str], *, code: str) -> None:
        """Writes certificates (PEM, by profile) beside their keys, replacing earlier ones. `mismatch` if one has another key."""
        self._act("store", certificates=dict(certificates), code=code)

    def certificates(self) -> dict[str, str]:
        """The certificates on the card by profile, as PEM; anyone with the card can read them."""
        return cast(dict[str, str], self._act("certificates"))

    def change_code(self, old: str, new: str) -> None:
        """Changes the holder's code to 6-8 digits."""
        self._act("change_code", code=old, new=new)

    def unblock(self, *, puk: str, new_code: str) -> None:
        """Sets the holder's code with the PUK and gives all code tries back; the keys are kept."""
        self._act("unblock", puk=puk, new=new_code)

    def tries(self) -> Tries:
        """The tries that are left."""
        return _read_tries(self.folder)

    def _act(self, name: str, **arguments: Any) -> Any:
        if not (self.folder / "tokens").is_dir():
            raise CardError("absent")
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("SOFTHSM2", "COVERAGE"))}
        environment |= {"SOFTHSM2_CONF": str(self.folder / "softhsm2.conf"), "PYTHONPATH": str(_REPOSITORY)}
        done = subprocess.run(
            [sys.executable, "-m", "siths_portal.simulators.card", str(self.folder)],
            input=json.dumps({"act": name, "arguments": arguments}),
            capture_output=True, text=True, env=environment, check=False, timeout=120,
        )  # fmt: skip
        if done.returncode != 0:
            raise RuntimeError(f"the card's process ended with {done.returncode} at {name}: {done.stderr.strip()[-400:]}")
        answer = json.loads(done.stdout)
        if "error" in answer:
            raise CardError(answer["error"])
        return answer["result"]


# --- inside the card's process -------------------------------------------------------------------------------------------


class _CardRSAKey(rsa.RSAPrivateKey):
    """A code-protected key in the form that cryptography's builders sign with. Nothing but signing leaves the card."""

    def __init__(self, key: Any, public: rsa.RSAPublicKey) -> None:
        self._key, self._public = key, public

    def sign(self, data: Any, padding: Any, algorithm: Any) -> bytes:
        return bytes(self._key.sign(bytes(data), mechanism=Mechanism.SHA256_RSA_PKCS))

    def public_key(self) -> rsa.RSAPublicKey:
        return self._public

    @property
    def key_size(self) -> int:
        return self._public.key_size

    def _stays(self, *_arguments: Any, **_options: Any) -> Any:
        raise TypeError("the key stays on the card")

    decrypt = private_numbers = private_bytes = _stays

    def __copy__(self) -> "_CardRSAKey":
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> "_CardRSAKey":
        return self


class _FunctionList(ctypes.Structure):
    # The head of CK_FUNCTION_LIST (PKCS#11 2.40 section 3.6), as far as C_InitToken, which python-pkcs11 does not offer.
    _fields_ = [("version", ctypes.c_ubyte * 2)] + [
        (name, ctypes.c_void_p)
        for name in (
            "C_Initialize", "C_Finalize", "C_GetInfo", "C_GetFunctionList", "C_GetSlotList", "C_GetSlotInfo",
            "C_GetTokenInfo", "C_GetMechanismList", "C_GetMechanismInfo", "C_InitToken",
        )
    ]  # fmt: skip


def _init_token(slot_id: int, label: str, so_pin: str) -> None:
    library = ctypes.CDLL(MODULE)
    functions = ctypes.POINTER(_FunctionList)()
    if library.C_GetFunctionList(ctypes.byref(functions)):
        raise RuntimeError("the token library has no function list")
    prototype = ctypes.CFUNCTYPE(ctypes.c_ulong, ctypes.c_ulong, ctypes.c_char_p, ctypes.c_ulong, ctypes.c_char_p)
    result = prototype(functions.contents.C_InitToken)(slot_id, so_pin.encode(), len(so_pin), label.encode().ljust(32))
    if result:
        raise RuntimeError(f"C_InitToken: {result:#x}")


def _write(path: Path, content: str) -> None:
    temporary = path.with_suffix(".new")
    with temporary.open("w") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def _read_tries(folder: Path) -> Tries:
    return Tries(**json.loads((folder / "tries.json").read_text()))


def _write_tries(folder: Path, tries: Tries) -> None:
    _write(folder / "tries.json", json.dumps({"code": tries.code, "puk": tries.puk}))


class _Token:
    """The card seen from its own process, one act at a time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.label = folder.name
        self.library = pkcs11.lib(MODULE)

    def _token(self) -> Any:
        tokens = (slot.get_token() for slot in self.library.get_slots(token_present=True))
        return next(token for token in tokens if token.label == self.label)

    @contextlib.contextmanager
    def with_code(self, code: str) -> Iterator[Any]:
        """A session of the holder's. A try is taken before the code is tried, and given back if it was right."""
        tries = _read_tries(self.folder)
        if tries.code == 0:
            raise CardError("code-blocked")
        _write_tries(self.folder, Tries(tries.code - 1, tries.puk))
        try:
            session = self._token().open(rw=True, user_pin=code)
        except (pkcs11.exceptions.PinIncorrect, pkcs11.exceptions.PinLenRange):
            raise CardError("wrong-code" if tries.code > 1 else "code-blocked") from None
        _write_tries(self.folder, Tries(CODE_TRIES, tries.puk))
        with session:
            yield session

    def make(self, *, puk: str, code: str) -> None:
        slot = next(s for s in self.library.get_slots() if not s.get_token().flags & pkcs11.TokenFlag.TOKEN_INITIALIZED)
        _init_token(slot.slot_id, self.label, puk)
        self.library.reinitialize()
        with self._token().open(rw=True, so_pin=puk) as session:
            session.init_pin(code)
        capabilities = MechanismFlag.SIGN | MechanismFlag.VERIFY
        hidden = {Attribute.EXTRACTABLE: False, Attribute.SENSITIVE: True}
        with self._token().open(rw=True, user_pin=code) as session:
            for number, profile in enumerate(PROFILES, 1):
                session.generate_keypair(
                    KeyType.RSA, 2048, store=True, id=bytes([number]), label=profile, capabilities=capabilities,
                    private_template={**hidden, Attribute.PRIVATE: True},
                )  # fmt: skip
            curve = {Attribute.EC_PARAMS: encode_named_curve_parameters("secp256r1")}
            session.create_domain_parameters(KeyType.EC, curve, local=True).generate_keypair(
                mechanism=Mechanism.EC_KEY_PAIR_GEN, store=True, id=b"\x9e", label=CARD_KEY, capabilities=capabilities,
                private_template={**hidden, Attribute.PRIVATE: False},
            )  # fmt: skip
        _write_tries(self.folder, Tries(CODE_TRIES, PUK_TRIES))

    def csrs(self, *, code: str) -> dict[str, str]:
        with self.with_code(code) as session:
            return {profile: self._csr(session, profile) for profile in PROFILES}

    def _csr(self, session: Any, profile: str) -> str:
        key = _CardRSAKey(session.get_key(ObjectClass.PRIVATE_KEY, label=profile), self._rsa_public(session, profile))
        request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, hashes.SHA256())
        return request.public_bytes(serialization.Encoding.PEM).decode()

    def _rsa_public(self, session: Any, profile: str) -> rsa.RSAPublicKey:
        der = encode_rsa_public_key(session.get_key(ObjectClass.PUBLIC_KEY, label=profile))
        return cast(rsa.RSAPublicKey, serialization.load_der_public_key(der))

    def card_key(self) -> str:
        with self._token().open() as session:
            der = encode_ec_public_key(session.get_key(ObjectClass.PUBLIC_KEY, label=CARD_KEY))
        public = serialization.load_der_public_key(der)
        return public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()

    def prove(self, *, data: str) -> str:
        digest = hashes.Hash(hashes.SHA256())
        digest.update(base64.b64decode(data))
        with self._token().open() as session:
            key = session.get_key(ObjectClass.PRIVATE_KEY, label=CARD_KEY)
            raw = key.sign(digest.finalize(), mechanism=Mechanism.ECDSA)
        r, s = int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big")
        return base64.b64encode(utils.encode_dss_signature(r, s)).decode()

    def sign(self, *, profile: str, data: str, code: str) -> str:
        if profile not in PROFILES:
            raise CardError("absent")
        with self.with_code(code) as session:
            key = session.get_key(ObjectClass.PRIVATE_KEY, label=profile)
            signature = key.sign(base64.b64decode(data), mechanism=Mechanism.SHA256_RSA_PKCS)
        return base64.b64encode(signature).decode()

    def store(self, *, certificates: dict[str, str], code: str) -> None:
        parsed = {name: x509.load_pem_x509_certificate(pem.encode()) for name, pem in certificates.items()}
        with self.with_code(code) as session:
            for profile, certificate in parsed.items():
                if profile not in PROFILES or certificate.public_key() != self._rsa_public(session, profile):
                    raise CardError("mismatch")
            for profile, certificate in parsed.items():
                search = {Attribute.CLASS: ObjectClass.CERTIFICATE, Attribute.LABEL: profile}
                for earlier in list(session.get_objects(search)):
                    earlier.destroy()
                template = decode_x509_certificate(certificate.public_bytes(serialization.Encoding.DER))
                number = bytes([PROFILES.index(profile) + 1])
                template |= {Attribute.TOKEN: True, Attribute.LABEL: profile, Attribute.ID: number}
                session.create_object(template)

    def certificates(self) -> dict[str, str]:
        found = {}
        with self._token().open() as session:
            for item in session.get_objects({Attribute.CLASS: ObjectClass.CERTIFICATE}):
                certificate = x509.load_der_x509_certificate(item[Attribute.VALUE])
                found[item[Attribute.LABEL]] = certificate.public_bytes(serialization.Encoding.PEM).decode()
        return found

    def change_code(self, *, code: str, new: str) -> None:
        _require_code(new)
        with self.with_code(code) as session:
            session.set_pin(code, new)
        _write(self.folder / "holders-code", "")

    def unblock(self, *, puk: str, new: str) -> None:
        _require_code(new)
        tries = _read_tries(self.folder)
        if tries.puk == 0:
            raise CardError("puk-blocked")
        _write_tries(self.folder, Tries(tries.code, tries.puk - 1))
        try:
            session = self._token().open(rw=True, so_pin=puk)
        except (pkcs11.exceptions.PinIncorrect, pkcs11.exceptions.PinLenRange):
            raise CardError("wrong-puk" if tries.puk > 1 else "puk-blocked") from None
        with session:
            session.init_pin(new)
        _write(self.folder / "holders-code", "")
        _write_tries(self.folder, Tries(CODE_TRIES, PUK_TRIES))


def _require_code(code: str) -> None:
    if not (code.isascii() and code.isdigit() and 6 <= len(code) <= 8):
        raise CardError("bad-code")


_ACTS = {"make", "csrs", "card_key", "prove", "sign", "store", "certificates", "change_code", "unblock"}


def main() -> None:
    """Does the one act that standard input asks of the card in the folder that the command line names."""
    folder = Path(sys.argv[1])
    request = json.load(sys.stdin)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _write(
            folder / "softhsm2.conf",
            f"directories.tokendir = {folder.resolve()}/tokens\nobjectstore.backend = file\nlog.level = ERROR\n"
            "slots.removable = false\n",
        )
        os.environ["SOFTHSM2_CONF"] = str(folder / "softhsm2.conf")
        try:
            if request["act"] not in _ACTS:
                raise ValueError("no such act")
            act: Callable[..., Any] = getattr(_Token(folder), request["act"])
            answer = {"result": act(**request["arguments"])}
        except CardError as error:
            answer = {"error": error.code}
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main()
