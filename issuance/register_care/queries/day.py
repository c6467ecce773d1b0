"""What waits in register care: the lines of Dagen. Kinds that Dagen tells of by itself are not counted again."""

import datetime as dt
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

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

NAMED = 3
"""At most this many kinds are named in a line."""

SOON = 7


def lines(actor: Actor) -> Iterator[Line]:
    """Yields a line for the rows that are due today, and one for those that are due within a week. One query."""
    if not policy.holds(actor, Action.KEEP_REGISTER):
        return
    today = clock.today()
    found = _due(actor, today + dt.timedelta(days=SOON))
    now = [row for row in found if row[0] <= today]
    for urgency, rows in ((Urgency.TODAY, now), (Urgency.THIS_WEEK, found[len(now) :])):
        if rows:
            yield _line(urgency, rows)


def _line(urgency: Urgency, rows: Sequence[Any]) -> Line:
    """Returns a line with the kinds of the rows. It leads to the list if there is one kind, and says who nobody takes care of."""
    counts = Counter(code for _due, code, _assignee in rows)
    found = [kind for kind in kinds.all_kinds() if counts[kind.code]]
    named = [f"{_(kind.name)}: {counts[kind.code]}" for kind in found[:NAMED]]
    others = sum(counts[kind.code] for kind in found[NAMED:])
    more = [ngettext("{n} rad till", "{n} rader till", others).format(n=others)] if others else []
    free = sum(not assignee for _due, _code, assignee in rows)
    title = ngettext("{n} rad i Registervård", "{n} rader i Registervård", len(rows))
    return Line(
        urgency=urgency,
        title=title.format(n=_("Fler än {n}").format(n=MOST) if len(rows) > MOST else len(rows)),
        url=reverse("register_care_list", args=[found[0].slug]) if len(found) == 1 else reverse("register_care"),
        text=". ".join([*named, *more]) + ".",
        icon="list",
        action=_("Visa listan") if len(found) == 1 else _("Visa listorna"),
        tag=_("{n} utan ansvarig").format(n=free) if free and urgency is Urgency.TODAY else "",
    )


@prepared
def _due(actor: Actor, until: dt.date) -> QuerySet[WorkItem, Any]:
    counted = [kind.code for kind in kinds.all_kinds() if kind.on_day]
    rows = deciding.kept_by(actor).filter(kind__in=counted, state=WorkState.OPEN.value, due__lte=until)
    return rows.order_by("due").values_list("due", "kind", "assignee_ref")[: MOST + 1]
