"""Idempotency-Key (draft-ietf-httpapi-idempotency-key-header): a repeated POST has one effect and gets the same response.

An attempt claims the key before the action and stores the response after it, in PostgreSQL. In between it holds a session
advisory lock, which the database releases if the process dies. So a claim without a lock belongs to a dead attempt, and another
attempt takes it over at once. The actions are idempotent by content, so repeating one after such a death changes nothing more.
Only 2xx responses are stored; a refused request has changed nothing and its key is released.
"""

import contextlib
import datetime as dt
import hashlib
import re
import uuid
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import DatabaseError, models

from siths_portal.lib import clock, faults
from siths_portal.lib.database import locks
from siths_portal.lib.errors import Conflict, DomainError, Invalid

_KEY = re.compile(r"[\x21-\x7e]{1,255}")


@dataclass(frozen=True)
class Answer:
    """A response: status, the headers to repeat, and the body as text."""

    status: int
    headers: dict[str, str]
    body: str
    replayed: bool = False


class Record(models.Model):
    """Base of the table of keys. `owner` is the attempt that may store the response; `status` is null until it is stored."""

    client_ref = models.CharField(max_length=63)
    key = models.CharField(max_length=255)
    request = models.CharField(max_length=300)
    request_hash = models.CharField(max_length=64)
    owner = models.UUIDField(default=uuid.uuid4)
    claimed_at = models.DateTimeField()
    status = models.PositiveSmallIntegerField(null=True)
    headers = models.JSONField(default=dict)
    body = models.TextField(default="")

    class Meta:
        abstract = True
        constraints = [models.UniqueConstraint(fields=["client_ref", "key"], name="%(app_label)s_idempotency_key")]
        indexes = [models.Index(fields=["claimed_at"], name="%(app_label)s_idempotency_age")]

    def answer(self) -> Answer | None:
        """Returns the stored response, or None while the action is in progress."""
        return None if self.status is None else Answer(self.status, self.headers, self.body, replayed=True)


class Refusal(DomainError):
    """The Idempotency-Key is missing or is not 1-255 visible ASCII characters."""


class UnderWay(Conflict):
    """Another attempt of the same request is in progress. A later attempt gets its response."""

    def __init__(self) -> None:
        super().__init__("request-in-progress", "Samma begäran behandlas just nu. Försök igen om några sekunder.")


def required_key(value: str | None) -> str:
    """Returns the header's value. Raises Refusal (400) if it is missing or malformed."""
    if not value:
        raise Refusal("idempotency-key-missing", "Ange ett eget värde i Idempotency-Key, samma vid varje försök.")
    if not _KEY.fullmatch(value):
        raise Refusal("idempotency-key-malformed", "Idempotency-Key ska vara 1-255 synliga ASCII-tecken.")
    return value


def request_hash(method: str, path: str, body: bytes) -> str:
    """Returns the SHA-256 of method, path and body. Two requests with the same hash are the same."""
    return hashlib.sha256(b"\n".join([method.encode(), path.encode(), body])).hexdigest()


class Store:
    """The store of keys and responses in `model`, a concrete subclass of `Record`."""

    def __init__(self, model: type[Record]) -> None:
        self._records: Any = model._default_manager

    def perform(self, *, client_ref: str, key: str, method: str, path: str, body: bytes, act: Callable[[], Answer]) -> Answer:
        """Runs `act` and returns its response, or returns the stored response, marked as replayed.

        Raises Invalid (422) if the key was used for another request, and UnderWay (409) while another attempt is in progress.
        """
        faults.point("api.before-receipt")
        digest = request_hash(method, path, body)
        with _held(client_ref, key) as held:
            claim = self._claim(held, client_ref=client_ref, key=key, request=f"{method} {path}"[:300], request_hash=digest)
            if isinstance(claim, Answer):
                return claim
            faults.point("api.after-receipt")
            try:
                answer = act()
            except BaseException:
                self._release(claim)
                raise
            faults.point("api.after-commit")
            if 200 <= answer.status < 300:
                self._mine(claim).update(status=answer.status, headers=answer.headers, body=answer.body)
            else:
                self._release(claim)
            return answer

    def _claim(self, held: bool, *, client_ref: str, key: str, request: str, request_hash: str) -> Record | Answer:
        record: Record | None
        if held:
            record, fresh = self._records.get_or_create(
                client_ref=client_ref,
                key=key,
                defaults={"request": request, "request_hash": request_hash, "claimed_at": clock.now()},
            )
        else:
            record, fresh = self._records.filter(client_ref=client_ref, key=key).first(), False
        if record is None:
            raise UnderWay
        if fresh:
            return record
        if record.request_hash != request_hash:
            raise Invalid(
                "idempotency-key-reused", "Idempotency-Key har redan använts för en annan begäran. Välj ett nytt värde."
            )
        if answer := record.answer():
            return answer
        return self._take_over(record, held)

    def _take_over(self, record: Record, held: bool) -> Record:
        """Takes over the claim of a dead attempt or of one older than the lease. Raises UnderWay if it cannot."""
        lease = dt.timedelta(seconds=settings.IDEMPOTENCY_LEASE_SECONDS)
        if not held and record.claimed_at > clock.now() - lease:
            raise UnderWay
        stale, record.owner, record.claimed_at = record.owner, uuid.uuid4(), clock.now()
        taken = self._records.filter(pk=record.pk, owner=stale, status=None).update(
            owner=record.owner, claimed_at=record.claimed_at
        )
        if not taken:
            raise UnderWay
        return record

    def _mine(self, claim: Record) -> Any:
        return self._records.filter(pk=claim.pk, owner=claim.owner, status=None)

    def _release(self, claim: Record) -> None:
        with contextlib.suppress(DatabaseError):  # a remaining claim has no lock, so the next attempt takes it over
            self._mine(claim).delete()

    def prune(self, *, older_than: dt.datetime) -> int:
        """Deletes keys last claimed before `older_than` and returns how many."""
        return int(self._records.filter(claimed_at__lt=older_than).delete()[0])


def _held(client_ref: str, key: str) -> AbstractContextManager[bool]:
    """Holds the advisory lock of this key inside the block and yields True, or yields False if another session holds it."""
    return locks.held_if_free(locks.number(f"idempotency\0{client_ref}\0{key}"))
