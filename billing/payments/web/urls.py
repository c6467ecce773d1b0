"""URLs of payments, their entry in the menu, their line on Dagen, and what invoices' pages show of them."""

from django.urls import path
from django.utils.translation import gettext_lazy as _

from billing.invoices.queries.history import OTHERS, TEXTS
from billing.invoices.queries.settlement import SETTLEMENTS
from billing.payments.queries import balances, day, history
from billing.payments.web import disputes, files, overdue, panels, views
from billing.records.web import converters  # noqa: F401  (registers the converters)
from billing.records.web.page import MenuEntry, register_menu
from billing.records.web.panels import INVOICE_PANELS, InvoicePanel
from issuance.authz import Action
from siths_portal.lib.pages.day import SOURCES, Source

urlpatterns = [
    path("fakturor/betalningar/", views.payments, name="payments"),
    path("fakturor/betalningar/fil/", files.payment_file, name="payment_file"),
    path("fakturor/betalningar/fil/<uuid:file_id>/", files.payment_file_preview, name="payment_file_preview"),
    path("fakturor/forfallna/", overdue.invoices_overdue, name="invoices_overdue"),
    path("fakturor/<invoice_number:number>/tvist/", disputes.invoice_dispute, name="invoice_dispute"),
    path("fakturor/betalningar/<uuid:payment_id>/", views.payment, name="payment"),
]

register_menu(MenuEntry(42, "payments", _("Betalningar"), Action.MANAGE_BILLING))
register_menu(MenuEntry(43, "invoices_overdue", _("Förfallna"), Action.MANAGE_BILLING))
SOURCES.register(Source("billing_payments", 33, day.lines))
SETTLEMENTS.register(balances)
INVOICE_PANELS.register(InvoicePanel(10, "billing/payments/panel.html", panels.settlement))
TEXTS.register(*history.EVENT_TEXTS)
OTHERS.register(history.payments_of)
