"""Making the JWE of each delivery that was asked for; in the `pki` worker only.

A secret is in the clear between opening and encrypting, in the worker's memory and nowhere else (S23). That it is opened, by
whom asked and what for, is committed before (S24).
"""

import datetime as dt
import secrets
from collections.abc import Iterable
from typing import Any
from uuid import UUID

import structlog
from django.db import transaction
from django.db.models import F, Q, QuerySet

from pki.deliveries import record
from pki.domain import jwe as jwe_format
from pki.hsm import HsmError, HsmSealBroken, HsmSealKeyLost
from pki.models import DeliveryState, Event, SecretDelivery, SecretState
from pki.sealing import open_sealed
from siths_portal.lib import clock, faults
from siths_portal.lib.canonical import canonical_json, sha256_hex

log = structlog.get_logger(__name__)
# While one worker makes a delivery, others leave it alone for this long.
CLAIM = dt.timedelta(seconds=10)
# After as many attempts, five minutes apart from first to last, the delivery is refused and whoever asked must ask anew.
MAX_ATTEMPTS = 10
_LONGEST_WAIT = dt.timedelta(minutes=1)
ACTOR = "system:pki"


def deliver_secrets(delivery_ids: Iterable[UUID] | None = None, *, limit: int = 100) -> int:
    """Makes the JWE of requested deliveries, those named or the oldest; returns how many were settled.

    May run in several workers at once and be repeated. A token that does not answer leaves a delivery as requested, for longer
    each time; after MAX_ATTEMPTS it is refused as `token-unavailable`.
    """
    settled, named = 0, None if delivery_ids is None else list(delivery_ids)
    for row in _claim(named, limit):
        try:
            settled += _settle(row)
        except HsmError as error:
            log.error("delivery.token_failed", delivery=str(row.id), error=type(error).__name__)
            # The claim is kept for as long as the wait, so that a short outage does not use up the attempts.
            until = clock.now() + _wait(row.attempts + 1)
            SecretDelivery.objects.filter(id=row.id, state=DeliveryState.REQUESTED).update(claimed_at=until - CLAIM)
    return settled + _give_up(named, limit)


def _wait(attempts: int) -> dt.timedelta:
    """How long a delivery rests after so many attempts: 2, 4, 8 seconds and so on to a minute; none after the last."""
    return min(dt.timedelta(seconds=2**attempts), _LONGEST_WAIT) if attempts < MAX_ATTEMPTS else dt.timedelta(0)


def _waiting(delivery_ids: list[UUID] | None) -> QuerySet[SecretDelivery]:
    """Requested deliveries that nobody is making, those named or all."""
    free = Q(claimed_at=None) | Q(claimed_at__lte=clock.now() - CLAIM)
    waiting = SecretDelivery.objects.filter(free, state=DeliveryState.REQUESTED)
    return waiting if delivery_ids is None else waiting.filter(id__in=delivery_ids)


def _give_up(delivery_ids: list[UUID] | None, limit: int) -> int:
    """Refuses what has been tried too often, also where a worker died over the last attempt."""
    spent = _waiting(delivery_ids).filter(attempts__gte=MAX_ATTEMPTS).order_by("created_at", "id")[:limit]
    return sum(_close(row, DeliveryState.REFUSED, failure="token-unavailable") for row in spent)


def _claim(delivery_ids: list[UUID] | None, limit: int) -> list[SecretDelivery]:
    """Takes deliveries that nobody is making, and commits for each the event that its secret is about to be opened."""
    waiting = _waiting(delivery_ids).filter(attempts__lt=MAX_ATTEMPTS)
    with transaction.atomic(durable=True):
        rows = waiting.select_for_update(of=("self",), skip_locked=True).select_related("secret")
        found = list(rows.order_by("created_at", "id")[:limit])
        ids = [row.id for row in found]
        SecretDelivery.objects.filter(id__in=ids).update(claimed_at=clock.now(), attempts=F("attempts") + 1)
        for row in found:
            if row.secret_id:
                Event.record(
                    actor_ref=row.actor_ref,
                    action="secret.opening",
                    subject_type="secret",
                    subject_ref=str(row.secret_id),
                    facts={"purpose": row.purpose, "delivery": str(row.id)},
                )
    return found


def _settle(row: SecretDelivery) -> bool:
    faults.point("pki.deliver.after-claim")
    token = secrets.token_urlsafe(32)
    content = {"step_token": token}
    if row.secret is not None:
        if row.secret.state != SecretState.SEALED:
            return _close(row, DeliveryState.REFUSED, failure="secret-not-sealed")
        try:
            content["puk"] = open_sealed(row.secret).decode("ascii")
        except HsmSealBroken:
            return _close(row, DeliveryState.REFUSED, failure="seal-broken")
        except HsmSealKeyLost:
            log.critical("delivery.kek_lost", delivery=str(row.id), kek=row.secret.kek_id)
            return _close(row, DeliveryState.REFUSED, failure="seal-key-lost")
        except UnicodeDecodeError:
            # Its text would quote the secret.
            return _close(row, DeliveryState.REFUSED, failure="not-text")
    jwe = jwe_format.encrypt(canonical_json(content), row.recipient_jwk, row.header)
    faults.point("pki.deliver.after-encryption")
    return _close(row, DeliveryState.READY, jwe=jwe, token_sha256=sha256_hex(token.encode()), ready_at=clock.now())


def _close(row: SecretDelivery, state: DeliveryState, **changes: Any) -> bool:
    """Stores the outcome, unless someone settled or destroyed the delivery, or its secret, meanwhile."""
    with transaction.atomic(durable=True):
        locked = SecretDelivery.objects.select_for_update(of=("self",)).select_related("secret").get(id=row.id)
        if locked.state != DeliveryState.REQUESTED:
            return False
        locked.state = state
        for name, value in changes.items():
            setattr(locked, name, value)
        locked.save(update_fields=["state", *changes])
        facts = {"reason": locked.failure} if locked.failure else {}
        record(locked, f"delivery.{state}", ACTOR, facts)
    return True
