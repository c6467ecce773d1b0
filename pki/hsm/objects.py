"""Objects in a token: the attributes of our keys, and how keys are created, found and described. All inside one session."""

import hashlib
from typing import Any

import pkcs11
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key
from pkcs11 import Attribute, KeyType, Mechanism, MechanismFlag, ObjectClass
from pkcs11.util.ec import encode_ec_public_key, encode_named_curve_parameters
from pkcs11.util.rsa import encode_rsa_public_key

from pki.hsm import metrics
from pki.hsm.errors import HsmConfigError, HsmError, HsmKeyExists, HsmKeyMissing
from pki.hsm.sessions import WorkSession
from pki.hsm.types import Algorithm, KeyAttributes, KeyRef, TokenObject

_CURVES = {Algorithm.EC_P256: "secp256r1", Algorithm.EC_P384: "secp384r1"}
_RSA_BITS = {Algorithm.RSA_2048: 2048, Algorithm.RSA_3072: 3072, Algorithm.RSA_4096: 4096}

# Attributes that must be true after a key was created, and those that must not (E2.11, E2.12).
REQUIRED = {
    Attribute.TOKEN: True,
    Attribute.PRIVATE: True,
    Attribute.SENSITIVE: True,
    Attribute.ALWAYS_SENSITIVE: True,
    Attribute.NEVER_EXTRACTABLE: True,
    Attribute.LOCAL: True,
    Attribute.EXTRACTABLE: False,
    Attribute.MODIFIABLE: False,
}
_DESCRIBED = [*REQUIRED, Attribute.SIGN, Attribute.DECRYPT, Attribute.UNWRAP, Attribute.DERIVE, Attribute.ENCRYPT, Attribute.WRAP]


def _private_template(*, sign: bool, derive: bool) -> dict[Attribute, Any]:
    return {
        Attribute.PRIVATE: True,
        Attribute.SENSITIVE: True,
        Attribute.EXTRACTABLE: False,
        Attribute.SIGN: sign,
        Attribute.SIGN_RECOVER: False,
        Attribute.DECRYPT: False,
        Attribute.UNWRAP: False,
        Attribute.DERIVE: derive,
    }


def _public_template(*, verify: bool) -> dict[Attribute, Any]:
    return {Attribute.VERIFY: verify, Attribute.ENCRYPT: False, Attribute.WRAP: False, Attribute.DERIVE: False}


def key_id_of(public_key_der: bytes) -> str:
    """Returns the CKA_ID of a key pair: the first 20 octets of SHA-256 of its SubjectPublicKeyInfo, in hex."""
    return hashlib.sha256(public_key_der).hexdigest()[:40]


def public_key_der(public: pkcs11.PublicKey) -> bytes:
    """Returns the SubjectPublicKeyInfo of a public key object."""
    der = encode_ec_public_key(public) if public.key_type == KeyType.EC else encode_rsa_public_key(public)
    return load_der_public_key(der).public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def make_pair(session: pkcs11.Session, algorithm: Algorithm, label: str, *, derive: bool = False) -> KeyRef:
    """Creates a key pair in the token, either for signatures or for key agreement.

    Creates session objects and copies them into the token with the final CKA_ID, because CKA_ID follows from the public key and
    the token's object may never be modified.
    """
    refuse_taken(session, label=label)
    capabilities = MechanismFlag.DERIVE if derive else MechanismFlag.SIGN | MechanismFlag.VERIFY
    templates: dict[str, Any] = {
        "capabilities": capabilities,
        "private_template": _private_template(sign=not derive, derive=derive),
        "public_template": _public_template(verify=not derive),
    }
    if algorithm in _CURVES:
        parameters = session.create_domain_parameters(
            KeyType.EC, {Attribute.EC_PARAMS: encode_named_curve_parameters(_CURVES[algorithm])}, local=True
        )
        public, private = parameters.generate_keypair(mechanism=Mechanism.EC_KEY_PAIR_GEN, **templates)
    elif algorithm in _RSA_BITS:
        public, private = session.generate_keypair(KeyType.RSA, _RSA_BITS[algorithm], **templates)
    else:
        raise HsmConfigError(f"{algorithm} is not a key pair")
    der = public_key_der(public)
    key_id = key_id_of(der)
    refuse_taken(session, key_id=key_id)
    final = {Attribute.TOKEN: True, Attribute.ID: bytes.fromhex(key_id), Attribute.LABEL: label, Attribute.MODIFIABLE: False}
    stored_public = public.copy(final)
    stored = private.copy(final)
    private.destroy()
    public.destroy()
    _require(stored, stored_public)
    return KeyRef(key_id, label, algorithm, der)


# Key type and abilities of each kind of secret key. We compare MACs ourselves, so a MAC key need not verify.
_SECRETS = {
    Algorithm.AES_256: (KeyType.AES, MechanismFlag.ENCRYPT | MechanismFlag.DECRYPT),
    Algorithm.HMAC_SHA256: (KeyType.GENERIC_SECRET, MechanismFlag.SIGN),
}


def make_secret_key(session: pkcs11.Session, algorithm: Algorithm, key_id: str, label: str) -> KeyRef:
    """Creates a 256-bit key that either encrypts and decrypts data or makes MACs, and does nothing else."""
    refuse_taken(session, label=label, key_id=key_id)
    key_type, capabilities = _SECRETS[algorithm]
    key = session.generate_key(
        key_type,
        256,
        id=bytes.fromhex(key_id),
        label=label,
        store=True,
        capabilities=capabilities,
        template={
            Attribute.PRIVATE: True,
            Attribute.SENSITIVE: True,
            Attribute.EXTRACTABLE: False,
            Attribute.MODIFIABLE: False,
            Attribute.SIGN: MechanismFlag.SIGN in capabilities,
            Attribute.VERIFY: False,
            Attribute.ENCRYPT: MechanismFlag.ENCRYPT in capabilities,
            Attribute.DECRYPT: MechanismFlag.DECRYPT in capabilities,
            Attribute.WRAP: False,
            Attribute.UNWRAP: False,
            Attribute.DERIVE: False,
        },
    )
    _require(key)
    return KeyRef(key_id, label, algorithm)


def _require(key: pkcs11.Object, *others: pkcs11.Object) -> None:
    """Destroys a new key and what was created with it, and raises HsmConfigError, unless it has the required attributes."""
    wrong = [attribute.name for attribute, value in REQUIRED.items() if key[attribute] is not value]
    if wrong:
        for each in (key, *others):
            each.destroy()
        raise HsmConfigError(f"the token made a key with wrong attributes: {', '.join(wrong)}")


def refuse_taken(session: pkcs11.Session, *, label: str | None = None, key_id: str | None = None) -> None:
    """Raises HsmKeyExists if a private or secret key has the label or CKA_ID.

    Removes a public object without its private half, which a crash left when only one of them was created.
    """
    for attribute, value in ((Attribute.LABEL, label), (Attribute.ID, bytes.fromhex(key_id) if key_id else None)):
        if value is None:
            continue
        for kind in (ObjectClass.PRIVATE_KEY, ObjectClass.SECRET_KEY):
            if list(session.get_objects({Attribute.CLASS: kind, attribute: value, Attribute.TOKEN: True})):
                raise HsmKeyExists(f"the token has a key with this {attribute.name}")
        orphans = {Attribute.CLASS: ObjectClass.PUBLIC_KEY, attribute: value, Attribute.TOKEN: True}
        for orphan in list(session.get_objects(orphans)):
            orphan.destroy()


def lookup(work: WorkSession, kind: ObjectClass, key_id: str) -> Any:
    """Returns the one token object of `kind` with this CKA_ID, from the session's cache if it was found before.

    Raises HsmKeyMissing, or HsmConfigError if the token has several.
    """
    known = work.found.get((kind, key_id))
    if known is None:
        # Always to the end: the garbage collector would end an abandoned search in whatever session has its number then.
        found = list(
            work.session.get_objects({Attribute.CLASS: kind, Attribute.ID: bytes.fromhex(key_id), Attribute.TOKEN: True})
        )
        if not found:
            raise HsmKeyMissing(f"no {kind.name} with CKA_ID {key_id}")
        if len(found) > 1:
            raise HsmConfigError(f"several {kind.name} with CKA_ID {key_id}")
        known = work.found[kind, key_id] = found[0]
        work.purposes[key_id] = metrics.purpose_of(found[0][Attribute.LABEL])
    return known


def able[T](key: Any, ability: type[T]) -> T:
    """Returns `key` as a type that may do what the mixin allows. Raises HsmConfigError if its attributes do not allow it."""
    if not isinstance(key, ability):
        raise HsmConfigError(f"the key is not for this use ({ability.__name__})")
    return key


def describe_pair(work: WorkSession, key_id: str, *, ours: bool = True) -> KeyRef:
    """Returns the key pair with this CKA_ID. Raises HsmConfigError if CKA_ID does not match the public key and we chose it."""
    public = lookup(work, ObjectClass.PUBLIC_KEY, key_id)
    private = lookup(work, ObjectClass.PRIVATE_KEY, key_id)
    der = public_key_der(public)
    if ours and key_id_of(der) != key_id:
        raise HsmConfigError(f"the public key with CKA_ID {key_id} is another one")
    return KeyRef(key_id, private.label, _algorithm(der), der)


def describe_secret(work: WorkSession, key_id: str) -> KeyRef:
    """Returns the AES or MAC key with this CKA_ID. Raises HsmError for another kind."""
    key = lookup(work, ObjectClass.SECRET_KEY, key_id)
    for algorithm, (key_type, _) in _SECRETS.items():
        if key.key_type == key_type:
            return KeyRef(key_id, key.label, algorithm)
    raise HsmError(f"a secret key of type {key.key_type.name} is not one of ours")


def _algorithm(der: bytes) -> Algorithm:
    key = load_der_public_key(der)
    curve = getattr(key, "curve", None)
    name = f"rsa-{getattr(key, 'key_size', 0)}" if curve is None else f"ec-p{curve.key_size}"
    try:
        return Algorithm(name)
    except ValueError:
        raise HsmError(f"a key of type {name} is not one of ours") from None


def inventory(session: pkcs11.Session) -> list[KeyAttributes]:
    """Returns every private and secret key of the token with its attributes."""
    found = []
    for kind in (ObjectClass.PRIVATE_KEY, ObjectClass.SECRET_KEY):
        for key in list(session.get_objects({Attribute.CLASS: kind, Attribute.TOKEN: True})):
            found.append(KeyAttributes(key[Attribute.ID].hex(), key[Attribute.LABEL], kind.name.lower(), _described(key)))
    return sorted(found, key=lambda each: each.label)


def everything(session: pkcs11.Session) -> list[TokenObject]:
    """Returns every object of the token."""
    found = []
    for each in list(session.get_objects({Attribute.TOKEN: True})):
        kind: Any = each[Attribute.CLASS]
        attributes, digest = {}, ""
        if kind in (ObjectClass.PRIVATE_KEY, ObjectClass.SECRET_KEY):
            attributes = _described(each)
        elif kind == ObjectClass.PUBLIC_KEY:
            digest = _public_digest(each)
        name = kind.name.lower() if isinstance(kind, ObjectClass) else f"vendor-{kind:x}"
        found.append(
            TokenObject(name, _read(each, Attribute.ID, b"").hex(), _read(each, Attribute.LABEL, ""), attributes, digest)
        )
    return sorted(found, key=lambda each: (each.label, each.kind))


def _described(key: pkcs11.Object) -> dict[str, bool]:
    return {Attribute(number).name: value for number, value in key.get_attributes(_DESCRIBED).items()}


def _read(each: pkcs11.Object, attribute: Attribute, default: Any) -> Any:
    """Returns an attribute, or `default` if this kind of object lacks it: data has no CKA_ID."""
    try:
        return each[attribute]
    except pkcs11.exceptions.AttributeTypeInvalid:
        return default


def _public_digest(public: Any) -> str:
    """Returns an empty text for a kind of key that we never create."""
    if public.key_type not in (KeyType.EC, KeyType.RSA):
        return ""
    return hashlib.sha256(public_key_der(public)).hexdigest()
