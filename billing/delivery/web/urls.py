"""URLs of deliveries, their entry in the menu, their line of Dagen, and what invoices' pages follow of them."""

from django.urls import path
from django.utils.translation import gettext_lazy as _

from billing.delivery.queries import day
from billing.delivery.queries.history import EVENT_TEXTS
from billing.delivery.queries.progress import DELIVERIES
from billing.delivery.web import deliveries
from billing.invoices.queries.history import TEXTS
from billing.invoices.queries.progress import WAYS
from billing.records.web import converters  # noqa: F401  (registers the converters)
from billing.records.web.page import MenuEntry, register_menu
from issuance.authz import Action
from siths_portal.lib.pages.day import SOURCES, Source

urlpatterns = [
    path("fakturor/leveranser/", deliveries.delivery_list, name="invoice_deliveries"),
    path("fakturor/leveranser/<invoice_number:number>/", deliveries.delivery, name="invoice_delivery"),
]

register_menu(MenuEntry(40, "invoice_deliveries", _("Leveranser"), Action.MANAGE_BILLING))
SOURCES.register(Source("billing_delivery", 31, day.lines))
TEXTS.register(*EVENT_TEXTS)
WAYS.register(DELIVERIES)
