"""Opens received secrets and seals them under the token's AES key; in the `pki` worker only.

In between, the plaintext is only in the worker's memory: not in a table, a log line, an exception's text or a queue (S23, E3.1).
"""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

import structlog
from django.db import transaction
from django.db.models import F
from django.db.models.functions import Least

from pki.domain import jwe as jwe_format
from pki.domain import puk
from pki.hsm import HsmError, hsm_for
from pki.models import Event, HsmKey, KeyPurpose, SealVersion, Secret, SecretState
from pki.secrets import keks
from siths_portal.lib import clock
from siths_portal.lib.canonical import canonical_json
from siths_portal.lib.processes import jobs

log = structlog.get_logger(__name__)
_MOST_ATTEMPTS = 32_000  # the column's maximum


class Refused(Exception):
    """The secret is refused; `code` is the reason."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def open_secrets(secret_ids: Iterable[UUID] | None = None, *, limit: int = 200) -> int:
    """Opens and seals received secrets, all or these; returns the number of settled ones. Runs in the `pki` worker only.

    If the token does not respond, a secret stays received for a later run, which takes those with fewer attempts first.
    """
    waiting = Secret.objects.filter(state=SecretState.RECEIVED).order_by("attempts", "created_at")
    if secret_ids is not None:
        waiting = waiting.filter(id__in=list(secret_ids))
    settled = 0
    for secret in waiting[:limit]:
        try:
            settled += _settle(secret)
        except HsmError as error:
            log.error("secret.token_failed", secret=str(secret.id), error=type(error).__name__)
            tried = Least(F("attempts") + 1, _MOST_ATTEMPTS)
            Secret.objects.filter(id=secret.id, state=SecretState.RECEIVED).update(attempts=tried)
    return settled


def _settle(secret: Secret) -> bool:
    try:
        plaintext = _plaintext(secret)
        kek = keks.take()
        blob = hsm_for(kek.token_label).seal(kek.key_id, plaintext, associated_data(secret, SealVersion.CARD_KEY))
    except Refused as refusal:
        return _close(secret, SecretState.REFUSED, failure=refusal.code)
    return _close(secret, SecretState.SEALED, sealed=blob, kek_id=kek.key_id, seal_version=SealVersion.CARD_KEY)


def _plaintext(secret: Secret) -> bytes:
    try:
        parsed = jwe_format.parse(secret.jwe or "")
    except jwe_format.MalformedJwe:
        raise Refused("malformed") from None
    key = HsmKey.objects.filter(key_id=parsed.kid, purpose=KeyPurpose.SECRET_DERIVE).first()
    if key is None:
        raise Refused("key-unknown")
    shared_secret = hsm_for(key.token_label).ecdh_derive(key.key_id, parsed.ephemeral)
    try:
        plaintext = jwe_format.decrypt(parsed, shared_secret)
    except jwe_format.NotDecrypted:
        raise Refused("not-decrypted") from None
    # Only after the tag is verified: before that, anyone could have written the header.
    if any(parsed.header.get(name) != value for name, value in secret.expected_header.items()):
        raise Refused("header-mismatch")
    if not puk.is_puk(plaintext):
        raise Refused("format")
    return plaintext


def associated_data(secret: Secret, version: int) -> bytes:
    """Returns data that binds a sealed blob to its row, owner, card and order, and from version CARD_KEY to its card key.

    Only a proof by that card key opens the blob. A blob does not open in another row, or if its row has got another card key.
    """
    bound = {"id": secret.id, "owner_ref": secret.owner_ref, "header": secret.expected_header}
    if version != SealVersion.ROW:
        bound["card_key"] = bytes(secret.card_key_spki)
    return canonical_json(bound)


def _close(secret: Secret, state: SecretState, **changes: Any) -> bool:
    """Stores the outcome and overwrites the JWE, unless another process has settled or destroyed the secret in the meantime."""
    with transaction.atomic(durable=True):
        locked = Secret.objects.select_for_update().get(id=secret.id)
        if locked.state != SecretState.RECEIVED:
            return False
        locked.state = state
        locked.jwe = None
        for name, value in changes.items():
            setattr(locked, name, value)
        if state == SecretState.SEALED:
            locked.sealed_at = clock.now()
        locked.save()
        facts = {"reason": locked.failure} if locked.failure else {}
        Event.record(
            actor_ref="system:pki",
            action=f"secret.{state}",
            subject_type="secret",
            subject_ref=str(locked.id),
            facts=facts,
        )
        jobs.enqueue("pki.tell_settled", queue="default", secret_ids=[str(locked.id)])
    return True


def open_sealed(secret: Secret) -> bytes:
    """Returns the plaintext of a sealed secret, in the worker's memory.

    Raises HsmSealBroken if the blob is not this row's, HsmSealKeyLost if its KEK is not in the token.
    """
    token = hsm_for(HsmKey.objects.get(key_id=secret.kek_id).token_label)
    return token.open(bytes(secret.sealed or b""), associated_data(secret, secret.seal_version))
