"""The audit chain: an insert-only seal for each event, which a job writes afterwards in feed order.

Requests insert events without a seal, so they do not wait for each other. `seal` gives each event below the feed horizon the
next number, without gaps, and the hash of the previous seal and the event's canonical bytes. A second job makes MACs over the
seals with a key of the token (`macs`), a third signs the newest seals (`heads`). `traversal` finds changes.
"""

import hashlib
from collections.abc import Sequence
from typing import Any

from django.db import models, transaction

from siths_portal.lib.canonical import canonical_json
from siths_portal.lib.database import feeds
from siths_portal.lib.database.locks import lock_until_commit

GENESIS = bytes(32)


class AuditSeal(models.Model):
    """Base of each application's seal table: `seq` is gapless from 1, `digest` is SHA-256(previous digest || event)."""

    seq = models.BigIntegerField(primary_key=True)
    event_id = models.BigIntegerField(unique=True)
    event_xid = models.BigIntegerField()
    digest = models.BinaryField(max_length=32)

    class Meta:
        abstract = True


class AuditMacs(models.Model):
    """Base of each application's table of MACs: one row for each block of seals, `first` to `last`, without gaps from 1.

    `macs` holds 32 octets for each seal, in order. The token key `key_id` derives the block's key.
    """

    first = models.BigIntegerField(primary_key=True)
    last = models.BigIntegerField()
    key_id = models.CharField(max_length=40)
    macs = models.BinaryField()

    class Meta:
        abstract = True


def link(previous: bytes, event: Any) -> bytes:
    """Returns the digest of the seal of `event`, where `previous` is the previous seal's digest."""
    return hashlib.sha256(previous + canonical_json(event.canonical())).digest()


def seal(event_model: Any, seal_model: Any, *, batch: int = 1000) -> int:
    """Seals up to `batch` events below the horizon and returns how many. A lock serialises concurrent runs."""
    with transaction.atomic():
        lock_until_commit(seal_model._meta.db_table)
        last = seal_model.objects.order_by("-seq").first()
        position = feeds.Cursor(last.event_xid, last.event_id) if last else feeds.START
        digest, seq = (bytes(last.digest), last.seq) if last else (GENESIS, 0)
        seals = []
        for event in feeds.after(event_model.objects.all(), position)[:batch]:
            digest, seq = link(digest, event), seq + 1
            seals.append(seal_model(seq=seq, event_id=event.id, event_xid=event.xid, digest=digest))
        seal_model.objects.bulk_create(seals)
        return len(seals)


def disagreeing(events: Sequence[Any], seal_model: Any) -> set[int]:
    """Returns the ids of events with a wrong seal, or without one although later events are sealed.

    An event that waits for its seal agrees. The previous seal is trusted here; `verification` checks the complete chain.
    """
    seals = {seal.event_id: seal for seal in seal_model.objects.filter(event_id__in=[event.id for event in events])}
    before = seal_model.objects.filter(seq__in=[seal.seq - 1 for seal in seals.values()])
    digests = {0: GENESIS} | {seal.seq: bytes(seal.digest) for seal in before}
    newest = seal_model.objects.order_by("-seq").first()
    sealed_to = feeds.Cursor(newest.event_xid, newest.event_id) if newest else feeds.START
    return {event.id for event in events if not _agrees(event, seals.get(event.id), digests, sealed_to)}


def _agrees(event: Any, seal: Any, digests: dict[int, bytes], sealed_to: feeds.Cursor) -> bool:
    if seal is None:
        return feeds.cursor_of(event) > sealed_to
    previous = digests.get(seal.seq - 1)
    return previous is not None and link(previous, event) == bytes(seal.digest)
