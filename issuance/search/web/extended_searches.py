"""The page of an area's searches that its responsible issuer follows up."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from uuid import UUID

from django import forms
from django.db.models import Q
from django.http import HttpRequest, HttpResponseBase
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, ngettext_lazy
from django.views.decorators.http import require_safe

from issuance.authz import Action, Actor
from issuance.organisations.queries import places
from issuance.people.services import disclosures
from issuance.records.web.frame import actor_of, demand
from issuance.records.web.history import TIME, EventList, PeriodForm
from issuance.records.web.places import area_page
from issuance.search.domain.search_terms import TermKind
from issuance.search.queries.extended_searches import AreaSearches, PatternLine, SearchLine
from siths_portal.lib.lists import Column, Empty, Lines, List, Source

KINDS: Mapping[str, Promise] = {
    TermKind.PERSON_ID: gettext_lazy("Person-id"),
    TermKind.HSA_ID: gettext_lazy("Slutet av ett tjänste-id"),
    TermKind.CARD_SERIAL: gettext_lazy("Kortserienummer"),
    TermKind.ORDER_ID: gettext_lazy("Beställnings-id"),
}

_WHO = Column[SearchLine | PatternLine](
    key="vem",
    heading=gettext_lazy("Vem"),
    value="who",
    below=lambda line: [line.hsa_id] if line.hsa_id else [],
    row_header=True,
)


class ExtendedSearchForm(PeriodForm):
    """Which extended searches are listed."""

    sokte = forms.ChoiceField(
        label=gettext_lazy("Sökte på"),
        required=False,
        choices=[("", gettext_lazy("Alla")), *((str(kind), text) for kind, text in KINDS.items())],
    )


class ExtendedSearchList(EventList[SearchLine]):
    """The extended searches of an area."""

    counted_as = ngettext_lazy("{n} sökning", "{n} sökningar")
    columns = (
        # Read along the key: few events are of this action, and those of the area's people are found by an index.
        replace(TIME, sort="pk"),
        _WHO,
        Column(key="id", heading=gettext_lazy("Tjänste-id"), value="hsa_id", on_page=False),
        Column(key="sokte", heading=gettext_lazy("Sökte på"), value=lambda line: KINDS.get(line.kind, line.kind)),
        Column(key="skal", heading=gettext_lazy("Skäl"), value="reason"),
    )
    caption = gettext_lazy("Utökade sökningar")
    table_id = "sokningar"
    css = ""
    file_name = gettext_lazy("utökade sökningar")
    empty = Empty(gettext_lazy("Inga utökade sökningar"), gettext_lazy("Ingen i området har sökt utanför sin behörighet."))
    no_match = Empty(
        gettext_lazy("Inga utökade sökningar"), gettext_lazy("Ingen i området har gjort en sådan sökning de dagar som du valde.")
    )

    def __init__(self, request: HttpRequest, actor: Actor, area_id: UUID, found: AreaSearches) -> None:
        super().__init__(request)
        self.actor, self.area_id, self.found = actor, area_id, found

    def form(self) -> forms.BaseForm:
        """See `List`."""
        return ExtendedSearchForm(self.request.GET)

    def rows(self) -> Source[SearchLine]:
        """See `List`."""
        found = self.found.rows().filter(self.period)
        return found.filter(Q(facts__kind=self.chosen["sokte"])) if "sokte" in self.chosen else found

    def note_file(self, kind: str, rows: int) -> None:
        """See `List`. The list names the people who searched."""
        disclosures.record_history_file(
            actor=self.actor, of="extended_searches", subject_ref=self.area_id, rows=rows, chosen=self.chosen_facts
        )


def _what(line: PatternLine) -> str:
    if line.misses:
        return _("Minst {n} sökningar utan träff på en timme").format(n=line.misses)
    return _("Minst {n} personer visade på en timme, med delar av namn eller tjänste-id").format(n=line.shown)


class PatternList(List[PatternLine]):
    """The newest hours that look like harvesting, on one page."""

    counted_as = ngettext_lazy("{n} timme", "{n} timmar")
    columns = (
        replace(TIME, sort=()),
        _WHO,
        Column(key="vad", heading=gettext_lazy("Vad"), value=_what),
    )
    caption = gettext_lazy("Ovanligt många sökningar")
    table_id = "monster"
    prefix = "monster_"

    def __init__(self, request: HttpRequest, found: Sequence[PatternLine]) -> None:
        super().__init__(request)
        self.found = found

    def rows(self) -> Source[PatternLine]:
        """See `List`."""
        return Lines(self.found)

    def count_text(self, count: int) -> str:
        """See `List`. A line is an hour."""
        return ngettext("{n} timme", "{n} timmar", count).format(n=count)


@require_safe
def area_extended_searches(request: HttpRequest, area_id: UUID) -> HttpResponseBase:
    """Shows extended searches by people of the area, the newest first, on the first page above them suspected harvesting.

    Raises NotFound, Forbidden.
    """
    actor = actor_of(request)
    head = places.area_head(actor=actor, area_id=area_id)
    demand(Action.ASSIGN_ROLE in head.rights)
    first = request.GET.keys().isdisjoint({"efter", "fore", "fil"})
    found = AreaSearches(actor=actor, area_id=area_id, with_patterns=first)
    return ExtendedSearchList(request, actor, area_id, found).answer(
        lambda shown: area_page(
            request,
            "search/extended_searches.html",
            head,
            {"list": shown, "form": shown.form, "patterns": PatternList(request, found.patterns()).shown()},
            here="area",
            step=_("Utökade sökningar"),
            status=shown.status,
        )
    )
