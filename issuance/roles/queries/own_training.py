"""What a role holder is told of his own training and person check, before and after they stop him from issuing (ADR 0187)."""

import datetime as dt
from dataclasses import dataclass

from django.conf import settings

from issuance.authz import Actor
from issuance.roles.domain import NEVER
from siths_portal.lib import clock


@dataclass(frozen=True)
class TrainingNotice:
    """`last_day` is the last on which cards may be ordered and activated, None if a record is missing; `stopped`: it is over."""

    last_day: dt.date | None
    stopped: bool


def notice(actor: Actor) -> TrainingNotice | None:
    """What the actor is told, from QUALIFICATION_SOON_DAYS before something is due; None while all holds, or nothing is needed.

    The moment is that of `qualifications.standing`, and no query is asked for it.
    """
    last = actor.issues_until
    today = clock.today()
    if last is None or last > today + dt.timedelta(days=settings.QUALIFICATION_SOON_DAYS):
        return None
    return TrainingNotice(None if last == NEVER else last, stopped=last < today)
