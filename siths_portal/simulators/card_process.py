"""The process of a card: runs one action on the card in a folder, with SoftHSM configured for this card only.

`python -m siths_portal.simulators.card_process` serves the requests of `card` line by line, each in a forked process.
"""

import base64
import contextlib
import ctypes
import fcntl
import hashlib
import json
import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import pkcs11
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa, utils
from pkcs11 import Attribute, KeyType, Mechanism, MechanismFlag, ObjectClass
from pkcs11.util.ec import encode_ec_public_key, encode_named_curve_parameters
from pkcs11.util.rsa import encode_rsa_public_key
from pkcs11.util.x509 import decode_x509_certificate

from siths_portal.simulators.card import ALL_PROFILES, CARD_KEY, CODE_TRIES, PUK_TRIES, SLOT, CardError, Tries, read_tries

MODULE = os.environ.get("CARD_PKCS11_MODULE", "/usr/lib/softhsm/libsofthsm2.so")
SECONDS = 120
"""How long an act may take."""


def _signed(key: Any, data: bytes) -> bytes:
    """Returns the key's signature over `data`, PKCS #1 v1.5 or ECDSA-Sig-Value with SHA-256. The token returns r and s."""
    if key.key_type == KeyType.RSA:
        return bytes(key.sign(data, mechanism=Mechanism.SHA256_RSA_PKCS))
    digest = hashes.Hash(hashes.SHA256())
    digest.update(data)
    raw = key.sign(digest.finalize(), mechanism=Mechanism.ECDSA)
    r, s = int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big")
    return utils.encode_dss_signature(r, s)


class _CardKey:
    """A code-protected key with the interface that cryptography's builders need. It can only sign."""

    def __init__(self, key: Any, public: Any) -> None:
        self._key, self._public = key, public

    def sign(self, data: Any, *_padding_and_algorithm: Any) -> bytes:
        return _signed(self._key, bytes(data))

    def public_key(self) -> Any:
        return self._public

    @property
    def key_size(self) -> int:
        return int(self._public.key_size)

    def _stays(self, *_arguments: Any, **_options: Any) -> Any:
        raise TypeError("the key stays on the card")

    decrypt = exchange = private_numbers = private_bytes = _stays

    def __copy__(self) -> Any:
        return self

    def __deepcopy__(self, memo: dict[Any, Any]) -> Any:
        return self


class _CardRSAKey(_CardKey, rsa.RSAPrivateKey):
    pass


class _CardECKey(_CardKey, ec.EllipticCurvePrivateKey):
    @property
    def curve(self) -> ec.EllipticCurve:
        return ec.SECP256R1()


class _FunctionList(ctypes.Structure):
    # The beginning of CK_FUNCTION_LIST (PKCS#11 2.40 section 3.6) up to C_InitToken, which python-pkcs11 lacks.
    _fields_ = [("version", ctypes.c_ubyte * 2)] + [
        (name, ctypes.c_void_p)
        for name in (
            "C_Initialize", "C_Finalize", "C_GetInfo", "C_GetFunctionList", "C_GetSlotList", "C_GetSlotInfo",
            "C_GetTokenInfo", "C_GetMechanismList", "C_GetMechanismInfo", "C_InitToken",
        )
    ]  # fmt: skip


_CAPABILITIES = MechanismFlag.SIGN | MechanismFlag.VERIFY
_HIDDEN = {Attribute.EXTRACTABLE: False, Attribute.SENSITIVE: True}


def _p256(session: Any) -> Any:
    curve = {Attribute.EC_PARAMS: encode_named_curve_parameters("secp256r1")}
    return session.create_domain_parameters(KeyType.EC, curve, local=True)


def _key_id(label: str) -> bytes:
    """Returns the id of a profile's key and certificate on the card, or of those in a slot."""
    if label in ALL_PROFILES:
        return bytes([ALL_PROFILES.index(label) + 1])
    return hashlib.sha256(label.encode()).digest()[:8]


def _is_profile(label: str) -> bool:
    return label.partition(SLOT)[0] in ALL_PROFILES


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


def _write_tries(folder: Path, tries: Tries) -> None:
    _write(folder / "tries.json", json.dumps({"code": tries.code, "puk": tries.puk}))


class _Token:
    """The card in its own process, for one action."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.label = folder.name
        self.library = pkcs11.lib(MODULE)

    def _token(self) -> Any:
        tokens = (slot.get_token() for slot in self.library.get_slots(token_present=True))
        return next(token for token in tokens if token.label == self.label)

    @contextlib.contextmanager
    def with_code(self, code: str) -> Iterator[Any]:
        """Opens a session with the holder's code. Counts a try before the log-in, and resets the counter if the code is right."""
        tries = read_tries(self.folder)
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

    def make(self, *, puk: str, code: str, keys: str, profiles: list[str]) -> None:
        slot = next(s for s in self.library.get_slots() if not s.get_token().flags & pkcs11.TokenFlag.TOKEN_INITIALIZED)
        _init_token(slot.slot_id, self.label, puk)
        self.library.reinitialize()
        with self._token().open(rw=True, so_pin=puk) as session:
            session.init_pin(code)
        with self._token().open(rw=True, user_pin=code) as session:
            self._generate(session, profiles, keys)
            _p256(session).generate_keypair(
                mechanism=Mechanism.EC_KEY_PAIR_GEN, store=True, id=b"\x9e", label=CARD_KEY, capabilities=_CAPABILITIES,
                private_template={**_HIDDEN, Attribute.PRIVATE: False},
            )  # fmt: skip
        _write_tries(self.folder, Tries(CODE_TRIES, PUK_TRIES))

    def make_keys(self, *, profiles: list[str], code: str, keys: str) -> None:
        with self.with_code(code) as session:
            known = {key.label for key in session.get_objects({Attribute.CLASS: ObjectClass.PRIVATE_KEY})}
            self._generate(session, [profile for profile in profiles if profile not in known], keys)

    def _generate(self, session: Any, profiles: list[str], keys: str) -> None:
        for profile in profiles:
            options = {
                "store": True, "id": _key_id(profile), "label": profile, "capabilities": _CAPABILITIES,
                "private_template": {**_HIDDEN, Attribute.PRIVATE: True},
            }  # fmt: skip
            if keys == "ec-p256":
                _p256(session).generate_keypair(mechanism=Mechanism.EC_KEY_PAIR_GEN, **options)
            else:
                session.generate_keypair(KeyType.RSA, 2048, **options)

    def csrs(self, *, code: str, profiles: list[str]) -> dict[str, str]:
        with self.with_code(code) as session:
            return {profile: self._csr(session, profile) for profile in profiles}

    def _csr(self, session: Any, profile: str) -> str:
        public = self._public(session, profile)
        wrapper = _CardRSAKey if isinstance(public, rsa.RSAPublicKey) else _CardECKey
        key: Any = wrapper(session.get_key(ObjectClass.PRIVATE_KEY, label=profile), public)
        request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, hashes.SHA256())
        return request.public_bytes(serialization.Encoding.PEM).decode()

    def _public(self, session: Any, label: str) -> Any:
        key = session.get_key(ObjectClass.PUBLIC_KEY, label=label)
        encode = encode_rsa_public_key if key.key_type == KeyType.RSA else encode_ec_public_key
        return serialization.load_der_public_key(encode(key))

    def card_key(self) -> str:
        with self._token().open() as session:
            public = self._public(session, CARD_KEY)
        pem = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        return cast(bytes, pem).decode()

    def prove(self, *, data: str) -> str:
        with self._token().open() as session:
            signature = _signed(session.get_key(ObjectClass.PRIVATE_KEY, label=CARD_KEY), base64.b64decode(data))
        return base64.b64encode(signature).decode()

    def sign(self, *, profile: str, data: str, code: str) -> str:
        if not _is_profile(profile):
            raise CardError("absent")
        with self.with_code(code) as session:
            signature = _signed(session.get_key(ObjectClass.PRIVATE_KEY, label=profile), base64.b64decode(data))
        return base64.b64encode(signature).decode()

    def store(self, *, certificates: dict[str, str], code: str) -> None:
        parsed = {name: x509.load_pem_x509_certificate(pem.encode()) for name, pem in certificates.items()}
        with self.with_code(code) as session:
            for profile, certificate in parsed.items():
                if not _is_profile(profile) or certificate.public_key() != self._public(session, profile):
                    raise CardError("mismatch")
            for profile, certificate in parsed.items():
                search = {Attribute.CLASS: ObjectClass.CERTIFICATE, Attribute.LABEL: profile}
                for earlier in list(session.get_objects(search)):
                    earlier.destroy()
                template = decode_x509_certificate(certificate.public_bytes(serialization.Encoding.DER))
                template |= {Attribute.TOKEN: True, Attribute.LABEL: profile, Attribute.ID: _key_id(profile)}
                session.create_object(template)

    def take_into_use(self, *, profiles: list[str], slot: str, code: str) -> None:
        kinds = (ObjectClass.PRIVATE_KEY, ObjectClass.PUBLIC_KEY, ObjectClass.CERTIFICATE)
        with self.with_code(code) as session:
            for profile, kind in ((profile, kind) for profile in profiles for kind in kinds):
                for new in list(session.get_objects({Attribute.CLASS: kind, Attribute.LABEL: f"{profile}{SLOT}{slot}"})):
                    for earlier in list(session.get_objects({Attribute.CLASS: kind, Attribute.LABEL: profile})):
                        earlier.destroy()
                    new[Attribute.LABEL] = profile
                    new[Attribute.ID] = _key_id(profile)

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
        tries = read_tries(self.folder)
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


_ACTS = {
    "make", "make_keys", "csrs", "card_key", "prove", "sign", "store", "certificates", "take_into_use", "change_code", "unblock",
}  # fmt: skip


def _do(folder: Path, name: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if name == "make":
            if (folder / "tries.json").exists():
                return {"error": "exists"}
            _empty(folder / "tokens")
        _write(
            folder / "softhsm2.conf",
            f"directories.tokendir = {folder}/tokens\nobjectstore.backend = file\nlog.level = ERROR\nslots.removable = false\n",
        )
        os.environ["SOFTHSM2_CONF"] = str(folder / "softhsm2.conf")
        try:
            if name not in _ACTS:
                raise ValueError("no such act")
            act: Callable[..., Any] = getattr(_Token(folder), name)
            return {"result": act(**arguments)}
        except CardError as error:
            return {"error": error.code}


def _empty(tokens: Path) -> None:
    """Deletes the remains of an interrupted `make`."""
    shutil.rmtree(tokens)
    tokens.mkdir(mode=0o700)


def _say(answer: Mapping[str, Any]) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


def main() -> None:
    """Serves the requests on standard input, each in a forked process, until the input ends."""
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            signal.alarm(SECONDS)
            request = json.loads(line)
            _say(_do(Path(request["folder"]), request["act"], request["arguments"]))
            os._exit(0)  # the response is sent; the exit handlers of the token's library could crash
        _, status = os.waitpid(child, 0)
        if status:
            _say({"failed": f"its process ended with {os.waitstatus_to_exitcode(status)}"})


if __name__ == "__main__":
    main()
