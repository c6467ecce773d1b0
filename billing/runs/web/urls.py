"""URLs of the running month, its entry in the menu, and the lines of invoicing on Dagen."""

from django.urls import path
from django.utils.translation import gettext_lazy as _

from billing.customers.queries.readiness import OBSTACLES
from billing.records.web.page import MenuEntry, register_menu
from billing.runs.queries import day
from billing.runs.services.readiness import obstacles_of
from billing.runs.web import running
from siths_portal.lib.pages.day import SOURCES, Source

urlpatterns = [path("fakturor/lopande/", running.running_month, name="invoices_running")]

register_menu(MenuEntry(20, "invoices_running", _("Löpande månad")))
SOURCES.register(Source("billing", 30, day.lines))
OBSTACLES.register(obstacles_of)
