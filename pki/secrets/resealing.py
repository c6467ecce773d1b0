"""Reseals secrets: under the newest KEK (E3), and bound to the card key if the seal is older than that rule.

Runs in the `pki` worker, in the background; may be interrupted anywhere. A secret is in plaintext in the worker's memory between
opening and sealing, as when it was first sealed, and is sent to nobody.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import structlog
from django.db import transaction
from django.db.models import QuerySet

from pki.hsm import HsmError, HsmSealBroken, HsmSealKeyLost, hsm_for
from pki.models import Event, HsmKey, SealVersion, Secret, SecretState
from pki.secrets import keks
from pki.secrets.sealing import associated_data, open_sealed

log = structlog.get_logger(__name__)
BATCH = 100


@dataclass
class Resealed:
    """The result of one run: resealed secrets, blobs that do not open, KEKs missing from the token, and remaining secrets."""

    done: int = 0
    broken: int = 0
    lost: tuple[str, ...] = ()
    left: int = 0


def rotate(*, limit: int = 2000) -> Resealed:
    """Makes this year's KEK if needed and reseals up to `limit` secrets from older KEKs; the next run takes the rest.

    Never raises if the token fails: the stored seals stay, and the log records the error.
    """
    result = Resealed()
    try:
        kek = keks.ensure_current()
        if kek is None:
            return result
        older = list(keks.all_keks().exclude(key_id=kek.key_id))
        for old in older:
            _move(old, _sealed().filter(kek_id=old.key_id), limit, result)
        for key in keks.all_keks():
            _move(key, _unbound().filter(kek_id=key.key_id), limit, result)
    except HsmError as error:
        log.error("reseal.token_failed", error=type(error).__name__)
        return result
    result.left = _sealed().filter(kek_id__in=[old.key_id for old in older]).count() + _unbound().count()
    return result


def bind_card_key(secret: Secret) -> None:
    """Reseals one secret so that its seal binds its card key, and reloads the row. Does nothing if the seal does so already.

    The card key of such a row was copied from the card's record when the rule was introduced. Raises HsmError, HsmSealBroken.
    """
    if secret.seal_version == SealVersion.ROW and secret.card_key_spki:
        _store([secret], {secret.id: _sealed_again(secret, kek := keks.take())}, kek)
        secret.refresh_from_db()


def _sealed() -> QuerySet[Secret]:
    return Secret.objects.filter(state=SecretState.SEALED).order_by("id")


def _unbound() -> QuerySet[Secret]:
    """Returns sealed secrets whose seal does not bind the row's card key."""
    return _sealed().filter(seal_version=SealVersion.ROW).exclude(card_key_spki=b"")


def _sealed_again(secret: Secret, kek: HsmKey) -> bytes:
    version = SealVersion.CARD_KEY if secret.card_key_spki else SealVersion.ROW
    return hsm_for(kek.token_label).seal(kek.key_id, open_sealed(secret), associated_data(secret, version))


def _move(old: HsmKey, sealed: QuerySet[Secret], limit: int, result: Resealed) -> None:
    """Reseals `sealed`, all under `old`, batch by batch in the order of ids."""
    batch = list(sealed[:BATCH])
    while batch and result.done < limit:
        try:
            result.done += _move_batch(batch, result)
        except HsmSealKeyLost:
            log.critical("kek.lost", kek=old.key_id, label=old.label, secrets=sealed.count())
            result.lost = (*result.lost, old.key_id)
            return
        batch = list(sealed.filter(id__gt=batch[-1].id)[:BATCH])


def _move_batch(batch: Sequence[Secret], result: Resealed) -> int:
    kek = keks.take(len(batch))
    blobs: dict[UUID, bytes] = {}
    for secret in batch:
        try:
            blobs[secret.id] = _sealed_again(secret, kek)
        except HsmSealBroken:
            log.error("reseal.seal_broken", secret=str(secret.id))
            result.broken += 1
    return _store(batch, blobs, kek)


@transaction.atomic(durable=True)
def _store(batch: Sequence[Secret], blobs: dict[UUID, bytes], kek: HsmKey) -> int:
    """Stores the new blobs of secrets that are unchanged since they were opened, with one event for all of them."""
    opened = {secret.id: secret for secret in batch}
    locked = Secret.objects.select_for_update().filter(id__in=list(blobs), state=SecretState.SEALED).order_by("id")
    moved = [secret for secret in locked if bytes(secret.sealed or b"") == bytes(opened[secret.id].sealed or b"")]
    for secret in moved:
        secret.sealed, secret.kek_id = blobs[secret.id], kek.key_id
        secret.seal_version = SealVersion.CARD_KEY if opened[secret.id].card_key_spki else SealVersion.ROW
    Secret.objects.bulk_update(moved, ["sealed", "kek_id", "seal_version"])
    if moved:
        Event.record(
            actor_ref=keks.ACTOR,
            action="secrets.resealed",
            subject_type="hsm_key",
            subject_ref=kek.key_id,
            facts={"from": batch[0].kek_id, "count": len(moved), "secrets": [str(secret.id) for secret in moved]},
        )
    return len(moved)
