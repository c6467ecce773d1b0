"""What waits in register care: the line of Dagen. Kinds that Dagen tells of by itself are not counted again."""

import datetime as dt
from collections.abc import Iterator

from django.db.models import QuerySet
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from issuance.authz import Action, Actor, policy
from issuance.register_care.domain import kinds
from issuance.register_care.domain.states import WorkState
from issuance.register_care.models import WorkItem
from issuance.register_care.services import deciding
from siths_portal.lib import clock
from siths_portal.lib.database.prepared import prepared
from siths_portal.lib.pages.day import Line, Urgency

MOST = 200
"""Rows are counted up to this number."""

SOON = 7


def lines(actor: Actor) -> Iterator[Line]:
    """Yields a line for the rows that are due today, and one for those that are due within a week."""
    if not policy.holds(actor, Action.KEEP_REGISTER):
        return
    today = clock.today()
    due = [each.due for each in _due(actor, today + dt.timedelta(days=SOON))]
    now = sum(day <= today for day in due)
    for urgency, count in ((Urgency.TODAY, now), (Urgency.THIS_WEEK, len(due) - now)):
        if count:
            title = ngettext("{n} rad i Registervård", "{n} rader i Registervård", count)
            yield Line(
                urgency=urgency,
                title=title.format(n=_("Fler än {n}").format(n=MOST) if count > MOST else count),
                url=reverse("register_care"),
                text=_("Uppgifter i HSA-katalogen, personregistret eller lagret stämmer inte med korten."),
                icon="list",
                action=_("Visa listorna"),
            )


@prepared
def _due(actor: Actor, until: dt.date) -> QuerySet[WorkItem]:
    counted = [kind.code for kind in kinds.all_kinds() if kind.on_day]
    rows = deciding.kept_by(actor).filter(kind__in=counted, state=WorkState.OPEN.value, due__lte=until)
    return rows.only("due").order_by("due")[: MOST + 1]
