"""The notice to role holders about their own training and person check, before and after they block issuing (ADR 0187)."""

import datetime as dt
from dataclasses import dataclass

from django.conf import settings

from issuance.authz import Actor
from issuance.roles.domain import NEVER
from siths_portal.lib import clock


@dataclass(frozen=True)
class TrainingNotice:
    """A notice about overdue or soon overdue qualifications.

    `last_day` is the last day on which the holder may order and activate cards, None if a record is missing. `stopped` is True
    after that day.
    """

    last_day: dt.date | None
    stopped: bool


def notice(actor: Actor) -> TrainingNotice | None:
    """Returns the actor's notice, from QUALIFICATION_SOON_DAYS before the last day.

    Returns None while everything holds, or if the actor needs no qualification. The rule is that of `qualifications.standing`. No
    query.
    """
    last = actor.issues_until
    today = clock.today()
    if last is None or last > today + dt.timedelta(days=settings.QUALIFICATION_SOON_DAYS):
        return None
    return TrainingNotice(None if last == NEVER else last, stopped=last < today)
