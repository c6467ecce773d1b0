"""Sends the e-mail of rows that wait: each is leased, mailed outside any transaction, and settled (rules/issuance 7.11, 7.13).

A row is mailed at least once, with the same message id, and looked at again before.
"""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import transaction

from issuance.notices.models import Mailed, MailState
from siths_portal.lib import clock, ports
from siths_portal.lib.database import leases
from siths_portal.lib.errors import Refused, Unavailable
from siths_portal.lib.mail import Mailer, Message

BATCH = 500
MORNING, EVENING = dt.timedelta(hours=7), dt.timedelta(hours=20)
"""The times of the day in Stockholm between which planned reminders are sent."""

_LASTS, _FURTHEST = dt.timedelta(minutes=5), dt.timedelta(days=1)


@dataclass(frozen=True)
class Outbox:
    """How the rows of a model are mailed.

    `compose` returns the message of a row, or the state that ends the row without one; it runs in a transaction. `record` records
    what became of a settled row, in the transaction that settles it.
    """

    model: type[Mailed]
    compose: Callable[[Any], Message | MailState]
    record: Callable[[Any], None]


def send_due(outbox: Outbox, *, limit: int = BATCH) -> int:
    """Sends the message of each row that is due and returns how many it tried. Can be repeated, run by several workers and
    killed.
    """
    tried = 0
    while tried < limit and (leased := _lease(outbox)) is not None:
        row_id, composed = leased
        _settle(outbox, row_id, _send(composed) if isinstance(composed, Message) else composed)
        tried += 1
    return tried


def by_day(now: dt.datetime) -> dt.datetime:
    """Returns `now`, or the next morning if it is night."""
    today = clock.start_of_day(clock.today())
    tomorrow = clock.start_of_day(clock.today() + dt.timedelta(days=1))
    return max(now, today + MORNING) if now < today + EVENING else tomorrow + MORNING


def _lease(outbox: Outbox) -> tuple[UUID, Message | MailState] | None:
    with transaction.atomic(durable=True):
        row = leases.lease(outbox.model._default_manager.all(), lasts=_LASTS, furthest=_FURTHEST)
        return (row.pk, outbox.compose(row)) if row is not None else None


def _send(message: Message) -> MailState:
    try:
        ports.get(Mailer).send(message)
    except Unavailable:
        return MailState.WAITING
    except Refused:
        return MailState.REFUSED
    return MailState.SENT


def _settle(outbox: Outbox, row_id: UUID, state: MailState) -> None:
    with transaction.atomic(durable=True):
        row = outbox.model._default_manager.select_for_update(no_key=True).get(pk=row_id)
        if row.state != MailState.WAITING:
            return
        now = clock.now()
        row.attempts += 1
        row.state = state
        row.next_at = now + leases.wait_after(row.attempts) if state == MailState.WAITING else None
        row.settled_at = None if state == MailState.WAITING else now
        row.save()
        outbox.record(row)
