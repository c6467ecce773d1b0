"""The list of a kind of work. Its columns follow from the kind."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.http import HttpRequest
from django.urls import reverse, reverse_lazy
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy
from django.utils.translation import ngettext, ngettext_lazy

from issuance.authz import Action, Actor, policy
from issuance.offices.queries import reached_offices
from issuance.people.services import disclosures
from issuance.records.web.frame import actor_of
from issuance.records.web.office_filter import OfficeFilterForm
from issuance.register_care.domain.kinds import About, Act, WorkKind
from issuance.register_care.models import WorkItem
from issuance.register_care.queries import work
from issuance.register_care.queries.work import View, WorkLine
from issuance.register_care.web.forms import ROW
from siths_portal.lib.lists import Column, Empty, FormChoice, Key, Kind, List, Rows

VIEW = "visa"
"""The parameter with the view."""

_COUNTED: Mapping[About, Any] = {
    About.CARD: ngettext_lazy("{n} kort", "{n} kort"),
    About.PERSON: ngettext_lazy("{n} person", "{n} personer"),
    About.ORGANISATION: ngettext_lazy("{n} organisation", "{n} organisationer"),
    About.BUNDLE: ngettext_lazy("{n} bunt", "{n} buntar"),
    About.ORDER: ngettext_lazy("{n} beställning", "{n} beställningar"),
}

_NOTHING = Empty(
    lazy("Inget att göra"),
    lazy("Ingen rad är öppen. Uppskjutna och avslutade rader har egna flikar."),
    reverse_lazy("register_care"),
    lazy("Till Registervård"),
)


class WorkItemList(List[WorkLine]):
    """The rows of a kind, those that are due first on top, as choices of the page's form."""

    caption_hidden = True
    css = "table-close"
    order = "senast"
    files = ("csv", "xlsx")
    empty = _NOTHING
    no_match = Empty(lazy("Inget i urvalet"), lazy("Det finns inget som stämmer med urvalet."))

    def __init__(self, request: HttpRequest, kind: WorkKind, view: View) -> None:
        super().__init__(request)
        self.actor, self.kind, self.view = actor_of(request), kind, view
        self.picked = request.POST.getlist(ROW)
        self.caption = _(kind.heading)
        self.counted_as = _COUNTED[kind.about]
        self.file_name = _(kind.name).lower()
        self.columns = [*_columns(kind, view, self.actor)]

    def form(self) -> OfficeFilterForm | None:
        """See `List`. The view of the user's own office, and users with one office, have nothing to choose."""
        if not self.kind.has_office or self.view is View.OFFICE:
            return None
        offices = reached_offices(self.actor, Action.KEEP_REGISTER)
        return OfficeFilterForm(offices, self.request.GET) if len(offices) > 1 else None

    @property
    def office_id(self) -> UUID | None:
        """The id of the chosen office, or None for all."""
        chosen = self.chosen.get("kontor")
        return UUID(chosen) if chosen else None

    def rows(self) -> Rows[WorkItem, WorkLine]:
        """See `List`."""
        found = work.rows(actor=self.actor, kind=self.kind, view=self.view, office_id=self.office_id)
        return Rows(found, partial(work.lines, self.actor))

    def view_url(self, view: View) -> str:
        """Returns the URL of a view of the chosen office."""
        chosen = {VIEW: view.value if view is not View.ALL else "", "kontor": self.office_id if view is not View.OFFICE else None}
        query = urlencode({name: value for name, value in chosen.items() if value})
        return f"{self.page_url()}?{query}" if query else self.page_url()

    def fixed(self) -> Sequence[tuple[str, str]]:
        """See `List`."""
        return [(VIEW, self.view.value)] if self.view is not View.ALL else []

    def nothing(self, *, past_end: bool) -> Empty | None:
        """See `List`."""
        if past_end or self.view is View.ALL:
            return super().nothing(past_end=past_end)
        return Empty(self.no_match.heading, self.no_match.text, self.page_url(), _("Visa alla"))

    def note_page(self, lines: Sequence[WorkLine]) -> None:
        """See `List`."""
        if named := [person_id for line in lines if (person_id := line.ids["person_id"])]:
            disclosures.record_work(actor=self.actor, what=self.kind.code, person_ids=named)

    def note_file(self, kind: str, rows: int) -> None:
        """See `List`."""
        chosen = {"view": self.view.value, "file": kind} | ({"office": str(self.office_id)} if self.office_id else {})
        disclosures.record_work_file(actor=self.actor, what=self.kind.code, rows=rows, chosen=chosen)


def _columns(kind: WorkKind, view: View, actor: Actor) -> Iterator[Column[WorkLine]]:
    yield Column(key="namn", heading=lazy("Namn"), value=name_of, link=_row_url, below=_numbers, choice=FormChoice(field=ROW))
    yield Column(key="id", heading=lazy("Person-id"), value=_number, on_page=False)
    yield Column(key="orsak", heading=lazy("Orsak"), value=cause_of, hide_empty=True)
    yield Column(key="kort", heading=lazy("Kort slutar på"), value="last", kind=Kind.NUMBER, hide_empty=True)
    yield Column(key="organisation", heading=lazy("Organisation"), hide_empty=True, value=_organisation, below=_office)
    yield Column(key="kontor", heading=lazy("Kontor"), value="office", on_page=False)
    if kind.reminds:
        yield Column(key="skickat", heading=lazy("Skickat"), value="sent_on", kind=Kind.DAY, extra=True)
    heading = lazy("Spärras efter") if kind.revokes else lazy("Senast")
    yield Column(
        key="senast", heading=heading, value="due", kind=Kind.DAY, template="day/due.html", sort=Key("due", nullable=False)
    )
    if kind.reminds:
        yield Column(key="paminnelse", heading=lazy("Påmind"), value=_reminded)
    yield Column(key="ansvarig", heading=lazy("Ansvarig"), value="responsible", hide_empty=True)
    if view in (View.POSTPONED, View.DONE):
        yield Column(key="skal", heading=lazy("Skäl"), value="reason", below=_until)
    if acts := [act for act in kind.acts if policy.holds(actor, act.right)]:
        yield Column(
            key="gor", heading=lazy("Åtgärd"), heading_hidden=True, in_file=False,
            value=lambda line: act_of(acts, line)[0], link=lambda line: act_of(acts, line)[1],
        )  # fmt: skip


def name_of(line: WorkLine) -> str:
    """Returns the name of the person or place, which no list shows of a protected person."""
    return _("Skyddad person") if line.protected else line.name


def _row_url(line: WorkLine) -> str:
    return reverse("work_item", args=[line.id])


def _number(line: WorkLine) -> str:
    return _("Dolt i listor") if line.protected else line.number


def _numbers(line: WorkLine) -> list[str]:
    return [number] if (number := _number(line)) else []


def _organisation(line: WorkLine) -> str:
    return line.organisation if line.ids["person_id"] else ""


def _office(line: WorkLine) -> list[str]:
    """Returns the office, which stands below the organisation: a column of its own would break names."""
    return [line.office] if line.office else []


def cause_of(line: WorkLine) -> str:
    """Returns what is wrong in words, empty where the list's heading says it."""
    return _(line.kind.cause).format_map(line.facts) if line.kind.cause else ""


def _reminded(line: WorkLine) -> str:
    if line.protected:
        return _("Skickas inte")
    if not line.reachable:
        return _("Ingen e-postadress")
    if not line.reminders:
        return _("Ingen än")
    return ngettext("{n} påminnelse", "{n} påminnelser", line.reminders).format(n=line.reminders)


def _until(line: WorkLine) -> list[str]:
    return [_("Visas igen {day}").format(day=line.until)] if line.until else []


def act_of(acts: Iterable[Act], line: WorkLine) -> tuple[str, str]:
    """Returns text and URL of the first of `acts` that the row has something for, else two empty texts. If the card is taken care
    of already the text says so, without a URL.
    """
    if line.settled:
        return _("Klart. Raden försvinner i natt."), ""
    found = next((act for act in acts if line.ids[act.of]), None)
    return (_(found.text), reverse(found.page, args=[line.ids[found.of]])) if found else ("", "")
