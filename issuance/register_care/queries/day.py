"""What waits in register care: the lines of Dagen. Kinds that Dagen tells of by itself are not counted again."""

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import CharField, DateTimeField, QuerySet, Value
from django.db.models.functions import Cast, Concat
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


_MARK = "work"
"""Begins the text of a row, which a query reads together with other things that wait."""


@dataclass(frozen=True)
class _Row:
    """A row: its due day, its kind's code, and whether somebody is responsible for it."""

    due: dt.date
    kind: str
    is_taken: bool


def lines(actor: Actor) -> Iterator[Line]:
    """Yields the lines for those who order no cards. For the others Dagen reads the rows together with their cards, by one query
    (`day.queries.cards`).
    """
    if policy.holds(actor, Action.KEEP_REGISTER) and not policy.holds(actor, Action.ORDER_ORDINARY_CARD):
        yield from lines_of(_due(actor, soon()))


def soon() -> dt.date:
    """Returns the last day of the rows that Dagen counts."""
    return clock.today() + dt.timedelta(days=SOON)


def lines_of(read: Iterable[tuple[str, dt.datetime]]) -> Iterator[Line]:
    """Yields a line for the rows that are due today, and one for those that are due within a week, of the results of `due`. Other
    results are left out.
    """
    today = clock.today()
    found = [_Row(at.date(), text.split("/")[1], bool(text.split("/")[2])) for text, at in read if text.startswith(_MARK)]
    urgent = [row for row in found if row.due <= today]
    for urgency, rows in ((Urgency.TODAY, urgent), (Urgency.THIS_WEEK, [row for row in found if row.due > today])):
        if rows:
            yield _line(urgency, rows)


def _line(urgency: Urgency, rows: Sequence[_Row]) -> Line:
    """Returns a line with the kinds of the rows. It leads to the list if there is one kind, and counts those without anybody
    responsible.
    """
    counts = Counter(row.kind for row in rows)
    found = [kind for kind in kinds.all_kinds() if counts[kind.code]]
    named = [f"{_(kind.name)}: {counts[kind.code]}" for kind in found[:NAMED]]
    others = sum(counts[kind.code] for kind in found[NAMED:])
    more = [ngettext("{n} sak till", "{n} saker till", others).format(n=others)] if others else []
    free = sum(not row.is_taken for row in rows)
    title = ngettext("{n} sak att göra i Registervård", "{n} saker att göra i Registervård", len(rows))
    return Line(
        urgency=urgency,
        title=title.format(n=_("Fler än {n}").format(n=MOST) if len(rows) > MOST else len(rows)),
        url=reverse("register_care_list", args=[found[0].slug]) if len(found) == 1 else reverse("register_care"),
        text=". ".join([*named, *more]) + ".",
        icon="list",
        action=_("Visa listan") if len(found) == 1 else _("Visa listorna"),
        tab="register_care",
        count=len(rows),
        tag=_("{n} utan ansvarig").format(n=free) if free and urgency is Urgency.TODAY else "",
    )


@prepared
def _due(actor: Actor, until: dt.date) -> QuerySet[WorkItem, Any]:
    return due(actor, until)


def due(actor: Actor, until: dt.date) -> QuerySet[WorkItem, Any]:
    """Returns a text and a moment for each open row that is due by `until`, for `lines_of`, at most one more than are counted."""
    counted = [kind.code for kind in kinds.all_kinds() if kind.on_day]
    rows = deciding.kept_by(actor).filter(kind__in=counted, state=WorkState.OPEN.value, due__lte=until)
    text = Concat(Value(f"{_MARK}/"), "kind", Value("/"), "assignee_ref", output_field=CharField())
    return rows.order_by("due").values_list(text, Cast("due", DateTimeField()))[: MOST + 1]
