"""The queue of the second officer as a list."""

from collections.abc import Sequence
from functools import partial

from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse, reverse_lazy
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy
from django_filters import ChoiceFilter, FilterSet

from issuance.people.services import disclosures
from issuance.records.web.frame import actor_of
from issuance.reserve_cards.models import ReserveCardIssue
from issuance.reserve_cards.queries import reserve_cards as query
from issuance.reserve_cards.queries.reserve_cards import WaitingView
from siths_portal.lib.lists import Column, Empty, Key, List, Rows
from siths_portal.lib.pages.forms import Form

_MINE, _OTHERS = "egna", "andras"


class WaitingFilter(FilterSet):  # type: ignore[misc]
    """Which hand-outs are listed."""

    visa = ChoiceFilter(
        label=_("Visa"),
        empty_label=_("Alla"),
        choices=[(_OTHERS, _("Dem jag kan kontrollera")), (_MINE, _("Dem en annan ska kontrollera"))],
        method="by_part",
    )

    class Meta:
        form = Form

    def by_part(self, rows: QuerySet[ReserveCardIssue], _name: str, value: str) -> QuerySet[ReserveCardIssue]:
        """Selects by whether the user can be the second officer."""
        mine = query.own(actor_of(self.request))
        return rows.filter(mine) if value == _MINE else rows.exclude(mine)


class WaitingList(List[WaitingView]):
    """The hand-outs that wait for a second officer, those that have waited longest on top. It has no file: it is for work at
    hand.
    """

    counted_as = ngettext_lazy("{n} utlämning", "{n} utlämningar")
    columns = (
        Column(
            key="person",
            heading=_("Person"),
            value="person",
            link=lambda line: reverse("person", args=[line.person_id]),
            below=lambda line: [line.person_number] if line.person_number else [],
        ),
        Column(key="kort", heading=_("Reservkort"), value="card_end", template="reserve_cards/card_cell.html"),
        Column(key="organisation", heading=_("Organisation"), value="organisation"),
        Column(
            key="forsta", heading=_("Identifierad av"), value="officer", below=lambda line: [line.document]
        ),
        Column(
            key="sedan",
            heading=_("Väntar sedan"),
            value=lambda line: line,
            template="reserve_cards/since_cell.html",
            sort=Key("waiting_until", nullable=False),
        ),
        Column(key="gor", heading=_("Åtgärd"), heading_hidden=True, value="own", template="reserve_cards/act_cell.html"),
    )  # fmt: skip
    caption = _("Utlämningar som väntar på en andra person")
    caption_hidden = True
    order = "sedan"
    filters = WaitingFilter
    empty = Empty(
        _("Ingen utlämning väntar"),
        _("När en kollega har identifierat någon för ett reservkort på tillitsnivå 3 syns det här och på Dagen."),
        reverse_lazy("stock"),
        _("Till lagret"),
    )

    def __init__(self, request: HttpRequest) -> None:
        super().__init__(request)
        self.actor = actor_of(request)

    def rows(self) -> Rows[ReserveCardIssue, WaitingView]:
        """See `List`."""
        return Rows(query.waiting(actor=self.actor), partial(query.views, self.actor))

    def note_page(self, lines: Sequence[WaitingView]) -> None:
        """See `List`."""
        disclosures.record_work(actor=self.actor, what="reserve_cards", person_ids=[line.person_id for line in lines])
