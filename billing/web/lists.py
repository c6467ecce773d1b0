"""The lists of the invoice pages."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, cast

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from billing.domain import money
from billing.domain.invoices import LineContent
from billing.queries import invoices as queries
from billing.queries.invoices import InvoiceRow, LineEventRow
from billing.queries.line_words import LineWords, words_of
from billing.web.forms import FilterForm
from issuance.authz import Actor
from siths_portal.lib.clock import STOCKHOLM
from siths_portal.lib.lists import Cell, Column, Empty, Key, Kind, Lines, List, Shown, Source, Tag, Text


def _amount(key: str, heading: Any, name: str, *, css: str = "", sort: str = "") -> Column[Any]:
    """Returns a column with an amount or a quantity. Exported files contain the number, not the Swedish text."""
    return Column(
        key=key,
        heading=heading,
        kind=Kind.AMOUNT,
        css=css,
        sort=sort or (),
        value=lambda row: money.swedish(getattr(row, name)),
        file_value=lambda row: getattr(row, name),
    )


def _moment(row: LineEventRow) -> str:
    return f"{row.occurred_at.astimezone(STOCKHOLM):%Y-%m-%d %H:%M:%S}"


class InvoiceList(List[InvoiceRow]):
    """The issued invoices that the user may see, filtered by customer and month, the newest number first."""

    columns = (
        Column(
            key="nummer", heading=_("Nummer"), value="number", link=lambda row: reverse("invoice", args=[row.number])
        ),
        Column(key="kund", heading=_("Kund"), value="customer", css="name"),
        Column(key="manad", heading=_("Månad"), value=lambda row: str(row.month).capitalize(), css="nowrap"),
        _amount("exkl", _("Exkl. moms"), "net"),
        _amount("inkl", _("Inkl. moms"), "gross"),
        _amount("betala", _("Att betala"), "payable"),
        Column(key="forfaller", heading=_("Förfaller"), value="due_date", css="nowrap"),
        Column(key="status", heading=_("Status"), kind=Kind.TAG, value=lambda row: Tag("active", row.state)),
    )  # fmt: skip
    caption = _("Utfärdade fakturor, den senaste först. Belopp i svenska kronor.")
    caption_hidden = True
    table_id = "fakturor"
    css = "amounts"
    by = (Key("-number", nullable=False),)
    count_to = 0
    count_in_heading = True  # the page shows the number with the sums
    filter_button = _("Visa fakturorna")
    files = ("csv", "xlsx")
    file_name = _("fakturor")

    def __init__(self, request: HttpRequest, actor: Actor) -> None:
        """Raises Forbidden."""
        super().__init__(request)
        self.actor = actor
        self.choices = queries.choices(actor)
        self.filter_form = FilterForm(request.GET, self.choices)
        self.empty = Empty(
            _("Inga fakturor än"),
            _("Fakturor utfärdas i början av varje månad för månaden före. Löpande månad visar kort och abonnemang hittills."),
            reverse("invoices_running"), _("Visa löpande månad"),
        )  # fmt: skip
        self.no_match = Empty(
            _("Inga fakturor för kunden och månaden"),
            _("Välj en annan kund eller månad."),
            reverse("invoices"),
            _("Visa alla fakturor"),
        )

    def form(self) -> FilterForm:
        """See `List`."""
        return self.filter_form

    def rows(self) -> Source[InvoiceRow]:
        """See `List`."""
        return queries.rows(self.actor, party_id=self.filter_form.party_id, month=self.filter_form.month)


def _quantity(line: LineContent) -> str:
    return f"{money.swedish(line.quantity, decimals=0)}{money.NO_BREAK_SPACE}{line.declaration.unit_name}"


def _line_columns(words: LineWords, link: Callable[[LineContent], str] | None = None) -> tuple[Column[LineContent], ...]:
    """Returns the columns of lines. Pages show what was bought in words; files have the number and the frozen text."""
    return (
        Column(key="artikel", heading=_("Artikelnr"), value="article_code", on_page=False),
        Column(
            key="beskrivning",
            heading=_("Beskrivning"),
            value=words.title,
            file_value=lambda line: line.text,
            below=lambda line: [words.detail(line)],
            css="name",
            row_header=True,
            sort="text",
            link=link,
        ),
        Column(
            key="antal",
            heading=_("Antal"),
            kind=Kind.AMOUNT,
            sort="quantity",
            value=_quantity,
            file_value=lambda line: line.quantity,
        ),
        Column(key="enhet", heading=_("Enhet"), value=lambda line: line.declaration.unit_name, on_page=False),
        _amount("pris", _("À-pris, kr"), "unit_price", sort="unit_price"),
        Column(
            key="moms",
            heading=_("Moms"),
            kind=Kind.AMOUNT,
            value=lambda line: f"{money.swedish(line.vat_rate, decimals=0)}{money.NO_BREAK_SPACE}%",
            file_value=lambda line: line.vat_rate,
        ),
        _amount("belopp", _("Exkl. moms, kr"), "net", css="net", sort="net"),
    )


class LineList(List[LineContent]):
    """The lines of an invoice or of the running month, in the order of the invoice.

    `link` leads a line to what is behind it. `fixed`: what the URL says in addition to the list.
    """

    table_id = "fakturarader"
    files = ("csv", "xlsx")
    fragment = "fakturarader"

    def __init__(
        self,
        request: HttpRequest,
        lines: Sequence[LineContent],
        file_name: Text,
        *,
        link: Callable[[LineContent], str] | None = None,
        fixed: Sequence[tuple[str, str]] = (),
    ) -> None:
        super().__init__(request)
        self.lines, self.file_name, self._fixed = lines, file_name, fixed
        self.words = words_of(lines)
        self.columns = _line_columns(self.words, link)

    def rows(self) -> Source[LineContent]:
        """See `List`."""
        return Lines(self.lines)

    def fixed(self) -> Sequence[tuple[str, str]]:
        """See `List`."""
        return self._fixed


@dataclass(frozen=True)
class LineGroup:
    """Lines of one office, or of one kind, under their heading and sum. Without a heading: all lines, sorted by a column."""

    heading: str
    net: Decimal
    rows: Sequence[Sequence[Cell]]


def line_groups(shown: Shown[LineContent]) -> list[LineGroup]:
    """Returns the list's rows grouped by office, or in one group if the user sorts them."""
    pairs = list(zip(shown.lines, shown.rows, strict=True))
    if any(head.state for head in shown.heads):
        return [LineGroup("", sum((line.net for line, _row in pairs), Decimal(0)), [row for _line, row in pairs])]
    words = cast(LineList, shown.declared).words
    groups: dict[tuple[object, str], list[tuple[LineContent, Sequence[Cell]]]] = {}
    for line, row in pairs:
        groups.setdefault((line.office_id, words.place(line)), []).append((line, row))
    return [
        LineGroup(heading, sum((line.net for line, _row in found), Decimal(0)), [row for _line, row in found])
        for (_office, heading), found in groups.items()
    ]


class LineEventList(List[LineEventRow]):
    """The events behind one line, in order of the ledger."""

    columns = (
        Column(key="tidpunkt", heading=_("Tidpunkt"), value=_moment, css="nowrap"),
        Column(key="slag", heading=_("Slag"), value="kind"),
        Column(key="bestallning", heading=_("Beställnings-id"), value="order_id", css="code"),
        Column(key="kontor", heading=_("Kontor"), value="office"),
        Column(key="artikel", heading=_("Artikelnr"), value="article_code"),
        _amount("antal", _("Antal"), "quantity"),
        _amount("pris", _("À-pris"), "unit_price"),
    )
    caption = _("Händelser bakom raden, priser i svenska kronor exklusive moms")
    caption_hidden = True
    table_id = "handelser"
    css = "amounts"
    count_to = 0  # a line may have hundreds of thousands, and the page shows their sum as the quantity

    def __init__(self, request: HttpRequest, events: Source[LineEventRow]) -> None:
        super().__init__(request)
        self.events = events

    def rows(self) -> Source[LineEventRow]:
        """See `List`."""
        return self.events
