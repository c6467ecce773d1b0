"""Keys and their rows: created together (E2.11), or registered after a key was moved into the token (E2.13).

A crash between creating a key and its row is repaired by the next attempt.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.db import transaction

from pki.hsm import Algorithm, Hsm, HsmConfigError, KeyRef, KeySpec
from pki.models import Event, HsmKey, KeyFinding, KeyProvenance, KeyPurpose
from siths_portal.lib import clock, faults
from siths_portal.lib.canonical import sha256_hex
from siths_portal.lib.database import locks

# Attributes that a key of ours must have in the token; `never extractable` and `local` prove that it was never outside it.
REQUIRED = {
    "TOKEN": True,
    "PRIVATE": True,
    "SENSITIVE": True,
    "ALWAYS_SENSITIVE": True,
    "NEVER_EXTRACTABLE": True,
    "LOCAL": True,
    "EXTRACTABLE": False,
    "MODIFIABLE": False,
}

# Purposes whose keys are secret keys, without a public half.
SECRET_KEYS = {KeyPurpose.KEK, KeyPurpose.AUDIT}
# The algorithm of the keys of SERVICE_PURPOSES.
SERVICE_KEYS: dict[KeyPurpose, str] = {
    KeyPurpose.KEK: Algorithm.AES_256,
    KeyPurpose.SECRET_DERIVE: Algorithm.EC_P256,
    KeyPurpose.AUDIT: Algorithm.HMAC_SHA256,
    KeyPurpose.AUDIT_HEAD: Algorithm.EC_P256,
    KeyPurpose.HEALTH: Algorithm.EC_P256,
}

_LOCK = 0x70_6B_69_02  # shared by processes that create or destroy keys, held exclusively by the inventory


def _changing_keys() -> AbstractContextManager[None]:
    return locks.held(_LOCK, shared=True)


def keys_at_rest() -> AbstractContextManager[None]:
    """No process creates or destroys a key inside the block, so tokens and rows can be compared."""
    return locks.held(_LOCK)


# Attributes that an imported key must have: it came from outside, and cannot leave.
REQUIRED_OF_IMPORTED = {"TOKEN": True, "PRIVATE": True, "SENSITIVE": True, "EXTRACTABLE": False, "SIGN": True}


def accept_imported(
    token: Hsm, *, key_id: str, certificate_der: bytes, ceremony_sha256: str, actor_ref: str, purpose: KeyPurpose = KeyPurpose.CA
) -> HsmKey:
    """Records a key that was moved into the token at a ceremony, after it has proved to be the certificate's (E2.13).

    Its public half in the token must be the certificate's, and must verify its signature over a challenge. Repeatable. Raises
    HsmKeyMissing, and HsmConfigError if it is another key, can leave the token or is recorded with another provenance.
    """
    public = x509.load_der_x509_certificate(certificate_der).public_key()
    spki = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    known = HsmKey.objects.filter(key_id=key_id).first()
    if known is not None and (
        known.provenance != KeyProvenance.IMPORTED
        or known.ceremony_sha256 != ceremony_sha256
        or bytes(known.public_key_der) != spki
    ):
        raise HsmConfigError(f"the key {key_id} is known otherwise")
    with _changing_keys():
        ref = token.find(key_id, ours=False)
        if ref.public_key_der != spki:
            raise HsmConfigError("the key's public half in the token is not the certificate's")
        token.prove(ref)
        if known is not None:
            return known
        attributes = token.attributes(key_id).attributes
        wrong = [name for name, value in REQUIRED_OF_IMPORTED.items() if attributes.get(name) is not value]
        if wrong or not ref.label or len(key_id) > 40:
            raise HsmConfigError(f"the imported key is not as it must be: {', '.join(wrong) or 'its label or CKA_ID'}")
        found = FoundKey(token, purpose, ref, attributes, ceremony_sha256)
        return found.record("key.imported", actor_ref)


@dataclass(frozen=True)
class FoundKey:
    """A key in the token, as it will be recorded. `ceremony_sha256` is of the document that an imported key came with."""

    token: Hsm
    purpose: KeyPurpose
    ref: KeyRef
    attributes: dict[str, bool]
    ceremony_sha256: str = ""

    @transaction.atomic(durable=True)
    def record(self, action: str, actor_ref: str) -> HsmKey:
        """Creates the key's row and the event."""
        ref = self.ref
        row = HsmKey.objects.create(
            key_id=ref.key_id,
            purpose=self.purpose,
            token_label=self.token.token_label,
            label=ref.label,
            algorithm=ref.algorithm,
            public_key_der=ref.public_key_der,
            attributes=self.attributes,
            provenance=KeyProvenance.IMPORTED if self.ceremony_sha256 else KeyProvenance.GENERATED,
            ceremony_sha256=self.ceremony_sha256,
            finding=KeyFinding.AS_RECORDED,  # the token has just confirmed it
            created_at=clock.now(),
        )
        facts = {
            "purpose": self.purpose,
            "label": ref.label,
            "algorithm": ref.algorithm,
            "token": self.token.token_label,
            "public_key_sha256": sha256_hex(ref.public_key_der) if ref.public_key_der else "",
            "attributes": self.attributes,
        }
        if self.ceremony_sha256:
            facts["ceremony_sha256"] = self.ceremony_sha256
        Event.record(actor_ref=actor_ref, action=action, subject_type="hsm_key", subject_ref=ref.key_id, facts=facts)
        return row


@dataclass(frozen=True)
class WantedKey:
    """A required key: `label` identifies it for people and makes repeating safe, `algorithm` is a name of `hsm.Algorithm`."""

    token: Hsm
    purpose: KeyPurpose
    label: str
    algorithm: str

    @property
    def _make(self) -> Callable[[], KeyRef]:
        if self.purpose == KeyPurpose.KEK:
            return lambda: self.token.generate_kek(self.label)
        if self.purpose == KeyPurpose.AUDIT:
            return lambda: self.token.generate_mac_key(self.label)
        if self.purpose == KeyPurpose.SECRET_DERIVE:
            return lambda: self.token.generate_derive_key(self.label)
        return lambda: self.token.generate(KeySpec(Algorithm(self.algorithm), self.label))

    def ensure(self, *, actor_ref: str) -> HsmKey:
        """Returns the key's row; creates the key if it is missing, only once for concurrent callers.

        Raises HsmError, HsmConfigError if the token has another kind.
        """
        if known := self._known():
            return known
        with locks.held(locks.number(f"pki.key {self.label}")), _changing_keys():
            return self._known() or self._ensure(actor_ref)

    def _known(self) -> HsmKey | None:
        return HsmKey.objects.filter(label=self.label).first()

    def _ensure(self, actor_ref: str) -> HsmKey:
        left = self.token.find_label(self.label)
        ref = self._make() if left is None else self._adopt(left)
        attributes = self.token.attributes(ref.key_id).attributes
        wrong = [name for name, value in REQUIRED.items() if attributes.get(name) is not value]
        if wrong or ref.algorithm != self.algorithm:
            raise HsmConfigError(f"the key {self.label} is not as it must be: {', '.join(wrong) or ref.algorithm}")
        faults.point("pki.key.before-commit")
        return FoundKey(self.token, self.purpose, ref, attributes).record("key.generated", actor_ref)

    def _adopt(self, key_id: str) -> KeyRef:
        """Returns a key that an earlier attempt created but did not record."""
        return self.token.find_secret(key_id) if self.purpose in SECRET_KEYS else self.token.find(key_id)


def retire(key: HsmKey, token: Hsm, *, actor_ref: str) -> None:
    """Destroys the key in the token and marks its row. Raises HsmError; repeatable."""
    with _changing_keys():
        if token.find_label(key.label) is not None:
            token.destroy(key.key_id)
        with transaction.atomic(durable=True):
            key.retired_at = clock.now()
            key.save(update_fields=["retired_at"])
            Event.record(actor_ref=actor_ref, action="key.destroyed", subject_type="hsm_key", subject_ref=key.key_id)
