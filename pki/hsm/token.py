"""One token: the operations, each tried once more after a reconnect when the token's sessions have died."""

import hashlib
import secrets
from collections.abc import Callable

import structlog
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.serialization import load_der_public_key
from pkcs11 import KDF, Attribute, DeriveMixin, GCMParams, KeyType, Mechanism, ObjectClass, SignMixin, exceptions

from pki.hsm import objects
from pki.hsm.errors import HsmConfigError, HsmError, HsmKeyMissing, HsmSealBroken, HsmUnavailable
from pki.hsm.keys import TokenPrivateKey, private_key, verify
from pki.hsm.module import Module, module
from pki.hsm.sessions import WorkSession
from pki.hsm.types import Algorithm, Health, KeyAttributes, KeyRef, KeySpec, Scheme

log = structlog.get_logger(__name__)

# After these the sessions are not to be trusted: the module is initialised anew, keys are found again, the call is repeated once.
_DEAD = (
    exceptions.DeviceError,
    exceptions.DeviceRemoved,
    exceptions.FunctionFailed,
    exceptions.GeneralError,
    exceptions.KeyHandleInvalid,
    exceptions.ObjectHandleInvalid,
    exceptions.SessionClosed,
    exceptions.SessionHandleInvalid,
    exceptions.SlotIDInvalid,
    exceptions.TokenNotPresent,
    exceptions.UserNotLoggedIn,
)
# Said when the function is invoked, before any work (PKCS #11 2.40 section 5.1). CKR_SESSION_CLOSED comes during the work.
_NOT_BEGUN = (
    exceptions.KeyHandleInvalid,
    exceptions.ObjectHandleInvalid,
    exceptions.SessionHandleInvalid,
    exceptions.SlotIDInvalid,
    exceptions.TokenNotPresent,
    exceptions.UserNotLoggedIn,
)
_SEAL_FAULTS = (
    exceptions.EncryptedDataInvalid,
    exceptions.EncryptedDataLenRange,
    exceptions.FunctionFailed,
    exceptions.GeneralError,
)

# DER of DigestInfo up to the digest (RFC 8017 section 9.2 note 1).
_DIGEST_INFO = {
    "sha256": bytes.fromhex("3031300d060960864801650304020105000420"),
    "sha384": bytes.fromhex("3041300d060960864801650304020205000430"),
    "sha512": bytes.fromhex("3051300d060960864801650304020305000440"),
}

SEAL_VERSION = 1
_IV_LENGTH, _TAG_LENGTH, _KEY_ID_LENGTH = 12, 16, 20
_SEAL_HEAD = 1 + _KEY_ID_LENGTH + _IV_LENGTH


def _is_dead(error: exceptions.PKCS11Error) -> bool:
    return isinstance(error, _DEAD) or _is_uninitialised(error)


def _is_uninitialised(error: exceptions.PKCS11Error) -> bool:
    # python-pkcs11 has no class of its own for CKR_CRYPTOKI_NOT_INITIALIZED.
    return "not initialized" in str(error)


class _SessionsDied(Exception):
    def __init__(self, generation: int, cause: str, *, began: bool) -> None:
        super().__init__(cause)
        self.generation = generation
        self.began = began


class Hsm:
    """A token of this process, found by its label. Opens on first use; may be used by threads at once and after a fork.

    Every method may raise HsmUnavailable (later is worth a try), HsmPinError or HsmConfigError.
    """

    def __init__(self, *, path: str, token_label: str, read_pin: Callable[[], str], locking: str = "auto") -> None:
        self._path = path
        self._locking = locking
        self._read_pin = read_pin
        self.token_label = token_label

    def _run[T](self, operation: Callable[[WorkSession], T]) -> T:
        here = module(self._path, self._locking)
        pool = here.pool(self.token_label)
        pool.check_circuit()
        began = False
        try:
            try:
                result = self._attempt(here, operation)
            except _SessionsDied as died:
                began = died.began
                here.restart(died.generation)
                result = self._attempt(here, operation)
        except (_SessionsDied, HsmUnavailable) as error:
            pool.failed()
            raise HsmUnavailable(str(error), began=began or error.began) from error
        except HsmError as error:
            error.began = error.began or began
            raise
        pool.succeeded()
        return result

    def _attempt[T](self, here: Module, operation: Callable[[WorkSession], T]) -> T:
        began = False
        with here.entered() as generation:
            try:
                with here.pool(self.token_label).session(here.lib, self._read_pin) as work:
                    began = True
                    return operation(work)
            except exceptions.PKCS11Error as error:
                cause, dead = f"{type(error).__name__}: {error}".rstrip(": "), _is_dead(error)
                began = began and not isinstance(error, _NOT_BEGUN) and not _is_uninitialised(error)
            # The error is let go before the module is: what hangs on it would otherwise end a search of a later session.
        if not dead:
            raise HsmError(cause, began=began)
        log.warning("hsm.session_died", error=cause)
        raise _SessionsDied(generation, cause, began=began)

    def _run_writing[T](self, operation: Callable[[WorkSession], T]) -> T:
        """Runs `operation` in a session of its own that may make token objects."""
        here = module(self._path, self._locking)

        def in_new_session(_work: WorkSession) -> T:
            session = here.pool(self.token_label).open_for_writing(here.lib, self._read_pin)
            try:
                return operation(WorkSession(session))
            finally:
                session.close()

        return self._run(in_new_session)

    def generate(self, spec: KeySpec) -> KeyRef:
        """Makes a key pair that signs and never leaves the token, and proves it by a signature.

        Raises HsmKeyExists if the label is taken, HsmConfigError if the key is not as it must be.
        """
        ref = self._run_writing(lambda work: objects.make_pair(work.session, spec.algorithm, spec.label))
        self._prove(ref)
        return ref

    def _prove(self, ref: KeyRef) -> None:
        challenge = secrets.token_bytes(32)
        scheme = Scheme.RSA_SHA256 if ref.algorithm.is_rsa else Scheme.ECDSA_SHA256
        try:
            verify(load_der_public_key(ref.public_key_der), self.sign(ref, challenge, scheme), challenge, scheme)
        except InvalidSignature:
            raise HsmConfigError("the new key's signature does not verify") from None

    def generate_kek(self, label: str) -> KeyRef:
        """Makes an AES-256 key for `seal` and `open`, with a random CKA_ID."""
        key_id = secrets.token_hex(_KEY_ID_LENGTH)
        return self._run_writing(lambda work: objects.make_secret_key(work.session, key_id, label))

    def generate_derive_key(self, label: str) -> KeyRef:
        """Makes a P-256 key pair that can do nothing but `ecdh_derive`, and proves it by an agreement with itself."""
        ref = self._run_writing(lambda work: objects.make_pair(work.session, Algorithm.EC_P256, label, derive=True))
        ours = ec.generate_private_key(ec.SECP256R1())
        theirs = load_der_public_key(ref.public_key_der)
        if not isinstance(theirs, ec.EllipticCurvePublicKey):
            raise HsmConfigError("the derive key is no elliptic curve key")
        if self.ecdh_derive(ref, ours.public_key()) != ours.exchange(ec.ECDH(), theirs):
            raise HsmConfigError("the new key does not agree")
        return ref

    def destroy(self, ref: KeyRef | str) -> None:
        """Removes a key pair for ever: that of a responder whose certificate has ended. HsmKeyMissing if it is not there."""
        key_id = _key_id(ref)

        def operation(work: WorkSession) -> None:
            objects.lookup(work, ObjectClass.PRIVATE_KEY, key_id).destroy()
            objects.lookup(work, ObjectClass.PUBLIC_KEY, key_id).destroy()

        self._run_writing(operation)

    def find(self, key_id: str) -> KeyRef:
        """The key pair with this CKA_ID (hex). Raises HsmKeyMissing."""
        return self._run(lambda work: objects.describe_pair(work, key_id))

    def attributes(self, key_id: str) -> KeyAttributes:
        """What the token says of the private or secret key with this CKA_ID. HsmKeyMissing; HsmConfigError if several."""
        found = [each for each in self.inventory() if each.key_id == key_id]
        if not found:
            raise HsmKeyMissing(f"no key with CKA_ID {key_id}")
        if len(found) > 1:
            raise HsmConfigError(f"several keys with CKA_ID {key_id}")
        return found[0]

    def find_kek(self, key_id: str) -> KeyRef:
        """The AES key with this CKA_ID (hex). Raises HsmKeyMissing."""
        return self._run(lambda work: objects.describe_secret(work, key_id))

    def find_label(self, label: str) -> str | None:
        """CKA_ID of the private or secret key with this label, None if there is none. HsmConfigError if there are several."""
        found = [each.key_id for each in self.inventory() if each.label == label]
        if len(found) > 1:
            raise HsmConfigError("several keys have the same label")
        return found[0] if found else None

    def public_key(self, ref: KeyRef | str) -> PublicKeyTypes:
        """The public half as the token holds it."""
        return load_der_public_key(self.find(_key_id(ref)).public_key_der)

    def private_key(self, ref: KeyRef | str) -> TokenPrivateKey:
        """A private key for cryptography's builders (certificates, CRLs, OCSP responses) that signs here."""
        found = ref if isinstance(ref, KeyRef) and ref.public_key_der else self.find(_key_id(ref))
        return private_key(found, lambda digest, scheme: self.sign_digest(found, digest, scheme))

    def sign(self, ref: KeyRef | str, data: bytes, scheme: Scheme) -> bytes:
        """Signs `data`, hashed on this side so that nothing large goes to the token."""
        return self.sign_digest(ref, hashlib.new(scheme.hash_name, data).digest(), scheme)

    def sign_digest(self, ref: KeyRef | str, digest: bytes, scheme: Scheme) -> bytes:
        """Signs a digest of the scheme's hash. ECDSA signatures come as DER. Raises ValueError for another length."""
        if len(digest) != hashlib.new(scheme.hash_name).digest_size:
            raise ValueError("the digest does not belong to the scheme")
        key_id = _key_id(ref)

        def operation(work: WorkSession) -> bytes:
            key = objects.able(objects.lookup(work, ObjectClass.PRIVATE_KEY, key_id), SignMixin)
            if scheme.is_rsa:
                return bytes(key.sign(_DIGEST_INFO[scheme.hash_name] + digest, mechanism=Mechanism.RSA_PKCS))
            raw = bytes(key.sign(digest, mechanism=Mechanism.ECDSA))
            half = len(raw) // 2
            return utils.encode_dss_signature(int.from_bytes(raw[:half]), int.from_bytes(raw[half:]))

        return self._run(operation)

    def seal(self, kek: KeyRef | str, plaintext: bytes, aad: bytes) -> bytes:
        """AES-256-GCM under the KEK: version, CKA_ID, 12-octet IV, ciphertext, 16-octet tag. `aad` is needed to open it."""
        key_id = _key_id(kek)
        iv = secrets.token_bytes(_IV_LENGTH)

        def operation(work: WorkSession) -> bytes:
            key = objects.lookup(work, ObjectClass.SECRET_KEY, key_id)
            return bytes(key.encrypt(plaintext, mechanism=Mechanism.AES_GCM, mechanism_param=GCMParams(iv, aad)))

        return bytes([SEAL_VERSION]) + bytes.fromhex(key_id) + iv + self._run(operation)

    def open(self, blob: bytes, aad: bytes) -> bytes:
        """The plaintext of a blob made by `seal`. Raises HsmSealBroken if blob or `aad` is not what was sealed."""
        if len(blob) < _SEAL_HEAD + _TAG_LENGTH or blob[0] != SEAL_VERSION:
            raise HsmSealBroken("not a sealed blob")
        key_id, iv = blob[1 : 1 + _KEY_ID_LENGTH].hex(), blob[1 + _KEY_ID_LENGTH : _SEAL_HEAD]

        def operation(work: WorkSession) -> bytes:
            key = objects.lookup(work, ObjectClass.SECRET_KEY, key_id)
            try:
                return bytes(key.decrypt(blob[_SEAL_HEAD:], mechanism=Mechanism.AES_GCM, mechanism_param=GCMParams(iv, aad)))
            except _SEAL_FAULTS:
                # SoftHSM says GeneralError for a wrong tag; a session that still works tells it from a dead token.
                work.session.generate_random(64)
                raise HsmSealBroken("the blob does not open") from None

        return self._run(operation)

    def ecdh_derive(self, ref: KeyRef | str, peer: ec.EllipticCurvePublicKey) -> bytes:
        """The shared secret Z (RFC 7518 section 4.6) with a public key on P-256, as 32 octets in this process's memory."""
        if not isinstance(peer.curve, ec.SECP256R1):
            raise ValueError("the peer's key is not on P-256")
        point = b"\x04" + peer.public_numbers().x.to_bytes(32) + peer.public_numbers().y.to_bytes(32)
        key_id = _key_id(ref)

        def operation(work: WorkSession) -> bytes:
            key = objects.able(objects.lookup(work, ObjectClass.PRIVATE_KEY, key_id), DeriveMixin)
            derived = key.derive_key(
                KeyType.GENERIC_SECRET,
                256,
                mechanism=Mechanism.ECDH1_DERIVE,
                mechanism_param=(KDF.NULL, None, point),
                template={Attribute.TOKEN: False, Attribute.SENSITIVE: False, Attribute.EXTRACTABLE: True},
            )
            try:
                return bytes(derived[Attribute.VALUE])
            finally:
                derived.destroy()

        return self._run(operation)

    def random(self, octets: int) -> bytes:
        """Random octets from the token."""
        return self._run(lambda work: bytes(work.session.generate_random(octets * 8)))

    def health(self) -> Health:
        """Opens the token if need be, counts its private keys and says how calls are kept apart."""
        here = module(self._path, self._locking)

        def operation(work: WorkSession) -> Health:
            keys = list(work.session.get_objects({Attribute.CLASS: ObjectClass.PRIVATE_KEY, Attribute.TOKEN: True}))
            token = work.session.token
            return Health(token.label, token.serial.decode().strip(), "global" if here.global_lock else "os", len(keys))

        return self._run(operation)

    def inventory(self) -> list[KeyAttributes]:
        """Every private and secret key of the token with its attributes, by label."""
        return self._run(lambda work: objects.inventory(work.session))


def _key_id(ref: KeyRef | str) -> str:
    return ref.key_id if isinstance(ref, KeyRef) else ref
