"""URLs of crediting, its entry in the menu, and its lines on Dagen."""

from django.urls import path
from django.utils.translation import gettext_lazy as _

from billing.credit.queries import day
from billing.credit.web import views
from billing.invoices.queries.history import TEXTS, EventText
from billing.records.web import converters  # noqa: F401  (registers the converters)
from billing.records.web.page import MenuEntry, register_menu
from issuance.authz import Action
from siths_portal.lib.pages.day import SOURCES, Source

urlpatterns = [
    path("fakturor/krediteringar/", views.credit_requests, name="credit_requests"),
    path("fakturor/krediteringar/<uuid:request_id>/", views.credit_request, name="credit_request"),
    path("fakturor/<invoice_number:number>/kreditera/", views.credit_lines, name="credit_lines"),
]

register_menu(MenuEntry(45, "credit_requests", _("Krediteringar"), Action.MANAGE_BILLING))
SOURCES.register(Source("billing_credit", 32, day.lines))
TEXTS.register(
    EventText("invoice.credited", lambda facts: _("Krediterades av {number}").format(number=facts["credit_note"])),
)
