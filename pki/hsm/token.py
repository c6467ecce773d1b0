"""The operations of one token. `attempts` has their retries and time limits."""

import hashlib
import math
import secrets
import time
from collections.abc import Callable, Sequence

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.serialization import load_der_public_key
from pkcs11 import (
    KDF,
    Attribute,
    DecryptMixin,
    DeriveMixin,
    EncryptMixin,
    GCMParams,
    KeyType,
    Mechanism,
    ObjectClass,
    SignMixin,
    exceptions,
)

from pki.hsm import calls, metrics, objects
from pki.hsm.attempts import LONG_FACTOR, Attempts
from pki.hsm.errors import HsmConfigError, HsmError, HsmKeyMissing, HsmSealBroken, HsmSealKeyLost
from pki.hsm.keys import TokenPrivateKey, private_key, verify
from pki.hsm.sessions import WorkSession
from pki.hsm.types import Algorithm, Health, KeyAttributes, KeyRef, KeySpec, Scheme, Signatures, TokenObject

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

CHALLENGE = b"siths-portal challenge\x00"

SEAL_VERSION = 1
_IV_LENGTH, _TAG_LENGTH, _KEY_ID_LENGTH = 12, 16, 20
_SEAL_HEAD = 1 + _KEY_ID_LENGTH + _IV_LENGTH


class Hsm(Attempts):
    """A token of this process, found by its label. Opens on first use; threads may use it at once, also after a fork.

    Every method may raise HsmUnavailable (try again later), HsmPinError or HsmConfigError.
    """

    def generate(self, spec: KeySpec) -> KeyRef:
        """Creates a key pair that signs and never leaves the token, and proves it by a signature.

        Raises HsmKeyExists if the label is taken, HsmConfigError if the key lacks a required attribute.
        """
        ref = self._run_writing(lambda work: objects.make_pair(work.session, spec.algorithm, spec.label), factor=LONG_FACTOR)
        self.prove(ref)
        return ref

    def prove(self, ref: KeyRef) -> None:
        """Signs a challenge and verifies it with the reference's public key. Raises HsmConfigError if another key signed.

        No signature over the challenge can be taken for one over a certificate, a CRL or an OCSP response, which begin with 0x30.
        """
        challenge = CHALLENGE + secrets.token_bytes(32)
        scheme = Scheme.RSA_SHA256 if ref.algorithm.is_rsa else Scheme.ECDSA_SHA256
        try:
            verify(load_der_public_key(ref.public_key_der), self.sign(ref, challenge, scheme), challenge, scheme)
        except InvalidSignature:
            raise HsmConfigError("the key's signature does not verify") from None

    def generate_kek(self, label: str) -> KeyRef:
        """Creates an AES-256 key for `seal` and `open`, with a random CKA_ID."""
        return self._generate_secret(Algorithm.AES_256, label)

    def generate_mac_key(self, label: str) -> KeyRef:
        """Creates a 256-bit key that can do nothing but `mac`, with a random CKA_ID, and proves it by a MAC made twice."""
        ref = self._generate_secret(Algorithm.HMAC_SHA256, label)
        challenge = secrets.token_bytes(32)
        if self.mac(ref, challenge) != self.mac(ref, challenge):
            raise HsmConfigError("the new key makes another MAC each time")
        return ref

    def _generate_secret(self, algorithm: Algorithm, label: str) -> KeyRef:
        key_id = secrets.token_hex(_KEY_ID_LENGTH)
        return self._run_writing(lambda work: objects.make_secret_key(work.session, algorithm, key_id, label))

    def generate_derive_key(self, label: str) -> KeyRef:
        """Creates a P-256 key pair that can do nothing but `ecdh_derive`, and proves it by an agreement with itself."""
        ref = self._run_writing(lambda work: objects.make_pair(work.session, Algorithm.EC_P256, label, derive=True))
        ours = ec.generate_private_key(ec.SECP256R1())
        theirs = load_der_public_key(ref.public_key_der)
        if not isinstance(theirs, ec.EllipticCurvePublicKey):
            raise HsmConfigError("the derive key is no elliptic curve key")
        if self.ecdh_derive(ref, ours.public_key()) != ours.exchange(ec.ECDH(), theirs):
            raise HsmConfigError("the new key does not agree")
        return ref

    def destroy(self, ref: KeyRef | str) -> None:
        """Removes a key pair permanently: that of a responder whose certificate has expired. Raises HsmKeyMissing."""
        key_id = _key_id(ref)

        def operation(work: WorkSession) -> None:
            objects.lookup(work, ObjectClass.PRIVATE_KEY, key_id).destroy()
            objects.lookup(work, ObjectClass.PUBLIC_KEY, key_id).destroy()

        self._run_writing(operation)

    def find(self, key_id: str, *, ours: bool = True) -> KeyRef:
        """The key pair with this CKA_ID (hex). Raises HsmKeyMissing.

        HsmConfigError if its CKA_ID is not its public key's, unless others chose it (`ours` False, for imported keys).
        """
        return self._run(lambda work: objects.describe_pair(work, key_id, ours=ours))

    def attributes(self, key_id: str) -> KeyAttributes:
        """Returns the attributes of the private or secret key with this CKA_ID. HsmKeyMissing; HsmConfigError if several."""
        found = [each for each in self.inventory() if each.key_id == key_id]
        if not found:
            raise HsmKeyMissing(f"no key with CKA_ID {key_id}")
        if len(found) > 1:
            raise HsmConfigError(f"several keys with CKA_ID {key_id}")
        return found[0]

    def find_secret(self, key_id: str) -> KeyRef:
        """Returns the AES or MAC key with this CKA_ID (hex). Raises HsmKeyMissing."""
        return self._run(lambda work: objects.describe_secret(work, key_id))

    def find_label(self, label: str) -> str | None:
        """Returns the CKA_ID of the private or secret key with this label, or None. HsmConfigError if there are several."""
        found = [each.key_id for each in self.inventory() if each.label == label]
        if len(found) > 1:
            raise HsmConfigError("several keys have the same label")
        return found[0] if found else None

    def public_key(self, ref: KeyRef | str) -> PublicKeyTypes:
        """Returns the public half as the token has it."""
        return load_der_public_key(self.find(_key_id(ref)).public_key_der)

    def private_key(self, ref: KeyRef | str) -> TokenPrivateKey:
        """Returns a private key for cryptography's builders (certificates, CRLs, OCSP responses) that signs in the token."""
        found = ref if isinstance(ref, KeyRef) and ref.public_key_der else self.find(_key_id(ref), ours=False)
        return private_key(found, lambda digest, scheme: self.sign_digest(found, digest, scheme))

    def sign(self, ref: KeyRef | str, data: bytes, scheme: Scheme) -> bytes:
        """Signs `data`, which is hashed in this process so that nothing large goes to the token."""
        return self.sign_digest(ref, hashlib.new(scheme.hash_name, data).digest(), scheme)

    def sign_digest(self, ref: KeyRef | str, digest: bytes, scheme: Scheme) -> bytes:
        """Signs a digest of the scheme's hash. ECDSA signatures are DER. Raises ValueError for another length."""
        if len(digest) != hashlib.new(scheme.hash_name).digest_size:
            raise ValueError("the digest does not belong to the scheme")
        key_id = _key_id(ref)
        return self._run(lambda work: _signature(work, key_id, digest, scheme))

    def sign_all(self, ref: KeyRef | str, data: Sequence[bytes], scheme: Scheme, *, until: float = math.inf) -> Signatures:
        """Signs the pieces of data in order in one call, each within a call's time limit, and starts none after `until`.

        `until` is a time of `time.monotonic`. A token error is not raised: it is in the result, with the signatures made.
        """
        digests = [hashlib.new(scheme.hash_name, each).digest() for each in data]
        key_id = _key_id(ref)
        made: list[bytes] = []

        def operation(work: WorkSession) -> None:
            # After a reconnect it continues where it was.
            while len(made) < len(digests) and time.monotonic() < until:
                calls.step()
                made.append(_signature(work, key_id, digests[len(made)], scheme))

        try:
            self._run(operation)
        except HsmError as error:
            return Signatures(tuple(made), error)
        return Signatures(tuple(made))

    def mac(self, key_id: KeyRef | str, data: bytes) -> bytes:
        """Returns HMAC-SHA-256 (RFC 2104) of `data`, 32 octets, by a key of `generate_mac_key`; compare it in constant time."""
        id_ = _key_id(key_id)

        def operation(work: WorkSession) -> bytes:
            key = objects.able(objects.lookup(work, ObjectClass.SECRET_KEY, id_), SignMixin)
            return _timed(work, id_, lambda: key.sign(data, mechanism=Mechanism.SHA256_HMAC))

        return self._run(operation)

    def seal(self, kek: KeyRef | str, plaintext: bytes, aad: bytes) -> bytes:
        """Encrypts by AES-256-GCM under the KEK: version, CKA_ID, 12-octet IV, ciphertext, 16-octet tag. `open` needs `aad`."""
        key_id = _key_id(kek)
        iv = secrets.token_bytes(_IV_LENGTH)

        def operation(work: WorkSession) -> bytes:
            key = objects.able(objects.lookup(work, ObjectClass.SECRET_KEY, key_id), EncryptMixin)
            return _octets(key.encrypt(plaintext, mechanism=Mechanism.AES_GCM, mechanism_param=GCMParams(iv, aad)))

        return bytes([SEAL_VERSION]) + bytes.fromhex(key_id) + iv + self._run(operation)

    def open(self, blob: bytes, aad: bytes) -> bytes:
        """Returns the plaintext of a blob made by `seal`.

        Raises HsmSealBroken if blob or `aad` is not what was sealed, HsmSealKeyLost if the KEK is not in the token.
        """
        if len(blob) < _SEAL_HEAD + _TAG_LENGTH or blob[0] != SEAL_VERSION:
            raise HsmSealBroken("not a sealed blob")
        key_id, iv = blob[1 : 1 + _KEY_ID_LENGTH].hex(), blob[1 + _KEY_ID_LENGTH : _SEAL_HEAD]

        def operation(work: WorkSession) -> bytes:
            try:
                key = objects.able(objects.lookup(work, ObjectClass.SECRET_KEY, key_id), DecryptMixin)
            except HsmKeyMissing:
                raise HsmSealKeyLost(f"the token has no key {key_id}: what it sealed is lost unless a backup has it") from None
            try:
                return _octets(key.decrypt(blob[_SEAL_HEAD:], mechanism=Mechanism.AES_GCM, mechanism_param=GCMParams(iv, aad)))
            except _SEAL_FAULTS:
                # SoftHSM returns GeneralError for a wrong tag; a session that still works distinguishes it from a dead token.
                work.session.generate_random(64)
                raise HsmSealBroken("the blob does not open") from None

        return self._run(operation)

    def ecdh_derive(self, ref: KeyRef | str, peer: ec.EllipticCurvePublicKey) -> bytes:
        """Returns the shared secret Z (RFC 7518 section 4.6) with a P-256 public key, as 32 octets in this process's memory."""
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
        """Returns random octets from the token."""
        return self._run(lambda work: bytes(work.session.generate_random(octets * 8)))

    def health(self) -> Health:
        """Opens the token if necessary, counts its private keys and reports how calls are kept apart."""
        here = self.module

        def operation(work: WorkSession) -> Health:
            keys = list(work.session.get_objects({Attribute.CLASS: ObjectClass.PRIVATE_KEY, Attribute.TOKEN: True}))
            token = work.session.token
            return Health(token.label, token.serial.decode().strip(), "global" if here.global_lock else "os", len(keys))

        return self._run(operation)

    def inventory(self) -> list[KeyAttributes]:
        """Returns every private and secret key of the token with its attributes, by label."""
        return self._run(lambda work: objects.inventory(work.session))

    def everything(self) -> list[TokenObject]:
        """Returns every object in the token, of any kind, by label; unless somebody added others by hand, all are keys."""
        return self._run(lambda work: objects.everything(work.session))


def _key_id(ref: KeyRef | str) -> str:
    return ref.key_id if isinstance(ref, KeyRef) else ref


def _octets(result: object) -> bytes:
    if not isinstance(result, bytes):
        raise TypeError("the library gives the result of one piece of data as bytes")
    return result


def _signature(work: WorkSession, key_id: str, digest: bytes, scheme: Scheme) -> bytes:
    key = objects.able(objects.lookup(work, ObjectClass.PRIVATE_KEY, key_id), SignMixin)
    if scheme.is_rsa:
        return _timed(work, key_id, lambda: key.sign(_DIGEST_INFO[scheme.hash_name] + digest, mechanism=Mechanism.RSA_PKCS))
    raw = _timed(work, key_id, lambda: key.sign(digest, mechanism=Mechanism.ECDSA))
    half = len(raw) // 2
    return utils.encode_dss_signature(int.from_bytes(raw[:half]), int.from_bytes(raw[half:]))


def _timed(work: WorkSession, key_id: str, sign: Callable[[], bytes]) -> bytes:
    began = time.perf_counter()
    signature = bytes(sign())
    metrics.signed(work.purposes.get(key_id, metrics.OTHER), time.perf_counter() - began)
    return signature
