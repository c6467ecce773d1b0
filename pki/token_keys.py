"""Making keys in a token together with their row: a crash between the two is repaired by the next attempt (spec E2 point 11)."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from django.db import connection, transaction

from pki.hsm import Algorithm, Hsm, HsmConfigError, KeyRef, KeySpec
from pki.models import Event, HsmKey, KeyPurpose
from siths_portal.lib import clock, faults
from siths_portal.lib.canonical import sha256_hex

# What a key of ours must be in the token; `never extractable` and `local` say that it was never anywhere else.
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
# Keys that the house itself needs beside those of CAs and responders, and what they are.
SERVICE_KEYS: dict[KeyPurpose, str] = {
    KeyPurpose.KEK: Algorithm.AES_256,
    KeyPurpose.SECRET_DERIVE: Algorithm.EC_P256,
    KeyPurpose.AUDIT: Algorithm.HMAC_SHA256,
    KeyPurpose.HEALTH: Algorithm.EC_P256,
}

_LOCK = 0x70_6B_69_02  # shared by those who make or destroy keys, held alone by the inventory


@contextlib.contextmanager
def _changing_keys() -> Iterator[None]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock_shared(%s)", [_LOCK])
        try:
            yield
        finally:
            cursor.execute("SELECT pg_advisory_unlock_shared(%s)", [_LOCK])


@contextlib.contextmanager
def keys_at_rest() -> Iterator[None]:
    """Nobody makes or destroys a key meanwhile, so that tokens and rows can be compared."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [_LOCK])
        try:
            yield
        finally:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [_LOCK])


@dataclass(frozen=True)
class Wanted:
    """A key to be there: `label` names it for people and makes repeating safe, `algorithm` is a name of `hsm.Algorithm`."""

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
        """The key's row; the key is made unless it is there. Raises HsmError, HsmConfigError if the token holds another kind."""
        known = HsmKey.objects.filter(label=self.label).first()
        if known is not None:
            return known
        with _changing_keys():
            return self._ensure(actor_ref)

    def _ensure(self, actor_ref: str) -> HsmKey:
        left = self.token.find_label(self.label)
        ref = self._make() if left is None else self._adopt(left)
        attributes = self.token.attributes(ref.key_id).attributes
        wrong = [name for name, value in REQUIRED.items() if attributes.get(name) is not value]
        if wrong or ref.algorithm != self.algorithm:
            raise HsmConfigError(f"the key {self.label} is not as it must be: {', '.join(wrong) or ref.algorithm}")
        faults.point("pki.key.before-commit")
        return self._record(ref, attributes, actor_ref)

    def _adopt(self, key_id: str) -> KeyRef:
        """A key that an earlier attempt made and did not live to record."""
        return self.token.find_secret(key_id) if self.purpose in SECRET_KEYS else self.token.find(key_id)

    @transaction.atomic(durable=True)
    def _record(self, ref: KeyRef, attributes: dict[str, bool], actor_ref: str) -> HsmKey:
        row = HsmKey.objects.create(
            key_id=ref.key_id,
            purpose=self.purpose,
            token_label=self.token.token_label,
            label=self.label,
            algorithm=ref.algorithm,
            public_key_der=ref.public_key_der,
            attributes=attributes,
            created_at=clock.now(),
        )
        Event.record(
            actor_ref=actor_ref,
            action="key.generated",
            subject_type="hsm_key",
            subject_ref=ref.key_id,
            facts={
                "purpose": self.purpose,
                "label": self.label,
                "algorithm": ref.algorithm,
                "token": self.token.token_label,
                "public_key_sha256": sha256_hex(ref.public_key_der) if ref.public_key_der else "",
                "attributes": attributes,
            },
        )
        return row


def retire(key: HsmKey, token: Hsm, *, actor_ref: str) -> None:
    """Destroys the key in the token and marks its row. Raises HsmError; repeatable."""
    with _changing_keys():
        if token.find_label(key.label) is not None:
            token.destroy(key.key_id)
        with transaction.atomic(durable=True):
            key.retired_at = clock.now()
            key.save(update_fields=["retired_at"])
            Event.record(actor_ref=actor_ref, action="key.destroyed", subject_type="hsm_key", subject_ref=key.key_id)
