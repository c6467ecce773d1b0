"""What waits in register care: the lines of Dagen. Kinds that Dagen tells of by itself are not counted again."""

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Case, CharField, DateTimeField, QuerySet, Value, When
from django.db.models.functions import Cast, Coalesce, Concat
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from issuance.authz import Action, Actor, policy
from issuance.people.queries import naming
from issuance.register_care.domain import kinds
from issuance.register_care.domain.states import WorkState
from issuance.register_care.models import WorkItem
from issuance.register_care.services import deciding
from siths_portal.lib import clock
from siths_portal.lib.database.prepared import prepared
from siths_portal.lib.pages.dates import in_words
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
    """A row: its due day, its kind's code, whether somebody is responsible for it, and its subject as text (`people.naming`)."""

    due: dt.date
    kind: str
    is_taken: bool
    about: str = ""


def lines(actor: Actor) -> Iterator[Line]:
    """Yields the lines for those who order no cards. For the others Dagen reads the rows together with their cards, by one query
    (`day.queries.cards`).
    """
    if policy.holds(actor, Action.KEEP_REGISTER) and not policy.holds(actor, Action.ORDER_ORDINARY_CARD):
        yield from lines_of(_due(actor, soon()))


def soon() -> dt.date:
    """Returns the last day of the rows that Dagen counts."""
    return clock.today() + dt.timedelta(days=SOON)


def lines_of(read: Iterable[tuple[str, dt.datetime, str]]) -> Iterator[Line]:
    """Yields a line for the rows that are due today, and one for those that are due within a week, of the results of `due`. Other
    results are left out.
    """
    today = clock.today()
    found = [_row(*row) for row in read if row[0].startswith(_MARK)]
    urgent = [row for row in found if row.due <= today]
    for urgency, rows in ((Urgency.TODAY, urgent), (Urgency.THIS_WEEK, [row for row in found if row.due > today])):
        if rows:
            yield _line(urgency, rows) if len(rows) > 1 else _line_of_one(urgency, rows[0])


def _row(text: str, at: dt.datetime, about: str) -> _Row:
    _mark, kind, assignee = text.split("/", 2)
    return _Row(at.date(), kind, bool(assignee), about)


def _line_of_one(urgency: Urgency, row: _Row) -> Line:
    """Returns the line of one row: who or what it is about, what is to be done until when, and whether somebody does it."""
    kind, subject = kinds.kind_of(row.kind), naming.read(row.about)
    list_url = reverse("register_care_list", args=[kind.slug])
    last = _("Ska vara gjort i dag.") if row.due == clock.today() else _("Ska vara gjort {day}.").format(day=in_words(row.due))
    last = _("Skulle ha varit gjort {day}.").format(day=in_words(row.due)) if row.due < clock.today() else last
    return Line(
        urgency=urgency,
        title=subject.title,
        url=reverse("person", args=[subject.person_id]) if subject.person_id else list_url,
        text=_("Registervård: {kind}. {last}").format(kind=_(kind.name), last=last),
        icon="list",
        action=_("Visa listan"),
        action_url=list_url,
        persons=(subject.person_id,) if subject.person_id else (),
        is_protected=subject.is_protected,
        tab="register_care",
        tag="" if row.is_taken else _("Ingen ansvarig"),
        tag_kind="missing",
        heading=_("{kind}: {name}").format(kind=_(kind.name), name=subject.title),
        deep_text=f"{_(kind.lead)} {last}",
    )


def _line(urgency: Urgency, rows: Sequence[_Row]) -> Line:
    """Returns a line with the kinds of the rows. It leads to the list if there is one kind, and counts those without anybody
    responsible.
    """
    counts = Counter(row.kind for row in rows)
    first = min(row.due for row in rows)
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
        text=". ".join([*named, *more, _("Det första ska vara gjort {day}").format(day=in_words(first))]) + ".",
        icon="list",
        action=_("Visa listan") if len(found) == 1 else _("Visa listorna"),
        tab="register_care",
        count=len(rows),
        tag=_("{n} utan ansvarig").format(n=free) if free and urgency is Urgency.TODAY else "",
        tag_kind="missing",
    )


@prepared
def _due(actor: Actor, until: dt.date) -> QuerySet[WorkItem, Any]:
    return due(actor, until)


def due(actor: Actor, until: dt.date) -> QuerySet[WorkItem, Any]:
    """Returns a text, a moment and a subject for each open row that is due by `until`, for `lines_of`, at most one more than are
    counted.
    """
    counted = [kind.code for kind in kinds.all_kinds() if kind.on_day]
    rows = deciding.kept_by(actor).filter(kind__in=counted, state=WorkState.OPEN.value, due__lte=until)
    text = Concat(Value(f"{_MARK}/"), "kind", Value("/"), "assignee_ref", output_field=CharField())
    place = naming.thing(Coalesce("office__name", "organisation__name"))
    about = Case(When(person=None, then=place), default=naming.subject("person"), output_field=CharField())
    return rows.order_by("due").values_list(text, Cast("due", DateTimeField()), about)[: MOST + 1]
