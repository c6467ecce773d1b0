"""The lists of runs, and of the customers of a run."""

from collections.abc import Sequence

from django import forms
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy

from billing.records.domain.periods import Month
from billing.records.web.columns import amount_column
from billing.records.web.forms import UNKNOWN
from billing.runs.models import ItemState, RunState
from billing.runs.queries.month import CustomerRow, RunRow
from siths_portal.lib.lists import Column, Empty, Key, Kind, Lines, List, Source, Tag
from siths_portal.lib.pages.forms import Form

_RUN_TAGS = {RunState.OPEN: "info", RunState.REVIEW: "new", RunState.RELEASED: "new", RunState.APPROVED: "info"}
_ITEM_TAGS = {ItemState.BLOCKED: "missing", ItemState.PENDING: "info", ItemState.ISSUED: "active"}


def _why(row: CustomerRow) -> str:
    return " ".join(reason.with_id for reason in row.reasons) or row.change_words


class RunList(List[RunRow]):
    """The months that were opened, the newest first."""

    counted_as = ngettext_lazy("{n} månad", "{n} månader")
    columns = (
        Column(
            key="manad",
            heading=_("Månad"),
            value=lambda row: str(row.month).capitalize(),
            link=lambda row: reverse("invoice_run", args=[row.month]),
        ),
        Column(
            key="status",
            heading=_("Status"),
            kind=Kind.TAG,
            value=lambda row: Tag(_RUN_TAGS.get(row.state, "active"), row.state.label),
        ),
        Column(key="kunder", heading=_("Kunder"), kind=Kind.AMOUNT, value="customers"),
        Column(key="fakturor", heading=_("Fakturor"), kind=Kind.AMOUNT, value="invoices"),
        Column(key="stoppade", heading=_("Stoppade"), kind=Kind.AMOUNT, value="blocked"),
        amount_column("exkl", _("Exkl. moms, kr"), "net"),
    )
    caption = _("Månadskörningar, den senaste först. Belopp i svenska kronor.")
    caption_hidden = True
    table_id = "korningar"
    css = "amounts"
    empty = Empty(
        _("Ingen månad är öppnad än"),
        _("Månaden öppnas av sig själv den andra i nästa månad kl. 06:00, när det finns en kund att fakturera."),
    )

    def __init__(self, request: HttpRequest, found: Sequence[RunRow]) -> None:
        super().__init__(request)
        self.found = found

    def rows(self) -> Source[RunRow]:
        """See `List`."""
        return Lines(self.found, paged=True)


class ShownForm(Form):
    """Which customers of a run to show."""

    visa = forms.ChoiceField(
        label=_("Visa"),
        required=False,
        choices=[("", _("Alla kunder")), ("stoppade", _("Stoppade kunder")), ("avviker", _("Kunder som avviker"))],
        error_messages=UNKNOWN,
    )


class RunCustomerList(List[CustomerRow]):
    """The customers of a run with the sum of the month and of the month before: the basis that is reviewed."""

    counted_as = ngettext_lazy("{n} kund", "{n} kunder")
    table_id = "kunder"
    css = "amounts"
    order = "kund"
    caption = _("Kunder i månaden. Belopp i svenska kronor exklusive moms.")
    caption_hidden = True
    filter_button = _("Visa kunderna")
    files = ("csv", "xlsx")
    columns: tuple[Column[CustomerRow], ...] = ()

    def __init__(self, request: HttpRequest, month: Month, found: Sequence[CustomerRow]) -> None:
        super().__init__(request)
        self.found = found
        self.filter_form = ShownForm(request.GET)
        self.columns = _customer_columns(month)
        self.file_name = _now("underlag {month}").format(month=month.code())
        self.no_match = Empty(_now("Inga sådana kunder"), _now("Ingen kund i månaden är stoppad eller avviker på det sättet."))
        self.empty = Empty(_now("Inga kunder"), _now("Ingen kund har något att fakturera för månaden."))

    def form(self) -> ShownForm:
        """See `List`."""
        return self.filter_form

    def rows(self) -> Source[CustomerRow]:
        """See `List`."""
        chosen = self.filter_form.cleaned_data.get("visa") if self.filter_form.is_valid() else ""
        keep = {"stoppade": lambda row: row.state == ItemState.BLOCKED, "avviker": lambda row: row.is_outlier}.get(chosen or "")
        return Lines([row for row in self.found if keep is None or keep(row)], paged=True)


def _customer_columns(month: Month) -> tuple[Column[CustomerRow], ...]:
    return (
        Column(
            key="kund",
            heading=_("Kund"),
            value="name",
            css="name",
            sort=Key("name", nullable=False),
            link=lambda row: reverse("invoice_draft", args=[month, row.party_id]),
            below=lambda row: [reason.text for reason in row.reasons] or ([row.change_words] if row.change_words else []),
        ),
        Column(
            key="status",
            heading=_("Status"),
            kind=Kind.TAG,
            value=lambda row: Tag(_ITEM_TAGS.get(row.state, "new"), row.state.label),
            file_value=lambda row: row.state.label,
        ),
        amount_column("exkl", _now("{month}, kr").format(month=month).capitalize(), "net", sort="net"),
        amount_column("fore", _now("{month}, kr").format(month=month.previous()).capitalize(), "before", sort="before"),
        amount_column("skillnad", _("Skillnad, kr"), "change", sort="change"),
        Column(
            key="avviker",
            heading=_("Avviker"),
            kind=Kind.TAG,
            value=lambda row: Tag("missing", _now("Avviker")) if row.is_outlier else None,
            file_value=lambda row: _now("Ja") if row.is_outlier else "",
            hide_empty=True,
        ),
        Column(key="varfor", heading=_("Varför"), value=_why, on_page=False),
        Column(key="nummer", heading=_("Fakturanummer"), value=lambda row: row.number or "", on_page=False),
    )
