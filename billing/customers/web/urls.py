"""URLs of customers, their entries in the menu, and their lines on Dagen."""

from django.urls import path
from django.utils.translation import gettext_lazy as _

from billing.customers.queries import day
from billing.customers.web import confirming, importing, views
from billing.records.web.page import MenuEntry, register_menu
from issuance.authz import Action
from siths_portal.lib.pages.day import SOURCES, Source

urlpatterns = [
    path("fakturor/kunder/", views.customer_list, name="customers"),
    *importing.PAGES.urlpatterns("fakturor/kunder/fil/"),
    path("fakturor/kunder/<uuid:party_id>/", views.customer, name="customer"),
    path("fakturor/kunder/<uuid:party_id>/uppgifter/", views.customer_edit, name="customer_edit"),
    path("fakturor/kunder/<uuid:party_id>/avsluta/", views.customer_end, name="customer_end"),
    path("fakturor/kunduppgifter/", confirming.customer_own, name="customer_own"),
]

register_menu(MenuEntry(30, "customers", _("Kunder"), Action.MANAGE_BILLING))
register_menu(MenuEntry(35, "customer_own", _("Kunduppgifter"), Action.CONFIRM_CUSTOMER))
SOURCES.register(Source("billing.customers", 31, day.lines))
