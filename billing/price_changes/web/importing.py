"""The pages that read the prices of a file: form, templates, preview and result."""

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods, require_safe

from billing.price_changes.services.importing import PRICE_IMPORTER
from billing.records.web.imports import ImportPages
from siths_portal.lib.files.uploads import takes_files

PAGES = ImportPages(
    importer=PRICE_IMPORTER,
    url_name="price_import",
    here="prices",
    heading=_("Läs in priser från fil"),
    lead=_("Varje rad blir en begäran som en kollega godkänner. Du ser först vad som blir av varje rad."),
    above=_("Priser"),
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
