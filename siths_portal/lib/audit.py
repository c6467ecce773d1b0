"""The audit chain: an insert-only seal for each event, written afterwards by a job, in feed order.

Events are inserted plain, so no request waits for another. `seal` gives each event below the feed horizon the next gapless
number and the hash of the previous seal and the event's canonical bytes; `verify` walks the chain and names the first seal
that does not agree.
"""

import datetime as dt
import hashlib
from dataclasses import dataclass
from typing import Any

from django.db import connection, models, transaction

from siths_portal.lib import clock, feeds
from siths_portal.lib.canonical import canonical_json

GENESIS = bytes(32)


class AuditSeal(models.Model):
    """Base of each application's seal table: `seq` is gapless from 1, `digest` is SHA-256(previous digest || event)."""

    seq = models.BigIntegerField(primary_key=True)
    event_id = models.BigIntegerField(unique=True)
    event_xid = models.BigIntegerField()
    digest = models.BinaryField(max_length=32)

    class Meta:
        abstract = True


@dataclass(frozen=True)
class Verification:
    """What a walk found. `first_bad` is the seal number of the first disagreement and `fault` says what; both None if none."""

    checked: int
    first_bad: int | None
    fault: str | None
    unsealed: int
    unsealed_since: dt.datetime | None

    @property
    def ok(self) -> bool:
        """True if every seal agrees with its event."""
        return self.first_bad is None


def link(previous: bytes, event: Any) -> bytes:
    """The digest that seals `event` after the seal with digest `previous`."""
    return hashlib.sha256(previous + canonical_json(event.canonical())).digest()


def seal(event_model: Any, seal_model: Any, *, batch: int = 1000) -> int:
    """Seals up to `batch` events below the horizon and returns how many. Two runs at once do not disturb each other."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [seal_model._meta.db_table])
        last = seal_model.objects.order_by("-seq").first()
        position = feeds.Cursor(last.event_xid, last.event_id) if last else feeds.START
        digest, seq = (bytes(last.digest), last.seq) if last else (GENESIS, 0)
        seals = []
        for event in feeds.after(event_model.objects.all(), position)[:batch]:
            digest, seq = link(digest, event), seq + 1
            seals.append(seal_model(seq=seq, event_id=event.id, event_xid=event.xid, digest=digest))
        seal_model.objects.bulk_create(seals)
        return len(seals)


def verify(event_model: Any, seal_model: Any, *, start: int = 1, chunk: int = 2000) -> Verification:
    """Walks the chain from seal `start` to its end and says where it first breaks, and how long the unsealed tail is."""
    before = seal_model.objects.filter(seq=start - 1).first() if start > 1 else None
    if start > 1 and before is None:
        return Verification(0, start - 1, "sigillet saknas", 0, None)
    digest = bytes(before.digest) if before else GENESIS
    expected, checked = start, 0
    pending: list[Any] = []
    for row in seal_model.objects.filter(seq__gte=start).order_by("seq").iterator(chunk_size=chunk):
        pending.append(row)
        if len(pending) == chunk:
            fault, digest, expected, done = _walk(event_model, pending, digest, expected)
            checked += done
            if fault:
                return Verification(checked, expected, fault, 0, None)
            pending = []
    fault, digest, expected, done = _walk(event_model, pending, digest, expected)
    checked += done
    if fault:
        return Verification(checked, expected, fault, 0, None)
    return _tail(event_model, seal_model, checked)


def _walk(event_model: Any, seals: list[Any], digest: bytes, expected: int) -> tuple[str | None, bytes, int, int]:
    events = event_model.objects.in_bulk([row.event_id for row in seals])
    for done, row in enumerate(seals):
        if row.seq != expected:
            return "sigillet saknas", digest, expected, done
        event = events.get(row.event_id)
        if event is None:
            return f"händelse {row.event_id} saknas", digest, expected, done
        digest = link(digest, event)
        if digest != bytes(row.digest):
            return f"händelse {row.event_id} eller dess sigill är ändrat", digest, expected, done
        expected += 1
    return None, digest, expected, len(seals)


def _tail(event_model: Any, seal_model: Any, checked: int) -> Verification:
    last = seal_model.objects.order_by("-seq").first()
    waiting = event_model.objects.all()
    if last:
        until = models.Q(xid__lt=last.event_xid) | models.Q(xid=last.event_xid, id__lte=last.event_id)
        waiting = waiting.exclude(until)
        if event_model.objects.filter(until).count() != last.seq:
            bad, fault = _stray(event_model.objects.filter(until), seal_model)
            return Verification(checked, bad or last.seq, fault, 0, None)
    first = waiting.aggregate(n=models.Count("id"), since=models.Min("at"))
    return Verification(checked, None, None, first["n"], first["since"] if first["n"] else None)


def _stray(events: models.QuerySet[Any], seal_model: Any) -> tuple[int | None, str]:
    """The first of the sealed range's `events` that no seal knows, or else the first seal whose event is gone."""
    known = seal_model.objects.filter(event_id=models.OuterRef("id"))
    extra = events.filter(~models.Exists(known)).order_by("xid", "id").first()
    if extra is not None:
        beyond = models.Q(event_xid__gt=extra.xid) | models.Q(event_xid=extra.xid, event_id__gt=extra.id)
        following = seal_model.objects.filter(beyond).aggregate(first=models.Min("seq"))["first"]
        return following, f"händelse {extra.id} är inskjuten före kedjans slut, utan sigill"
    orphans = seal_model.objects.filter(~models.Exists(events.filter(id=models.OuterRef("event_id"))))
    return orphans.aggregate(first=models.Min("seq"))["first"], "färre händelser än sigill"


def age(verification: Verification) -> dt.timedelta:
    """How long the oldest unsealed event has waited; zero if none waits."""
    if verification.unsealed_since is None:
        return dt.timedelta()
    return clock.now() - verification.unsealed_since
