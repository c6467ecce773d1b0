"""The list of customers, and a customer's history."""

from collections import Counter
from collections.abc import Sequence

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy

from billing.customers.queries import customers
from billing.customers.queries.customers import CustomerRow, HistoryRow, Standing
from billing.customers.web.forms import CustomersForm
from issuance.authz import Actor
from siths_portal.lib.lists import Column, Empty, Kind, Lines, List, Source, Tag

_TAGS = {
    Standing.ACTIVE: "active",
    Standing.PENDING: "due",
    Standing.MISSING: "missing",
    Standing.UNREFERENCED: "missing",
    Standing.REQUESTED: "due",
    Standing.ENDED: "cancelled",
}


def _url(row: CustomerRow) -> str:
    return reverse("customer", args=[row.id])


class CustomerList(List[CustomerRow]):
    """All customers, filtered by customer and status."""

    counted_as = ngettext_lazy("{n} kund", "{n} kunder")
    columns = (
        Column(
            key="kund", heading=_("Kund"), value="name", sort="name", css="name", link=_url,
            below=lambda row: [row.organisation_number],
        ),
        Column(key="nummer", heading=_("Organisationsnummer"), value="organisation_number", on_page=False),
        Column(key="referens", heading=_("Fakturareferens"), value="reference"),
        Column(key="adress", heading=_("Elektronisk adress"), value="endpoint", on_page=False),
        Column(key="kontakt", heading=_("Kontaktperson"), value="contact", sort="contact"),
        Column(key="andrad", heading=_("Ändrad"), kind=Kind.MOMENT, value="changed_at", sort="changed_at", extra=True),
        Column(key="bekraftad", heading=_("Bekräftad av kunden"), kind=Kind.MOMENT, value="confirmed_at", sort="confirmed_at"),
        Column(
            key="status",
            heading=_("Status"),
            kind=Kind.TAG,
            sort="standing_text",
            value=lambda row: Tag(_TAGS[row.standing], row.standing_text),
        ),
    )  # fmt: skip
    caption = _("Kunder")
    caption_hidden = True
    table_id = "kunder"
    order = "kund"
    files = ("csv", "xlsx")
    file_name = _("kunder")
    empty = Empty(_("Inga kunder än"), _("Kunder är de organisationer som är utgivare i ett utgivningsområde."))
    no_match = Empty(_("Inga träffar"), _("Välj en annan kund eller status."))

    def __init__(self, request: HttpRequest, actor: Actor) -> None:
        """Raises Forbidden."""
        super().__init__(request)
        self.everybody = customers.rows(actor)
        named = tuple((row.id, row.name) for row in self.everybody)
        self.filter_form = CustomersForm(request.GET, named, empty_label=_("Alla kunder"))

    def form(self) -> CustomersForm:
        """See `List`."""
        return self.filter_form

    @property
    def counts(self) -> dict[str, int]:
        """The number of customers by the name of their standing, without filters."""
        counted = Counter(row.standing for row in self.everybody)
        return {standing.name.lower(): counted[standing] for standing in Standing}

    def rows(self) -> Source[CustomerRow]:
        """See `List`."""
        party_id, standing = self.filter_form.party_id, self.filter_form.cleaned_data.get("status", "")
        found = [row for row in self.everybody if party_id in (None, row.id) and standing in ("", row.standing)]
        return Lines(found, paged=True)


class HistoryList(List[HistoryRow]):
    """The versions of a customer, the newest first."""

    counted_as = ngettext_lazy("{n} händelse", "{n} händelser")
    columns = (
        Column(key="fran", heading=_("Gäller från"), kind=Kind.SECOND, value="valid_from", row_header=True),
        Column(key="andring", heading=_("Ändring"), value=lambda row: "; ".join(row.changes), css="history"),
        Column(key="status", heading=_("Status"), value="state"),
        Column(key="bekraftad", heading=_("Bekräftad av kunden"), kind=Kind.MOMENT, value="confirmed_at"),
    )
    table_id = "historik"
    count_in_heading = True

    def __init__(self, request: HttpRequest, history: Sequence[HistoryRow]) -> None:
        super().__init__(request)
        self.history = history

    def rows(self) -> Source[HistoryRow]:
        """See `List`."""
        return Lines(self.history, paged=True)
