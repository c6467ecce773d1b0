"""URLs of the month's run and of the running month, their entries in the menu, and the lines of invoicing on Dagen."""

from django.urls import path, register_converter
from django.urls.converters import StringConverter
from django.utils.translation import gettext_lazy as _

from billing.customers.queries.readiness import OBSTACLES
from billing.records.domain.periods import Month
from billing.records.web.page import MenuEntry, register_menu
from billing.runs.queries import day
from billing.runs.services.readiness import obstacles_of
from billing.runs.web import month, running
from issuance.authz import Action
from siths_portal.lib.pages.day import SOURCES, Source


class InvoiceMonth(StringConverter):
    """A month, as YYYY-MM."""

    regex = "[0-9]{4}-[0-9]{2}"

    def to_python(self, value: str) -> Month:  # type: ignore[override]
        """Returns the month. Raises ValueError, for Django a URL that does not exist."""
        return Month.parse(value)

    def to_url(self, value: Month | str) -> str:
        """Returns the month as text."""
        return value.code() if isinstance(value, Month) else value


register_converter(InvoiceMonth, "invoice_month")

_RUNS = "fakturor/manadskorning/"

urlpatterns = [
    path("fakturor/lopande/", running.running_month, name="invoices_running"),
    path("fakturor/lopande/<uuid:party_id>/<uuid:organisation_id>/", running.running_counted, name="invoices_running_counted"),
    path(_RUNS, month.invoice_runs, name="invoice_runs"),
    path(f"{_RUNS}<invoice_month:month>/", month.invoice_run, name="invoice_run"),
    path(f"{_RUNS}<invoice_month:month>/fakturor.si", month.invoice_run_file, {"file_format": "sie"}, name="invoice_run_sie"),
    path(f"{_RUNS}<invoice_month:month>/fakturor.csv", month.invoice_run_file, {"file_format": "csv"}, name="invoice_run_csv"),
    path(f"{_RUNS}<invoice_month:month>/kunder/", month.invoice_run_customers, name="invoice_run_customers"),
    path(f"{_RUNS}<invoice_month:month>/<uuid:party_id>/", month.invoice_draft, name="invoice_draft"),
    path(
        f"{_RUNS}<invoice_month:month>/<uuid:party_id>/<uuid:organisation_id>/",
        month.invoice_draft_counted,
        name="invoice_draft_counted",
    ),
]

register_menu(MenuEntry(5, "invoice_runs", _("Månadskörning"), Action.MANAGE_BILLING))
register_menu(MenuEntry(20, "invoices_running", _("Löpande månad")))
SOURCES.register(Source("billing", 30, day.lines))
OBSTACLES.register(obstacles_of)
