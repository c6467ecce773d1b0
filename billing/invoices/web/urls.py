"""URLs of issued invoices, and their entries in the menu."""

from django.urls import path
from django.utils.translation import gettext_lazy as _

from billing.invoices.web import series, views
from billing.records.web import converters  # noqa: F401  (registers the converters)
from billing.records.web.page import MenuEntry, register_menu
from issuance.authz import Action

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
