"""The lists of issued invoices, and of the events behind a line."""

import datetime as dt
from collections.abc import Sequence
from decimal import Decimal

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as translated
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy

from billing.documents.domain.invoices import DocumentType
from billing.invoices.queries import invoices as queries
from billing.invoices.queries.history import HistoryRow
from billing.invoices.queries.invoices import InvoiceRow, LineEventRow
from billing.invoices.queries.settlement import Settlement
from billing.invoices.web.forms import FilterForm
from billing.records.domain import money
from billing.records.web.columns import amount_column
from issuance.authz import Actor
from issuance.service import OrderedCard
from siths_portal.lib.clock import STOCKHOLM
from siths_portal.lib.lists import Column, Empty, Key, Kind, Lines, List, Source, Tag


def card_url(card: OrderedCard | None) -> str:
    """Returns the address of a card on its holder's page, or "" without a card."""
    return f"{reverse('person', args=[card.person_id])}?barare={card.carrier_id}" if card else ""


def _moment(row: LineEventRow) -> str:
    return f"{row.occurred_at.astimezone(STOCKHOLM):%Y-%m-%d %H:%M:%S}"


def _kind(row: InvoiceRow) -> str:
    return translated("Kreditfaktura") if row.document_type == DocumentType.CREDIT_NOTE else translated("Faktura")


def _month(row: InvoiceRow) -> str:
    return str(row.month).capitalize()


def _about(row: InvoiceRow) -> list[str]:
    """Returns the month, and what a credit note is and which invoice it credits. Most are invoices, so those do not say it."""
    if not row.credits:
        return [_month(row)]
    return [_month(row), _kind(row), translated("Krediterar {number}").format(number=row.credits)]


def _paid(row: InvoiceRow) -> str:
    return money.swedish(row.settlement.paid) if row.settlement else ""


def _remaining(row: InvoiceRow) -> list[str]:
    """Returns what remains to pay of an invoice of which a part is paid or credited."""
    found = row.settlement
    if found is None or found.remaining in (0, row.payable):
        return []
    text = translated("{amount} kvar") if found.remaining > 0 else translated("{amount} till godo")
    return [text.format(amount=money.swedish(abs(found.remaining)))]


def _due(row: InvoiceRow) -> dt.date | None:
    """Returns the due date of an invoice, or None for a credit note. Its e-invoice must state a date, but it has no payment."""
    return None if row.credits else row.due_date


def status_of(found: Settlement | None, payable: Decimal, state: str) -> Tag:
    """Returns the status of a document for the list and its own page: what is paid of `payable`, or `state` if nothing is."""
    if found is not None and found.disputed:
        return Tag("due", translated("Tvist"))
    if found is None or (found.remaining == payable and not found.overdue):
        return Tag("active", state)
    if found.remaining <= 0:
        return Tag("active", translated("Betald")) if found.paid else Tag("info", translated("Krediterad"))
    if found.overdue:
        return Tag("expired", translated("Förfallen"))
    return Tag("info", translated("Delbetald") if found.paid else translated("Delkrediterad"))


class InvoiceList(List[InvoiceRow]):
    """The issued invoices that the user may see, by customer, month, what is paid and order, the newest number first."""

    counted_as = ngettext_lazy("{n} faktura", "{n} fakturor")
    columns = (
        Column(
            key="nummer", heading=_("Nummer"), value="number", link=lambda row: reverse("invoice", args=[row.number]),
            below=_about,
        ),
        Column(key="typ", heading=_("Typ"), value=_kind, on_page=False),
        Column(key="kund", heading=_("Kund"), value="customer", css="name"),
        Column(key="manad", heading=_("Månad"), value=_month, on_page=False),
        amount_column("exkl", _("Exkl. moms"), "net", extra=True),
        amount_column("inkl", _("Inkl. moms"), "gross", extra=True),
        amount_column("betala", _("Att betala"), "payable"),
        Column(
            key="betalt", heading=_("Betalt"), kind=Kind.AMOUNT, value=_paid, below=_remaining,
            file_value=lambda row: row.settlement.paid if row.settlement else "",
        ),
        Column(
            key="kvar", heading=_("Kvar att betala"), on_page=False,
            file_value=lambda row: row.settlement.remaining if row.settlement else "",
        ),
        Column(key="forfaller", heading=_("Förfaller"), value=_due, css="nowrap"),
        Column(
            key="status", heading=_("Status"), kind=Kind.TAG,
            value=lambda row: status_of(row.settlement, row.payable, row.state),
        ),
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
            _("Inga fakturor i urvalet"),
            _("Ändra urvalet. En beställning finns på en faktura först när kortet har skickats."),
            reverse("invoices"),
            _("Visa alla fakturor"),
        )

    def form(self) -> FilterForm:
        """See `List`."""
        return self.filter_form

    def rows(self) -> Source[InvoiceRow]:
        """See `List`."""
        return queries.rows(self.actor, self.filter_form.choice)


class LineEventList(List[LineEventRow]):
    """The events behind one line, in order of the ledger."""

    counted_as = ngettext_lazy("{n} händelse", "{n} händelser")
    columns = (
        Column(key="tidpunkt", heading=_("Tidpunkt"), value=_moment, css="nowrap"),
        Column(key="slag", heading=_("Slag"), value="kind"),
        Column(
            key="bestallning", heading=_("Beställnings-id"), value="order_id", css="code", link=lambda row: card_url(row.card)
        ),
        Column(key="kontor", heading=_("Kontor"), value="office"),
        Column(key="artikel", heading=_("Artikelnr"), value="article_code"),
        amount_column("antal", _("Antal"), "quantity"),
        amount_column("pris", _("À-pris"), "unit_price"),
    )
    caption = _("Händelser bakom raden, priser i svenska kronor exklusive moms")
    caption_hidden = True
    table_id = "handelser"
    css = "amounts"
    empty = Empty(
        _("Inga egna händelser"),
        _("Händelserna bakom en rad på en kreditfaktura finns på den fakturarad som krediteras."),
    )
    count_to = 0  # a line may have hundreds of thousands, and the page shows their sum as the quantity

    def __init__(self, request: HttpRequest, events: Source[LineEventRow]) -> None:
        super().__init__(request)
        self.events = events

    def rows(self) -> Source[LineEventRow]:
        """See `List`."""
        return self.events


class HistoryList(List[HistoryRow]):
    """The events of a document, the oldest first."""

    counted_as = ngettext_lazy("{n} händelse", "{n} händelser")
    columns = (
        Column(key="nar", heading=_("När"), kind=Kind.SECOND, value="at", row_header=True),
        Column(key="vad", heading=_("Vad"), value="text", css="history"),
    )
    table_id = "historik"
    prefix = "historik_"
    fragment = "historik"
    count_in_heading = True

    def __init__(self, request: HttpRequest, history: Sequence[HistoryRow]) -> None:
        super().__init__(request)
        self.history = history

    def rows(self) -> Source[HistoryRow]:
        """See `List`."""
        return Lines(self.history, paged=True)
