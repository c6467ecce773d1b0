"""URLs of issued invoices, and their entries in the menu."""

from django.urls import path, register_converter
from django.urls.converters import StringConverter
from django.utils.translation import gettext_lazy as _

from billing.invoices.web import series, views
from billing.records.web.page import MenuEntry, register_menu
from issuance.authz import Action


class InvoiceNumber(StringConverter):
    """An invoice's number: the year and the number in that year's series."""

    regex = "[0-9]{4}-[0-9]{6,10}"


class LinePosition(StringConverter):
    """The position of a line on its invoice, from 1."""

    regex = "[1-9][0-9]{0,5}"

    def to_python(self, value: str) -> int:  # type: ignore[override]
        """Returns the position as a number."""
        return int(value)

    def to_url(self, value: int | str) -> str:
        """Returns the position as text."""
        return str(value)


register_converter(InvoiceNumber, "invoice_number")
register_converter(LinePosition, "line_position")

urlpatterns = [
    path("fakturor/", views.invoice_list, name="invoices"),
    path("fakturor/nummerserie/", series.invoice_series, name="invoice_series"),
    path("fakturor/<invoice_number:number>/", views.invoice, name="invoice"),
    path("fakturor/<invoice_number:number>/faktura.pdf", views.invoice_pdf, name="invoice_pdf"),
    path("fakturor/<invoice_number:number>/faktura.xml", views.invoice_xml, name="invoice_xml"),
    path("fakturor/<invoice_number:number>/rad/<line_position:position>/", views.invoice_line, name="invoice_line"),
    path(
        "fakturor/<invoice_number:number>/rad/<line_position:position>/handelser.csv",
        views.invoice_line_csv,
        name="invoice_line_csv",
    ),
]

register_menu(MenuEntry(10, "invoices", _("Utfärdade fakturor")))
register_menu(MenuEntry(90, "invoice_series", _("Nummerserie"), Action.CORRECT_INVOICE_SERIES))
