"""The lists of the stock of reserve cards: offices, an office's cards, its bundles on the way, and its counts."""

from collections.abc import Sequence

from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy
from django_filters import ChoiceFilter, FilterSet

from issuance.offices.models import Office
from issuance.records.domain.wording import card_serial
from issuance.records.web.frame import Link
from issuance.stock.domain import StockState
from issuance.stock.models import StockCard, StockCount
from issuance.stock.queries.stock import AwaitedBundle, CountLine, StockLine, StockOffice
from siths_portal.lib import clock
from siths_portal.lib.lists import Column, Empty, Key, Kind, Lines, List, Rows, Tag
from siths_portal.lib.pages.forms import Form

STATES = {
    "in_stock": ("active", _("I lager")),
    "missing": ("missing", _("Saknas")),
    "handed_out": ("sent", _("Utlämnat")),
    "damaged": ("cancelled", _("Skadat")),
    "lost": ("revoked", _("Förlorat")),
    "ended": ("revoked", _("Spärrat")),
}
"""The tag and label of each state of a card in stock."""


def state_tag(line: StockLine) -> Tag:
    """Returns the state of a card as a tag."""
    if line.waits:
        return Tag("missing", str(_("Spärr väntar på beslut")))
    if line.ended:
        return Tag("missing", str(_("Har gått ut")))
    kind, text = STATES[line.state]
    return Tag(kind, str(text))


def _need(line: StockOffice) -> str:
    """Returns in words what an office's stock needs, "" if nothing."""
    figures = line.figures
    if figures.short:
        return str(_("Lågt, gräns {least}")).format(least=figures.least)
    return str(_("Lämna ut de äldsta")) if figures.oldest_soon else ""


def _act(line: StockOffice, order_url: str) -> Link:
    """Returns what the user does next with an office's stock: receives what is on its way, or orders more, or counts it.

    `order_url` is where the user orders bundles, "" for a user who does not. A page of one organisation proposes the office.
    """
    if line.figures.awaited:
        return Link(str(_("Ta emot bunt")), f"{reverse('office_stock', args=[line.id])}#pa-vag")
    if order_url and line.receives_bundles:
        return Link(str(_("Beställ bunt")), order_url if order_url.startswith("#") else f"{order_url}?kontor={line.id}")
    return Link(str(_("Räkna lagret")), reverse("stock_count", args=[line.id]))


class OfficeStockList(List[StockOffice]):
    """The offices whose stock the user keeps."""

    counted_as = ngettext_lazy("{n} kontor", "{n} kontor")
    columns: Sequence[Column[StockOffice]] = (
        Column(
            key="kontor",
            heading=_("Kontor"),
            value="name",
            sort="name",
            link=lambda line: reverse("office_stock", args=[line.id]),
        ),
        Column(
            key="lager",
            heading=_("I lager"),
            value=lambda line: line.figures.in_stock,
            template="stock/bar_cell.html",
            file_value=lambda line: line.figures.in_stock,
        ),
        Column(
            key="racker",
            heading=_("Räcker"),
            value="figures",
            template="stock/lasts_cell.html",
            in_file=False,
        ),
        Column(key="lage", heading=_("Att tänka på"), value=_need, template="stock/level_cell.html"),
        Column(key="saknas", heading=_("Saknas"), kind=Kind.NUMBER, value=lambda line: line.figures.missing),
        Column(key="vag", heading=_("På väg"), kind=Kind.NUMBER, value=lambda line: line.figures.awaited),
        Column(key="aldst", heading=_("Äldst går ut"), kind=Kind.DAY, value=lambda line: line.figures.oldest),
    )
    table_id = "kontor"
    order = "kontor"
    files = ("csv", "xlsx")
    file_name = _("lager av reservkort")
    empty = Empty(
        _("Inget kontor har reservkort"),
        _("Kontor med leveransadress kan få reservkort. Ansvarig eller biträdande utgivare beställer dem med Beställ bunt."),
    )

    def __init__(self, request: HttpRequest, found: Rows[Office, StockOffice], *, order_url: str) -> None:
        super().__init__(request)
        self.found = found
        act = Column[StockOffice](
            key="gor",
            heading=_("Åtgärd"),
            heading_hidden=True,
            in_file=False,
            value=lambda line: _act(line, order_url),
            template="stock/act_cell.html",
        )
        self.columns = (*self.columns, act)

    def rows(self) -> Rows[Office, StockOffice]:
        """See `List`."""
        return self.found


class AwaitedList(List[AwaitedBundle]):
    """The bundles on their way to an office."""

    counted_as = ngettext_lazy("{n} bunt", "{n} buntar")
    columns = (
        Column(key="bestalld", heading=_("Beställd"), value="ordered_on", kind=Kind.DAY),
        Column(key="artikel", heading=_("Artikel"), value="article"),
        Column(key="skickad", heading=_("Skickad"), value="sent_on", kind=Kind.DAY),
        Column(key="kvar", heading=_("Kort att ta emot"), value="left", kind=Kind.NUMBER),
        Column(key="antal", heading=_("Kort i bunten"), value="quantity", kind=Kind.NUMBER),
        Column(
            key="gor",
            heading=_("Åtgärd"),
            heading_hidden=True,
            value=lambda _line: _("Ta emot bunten"),
            link=lambda line: reverse("stock_receive", args=[line.id]),
        ),
    )
    table_id = fragment = "pa-vag"
    prefix = "vag_"
    count_to = 0
    empty = Empty(_("Ingen bunt är på väg"))

    def __init__(self, request: HttpRequest, found: Sequence[AwaitedBundle]) -> None:
        super().__init__(request)
        self.found = found

    def rows(self) -> Lines[AwaitedBundle]:
        """See `List`."""
        return Lines(self.found, paged=True)


EVERY_STATE = "alla"
"""The value of the filter that lists the cards in every state."""

PAST_END = "utgangna"
"""The value of the filter that lists the cards in stock that can no longer be handed out."""


class StateFilter(FilterSet):  # type: ignore[misc]
    """Which cards are listed: those in stock that have not ended, which are handed out from the top, unless another is chosen."""

    status = ChoiceFilter(
        label=_("Status"),
        empty_label=_("I lager"),
        choices=[
            *((code, text) for code, (_tag, text) in STATES.items() if code != StockState.IN_STOCK),
            (PAST_END, _("Har gått ut")),
            (EVERY_STATE, _("Alla")),
        ],
        method="by_state",
    )

    class Meta:
        form = Form

    def by_state(self, rows: QuerySet[StockCard], _name: str, value: str) -> QuerySet[StockCard]:
        """Returns the cards in the chosen state."""
        if value == PAST_END:
            return rows.filter(state=StockState.IN_STOCK.value, valid_to__lte=clock.now())
        return rows if value == EVERY_STATE else rows.filter(state=value)

    def filter_queryset(self, queryset: QuerySet[StockCard]) -> QuerySet[StockCard]:
        """Returns the cards in stock that have not ended if no state is chosen."""
        found: QuerySet[StockCard] = super().filter_queryset(queryset)
        if self.form.cleaned_data["status"]:
            return found
        return found.filter(state=StockState.IN_STOCK.value, valid_to__gt=clock.now())


class StockCardList(List[StockLine]):
    """The cards of an office, those that end first before the others."""

    counted_as = ngettext_lazy("{n} kort", "{n} kort")
    columns = (
        Column(
            key="kort",
            heading=_("Kortserienummer"),
            value=lambda line: card_serial(line.serial),
            kind=Kind.NUMBER,
            link=lambda line: reverse("stock_card", args=[line.id]),
            file_value=lambda line: line.serial,
        ),
        Column(key="artikel", heading=_("Artikel"), value="article"),
        Column(key="niva", heading=_("Tillitsnivå"), value="level", kind=Kind.NUMBER, hide_empty=True),
        Column(key="status", heading=_("Status"), kind=Kind.TAG, value=state_tag),
        Column(
            key="slutar",
            heading=_("Giltigt till"),
            value="last_day",
            kind=Kind.DAY,
            sort=Key("valid_to", nullable=False),
            below=lambda line: [str(_("Lämna ut det först"))] if line.soon else [],
        ),
        Column(key="mottaget", heading=_("Mottaget"), value="received_on", kind=Kind.DAY),
    )
    table_id = "kort"
    order = "slutar"
    filters = StateFilter
    files = ("csv", "xlsx")
    empty = Empty(
        _("Inget kort i lager"), _("Korten kommer hit när en bunt tas emot. Under Alla finns de som har lämnat lagret.")
    )

    def __init__(self, request: HttpRequest, found: Rows[StockCard, StockLine], *, office: str) -> None:
        super().__init__(request)
        self.found = found
        self.file_name = f"reservkort {office}"

    def rows(self) -> Rows[StockCard, StockLine]:
        """See `List`."""
        return self.found


class CountList(List[CountLine]):
    """The stock-takings of an office, the newest first."""

    counted_as = ngettext_lazy("{n} räkning", "{n} räkningar")
    columns = (
        Column(key="tid", heading=_("Räknat"), value="at", kind=Kind.MOMENT),
        Column(key="vem", heading=_("Av"), value="who"),
        Column(key="fore", heading=_("Skulle finnas"), value="expected", kind=Kind.NUMBER),
        Column(key="fanns", heading=_("Fanns"), value="found", kind=Kind.NUMBER),
        Column(key="saknas", heading=_("Saknas"), value="missing", kind=Kind.NUMBER),
        Column(key="igen", heading=_("Kom till rätta"), value="returned", kind=Kind.NUMBER),
    )
    table_id = fragment = "rakningar"
    order = "-"
    count_to = 0
    files = ("csv", "xlsx")
    empty = Empty(_("Lagret är inte räknat än"))

    def __init__(self, request: HttpRequest, found: Rows[StockCount, CountLine], *, office: str) -> None:
        super().__init__(request)
        self.found = found
        self.file_name = f"räkningar {office}"

    def rows(self) -> Rows[StockCount, CountLine]:
        """See `List`."""
        return self.found
