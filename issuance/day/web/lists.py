"""The small lists that lines of Dagen lead to. Each records whom it showed."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from urllib.parse import urlencode
from uuid import UUID

from django import forms
from django.db.models import Exists, OuterRef
from django.http import HttpRequest
from django.urls import reverse, reverse_lazy
from django.utils.formats import date_format
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext, ngettext_lazy

from issuance.authz import Action
from issuance.carriers.models import Carrier
from issuance.day.queries import cards
from issuance.offices.queries import reached_offices
from issuance.orders.domain.items import CARD
from issuance.orders.domain.order_states import OrderState
from issuance.orders.models.orders import CardOrder, OrderItem
from issuance.people.models.persons import Person
from issuance.people.services import disclosures
from issuance.records.domain import wording
from issuance.records.web.frame import actor_of
from issuance.records.web.office_filter import OfficeFilterForm
from siths_portal.lib import clock
from siths_portal.lib.lists import Column, Empty, Key, Kind, List, Rows, Source, Tag, Text, View
from siths_portal.lib.pages import charts
from siths_portal.lib.pages.charts import Share
from siths_portal.lib.pages.forms import Form


def all_done(heading: Text, text: Text) -> Empty:
    """Returns what an empty list says, with the way back to Dagen."""
    return Empty(heading, text, reverse_lazy("day"), _("Till Dagen"))


@dataclass(frozen=True)
class WorkLine:
    """A card, order or eID of a person that waits. `last` has the last digits of a card, `due` the day on which it ends.
    `is_returned_card` means an order whose card came back, and no letter.
    """

    id: UUID
    person_id: UUID
    name: str
    organisation: str
    office: str = ""
    last: str = ""
    hsa_id: str = ""
    day: dt.date | None = None
    due: dt.date | None = None
    state: str = ""
    is_returned_card: bool = False

    @property
    def days_left(self) -> int:
        """The full days until `due`."""
        return (self.due - clock.today()).days if self.due else 0


def listed(person: Person) -> str:
    """Returns the name of a person in a list, the surname first."""
    return cards.person_name(person) if person.is_protected else f"{person.surname}, {person.given_name_in_use}"


NAME = Column[WorkLine](key="namn", heading=_("Namn"), value="name", link=lambda line: reverse("person", args=[line.person_id]))
CARD_END = Column[WorkLine](key="kort", heading=_("Kort slutar på"), value="last", kind=Kind.NUMBER)
_REVOKED = Column[WorkLine](key="sparras", heading=_("Spärras efter"), value="due", template="day/due.html")
ORGANISATION = Column[WorkLine](key="organisation", heading=_("Organisation"))


class WorkList(List[WorkLine]):
    """The base of these lists. They have no file: they are for work at hand, and a file would need a purpose of its own."""

    count_to = cards.MOST
    what = ""

    def __init__(self, request: HttpRequest) -> None:
        super().__init__(request)
        self.actor = actor_of(request)

    def note_page(self, lines: Sequence[WorkLine]) -> None:
        """See `List`."""
        disclosures.record_work(actor=self.actor, what=self.what, person_ids=[line.person_id for line in lines])


_WITHIN: Mapping[str, Text] = {
    "": _("Alla"),
    "0": _("Spärras i kväll"),
    str(cards.SOON): _("Inom {n} dagar"),
    str(cards.ENDING_DAYS): _("Inom {n} dagar"),
}
"""The saved views of sent cards, by the most days that a card has left."""


_OFFICE_DONE = Empty(_("Inget kort väntar"), _("Alla skickade kort som är beställda genom kontoret är aktiverade."))


class SentList(WorkList):
    """Cards that are sent and not activated, those that are revoked first on top.

    Its views are by the days left, its filter is the office. Each card is activated by itself, so none can be ticked;
    Registervård decides about many.
    """

    counted_as = ngettext_lazy("{n} kort", "{n} kort")
    what = "sent"
    columns = (
        NAME,
        CARD_END,
        Column(key="skickat", heading=_("Skickat"), value="day", kind=Kind.DAY, sort=Key("sent_at", nullable=False)),
        _REVOKED,
        Column(key="organisation", heading=_("Organisation, kontor"), below=lambda line: [line.office] if line.office else []),
    )
    caption = _("Skickade kort som inte är aktiverade")
    caption_hidden = True
    order = "skickat"
    empty = all_done(_("Inget kort väntar"), _("Alla kort som är skickade till innehavare inom din behörighet är aktiverade."))
    no_match = Empty(_("Inget kort spärras så snart"), _("Alla kort i urvalet har fler dagar kvar."))

    def __init__(self, request: HttpRequest) -> None:
        super().__init__(request)
        given = request.GET.get("inom", "")
        self.within = given if given in _WITHIN else ""

    def form(self) -> forms.BaseForm | None:
        """See `List`. Those who have one office have nothing to choose."""
        offices = reached_offices(self.actor, Action.ACTIVATE_ORDINARY_CARD)
        return OfficeFilterForm(offices, self.request.GET) if len(offices) > 1 else None

    @property
    def office(self) -> UUID | None:
        """The id of the chosen office, or None for all."""
        chosen = self.chosen.get("kontor")
        return UUID(chosen) if chosen else None

    @cached_property
    def days_left(self) -> Sequence[int]:
        """The days that each card of the chosen office has left, at most one card more than are counted."""
        return cards.days_left_of_sent(self.actor, self.office)

    def rows(self) -> Source[WorkLine]:
        """See `List`."""
        found = cards.sent_from(self.actor, self.office)
        if self.within:
            found = found.filter(sent_at__lt=cards.sent_before(int(self.within)))
        return Rows(found.select_related("person", "organisation", "item__order__office").defer("card_key_spki"), _sent_lines)

    def fixed(self) -> Sequence[tuple[str, str]]:
        """See `List`."""
        return [("inom", self.within)] if self.within else []

    def nothing(self, *, past_end: bool) -> Empty | None:
        """See `List`."""
        if past_end or not (self.within or self.office):
            return super().nothing(past_end=past_end)
        return self._later() if self.within else _OFFICE_DONE

    def _later(self) -> Empty:
        """Returns that no card is revoked so soon, when the next one is, and the way to all of them."""
        if not self.days_left:
            return self.no_match
        day = date_format(clock.today() + dt.timedelta(days=self.days_left[0]), "j F")
        count = len(self.days_left)
        show = ngettext("Visa {n} kort", "Visa alla {n} kort", count).format(n=cards.number(count).lower())
        text = _("Alla kort i urvalet har fler dagar kvar. Nästa kort spärras efter {day}.").format(day=day)
        return Empty(self.no_match.heading, text, self._view_url(""), show)

    def _view_url(self, within: str) -> str:
        chosen = {"inom": within, "kontor": self.office}
        query = urlencode({name: value for name, value in chosen.items() if value})
        return f"{self.page_url()}?{query}" if query else self.page_url()

    def count_within(self, days: int) -> int:
        """Returns how many cards have at most `days` days left."""
        return sum(left <= days for left in self.days_left)

    def views(self) -> Sequence[View]:
        """See `List`. Without any card there is nothing to choose from."""
        numbers = {within: self.count_within(int(within)) if within else len(self.days_left) for within in _WITHIN}
        return [
            View(
                text=str(text).format(n=within),
                url=self._view_url(within),
                count=cards.number(numbers[within]),
                here=within == self.within,
                urgent=bool(within and numbers[within] and int(within) <= cards.SOON),
            )
            for within, text in _WITHIN.items()
            if self.days_left
        ]

    def shares(self) -> Sequence[Share]:
        """See `List`. All cards by the days left; not of a view, nor of more cards than are counted."""
        if self.within or len(self.days_left) > cards.MOST:
            return ()
        soon, later = self.count_within(cards.SOON), self.count_within(cards.ENDING_DAYS)
        parts = (
            (_("Inom {n} dagar").format(n=cards.SOON), soon, "share-2"),
            (_("Inom {n} dagar").format(n=cards.ENDING_DAYS), later - soon, "share-1"),
            (_("Senare"), len(self.days_left) - later, "share-pale"),
        )
        return charts.shares([Share(str(name), str(count), count, colour) for name, count, colour in parts])

    def remark(self) -> Text:
        """See `List`."""
        waited = None if self.within else cards.half_waited(self.days_left)
        return "" if waited is None else _("Hälften har väntat {n} dagar eller mer.").format(n=waited)


def _sent_lines(found: Sequence[Carrier]) -> Sequence[WorkLine]:
    return [
        replace(_card_line(each, each.sent_at, cards.last_day_to_activate(each.sent_at)), office=_office_of(each))
        for each in found
    ]


def _office_of(card: Carrier) -> str:
    """Returns the office through which the card was ordered, or "" for a card that the portal did not order."""
    item = getattr(card, "item", None)
    return item.order.office.name if item else ""


def _card_line(card: Carrier, moment: dt.datetime | None, due: dt.date | None) -> WorkLine:
    return WorkLine(
        id=card.pk,
        person_id=card.holder_id,
        name=listed(card.holder),
        organisation=card.organisation.name,
        last=card.card_serial[-4:],
        day=wording.day(moment),
        due=due,
    )


class UnsignedList(WorkList):
    """Cards with a code whose receipt is not signed, those that are revoked first on top."""

    counted_as = ngettext_lazy("{n} kort", "{n} kort")
    what = "unsigned"
    columns = (
        NAME,
        CARD_END,
        Column(key="kod", heading=_("Kod vald"), value="day", kind=Kind.DAY, sort=Key("code_set_at", nullable=False)),
        _REVOKED,
        ORGANISATION,
        Column(
            key="gor",
            heading=_("Åtgärd"),
            heading_hidden=True,
            value=lambda _line: _("Fortsätt aktivera"),
            link=lambda line: reverse("activate", args=[line.id]),
        ),
    )
    caption = _("Kort som väntar på underskrift")
    caption_hidden = True
    order = "kod"
    empty = all_done(_("Inget kort väntar på underskrift"), _("Alla innehavare som har valt kod har också skrivit under."))

    def rows(self) -> Source[WorkLine]:
        """See `List`."""
        return Rows(cards.unsigned(self.actor).select_related("person", "organisation").defer("card_key_spki"), _unsigned_lines)


def _unsigned_lines(found: Sequence[Carrier]) -> Sequence[WorkLine]:
    return [_card_line(each, each.code_set_at, cards.last_day_to_sign(each.code_set_at)) for each in found]


class OutcomeForm(Form):
    """Which orders are listed."""

    status = forms.ChoiceField(
        label=_("Status"),
        required=False,
        choices=[
            ("", _("Alla")),
            (OrderState.RETURNED.value, _("I retur")),
            (OrderState.FAILED.value, _("Misslyckades")),
        ],
    )


class OrderList(WorkList):
    """Orders that failed or came back, the newest first."""

    counted_as = ngettext_lazy("{n} beställning", "{n} beställningar")
    what = "orders"
    columns = (
        NAME,
        Column(key="bestalld", heading=_("Beställd"), value="day", kind=Kind.DAY, sort=Key("ordered_at", nullable=False)),
        Column(key="status", heading=_("Status"), kind=Kind.TAG, value=lambda line: Tag(line.state)),
        ORGANISATION,
        Column(
            key="gor",
            heading=_("Åtgärd"),
            heading_hidden=True,
            value=lambda line: _("Gör om kortet") if line.is_returned_card else "",
            link=lambda line: reverse("order_remake", args=[line.id]) if line.is_returned_card else "",
        ),
    )
    caption = _("Beställningar som inte blev ett kort i handen")
    caption_hidden = True
    order = "-bestalld"
    empty = all_done(
        _("Ingen beställning att göra om"), _("Inget kort har kommit i retur, och ingen tillverkning har misslyckats.")
    )

    def form(self) -> forms.BaseForm:
        """See `List`."""
        return OutcomeForm(self.request.GET)

    def rows(self) -> Source[WorkLine]:
        """See `List`."""
        found = cards.to_nothing(self.actor, cards.orders_since())
        if status := self.chosen.get("status"):
            found = found.filter(state=status)
        cards_made = OrderItem.objects.filter(order=OuterRef("pk"), kind=CARD.code)
        return Rows(found.select_related("person", "organisation").annotate(has_card=Exists(cards_made)), _order_lines)


def _order_lines(found: Sequence[CardOrder]) -> Sequence[WorkLine]:
    return [
        WorkLine(
            id=each.pk,
            person_id=each.person.pk,
            name=listed(each.person),
            organisation=each.organisation.name,
            day=wording.day(each.ordered_at),
            state=each.state,
            is_returned_card=each.state == OrderState.RETURNED and each.has_card,  # type: ignore[attr-defined]
        )
        for each in found
        if each.person is not None
    ]
