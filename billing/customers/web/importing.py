"""The pages that read the customers of a file: form, templates, preview and result."""

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods, require_safe

from billing.customers.services.importing import CUSTOMER_IMPORTER
from billing.records.web.imports import ImportPages
from siths_portal.lib.files.uploads import takes_files

PAGES = ImportPages(
    importer=CUSTOMER_IMPORTER,
    url_name="customer_import",
    here="customers",
    heading=_("Läs in kunder från fil"),
    lead=_("Läs in nya och ändrade kunduppgifter. Du ser först vad som blir av varje rad."),
    above=_("Kunder"),
)


@takes_files
@require_http_methods(["GET", "HEAD", "POST"])
def start(request: HttpRequest) -> HttpResponse:
    """Reads a file, or shows the form for one."""
    return PAGES.start(request)


@require_http_methods(["GET", "HEAD", "POST"])
def preview(request: HttpRequest, import_id: UUID) -> HttpResponse:
    """Shows what becomes of each row, and carries the file out."""
    return PAGES.preview(request, import_id)


@require_safe
def template_xlsx(request: HttpRequest) -> HttpResponse:
    """Returns the workbook to fill in."""
    return PAGES.template_xlsx(request)


@require_safe
def template_csv(request: HttpRequest) -> HttpResponse:
    """Returns the CSV file to fill in."""
    return PAGES.template_csv(request)
