"""The pages of an import of billing: the form for a file with its template, the preview of its rows, and the result."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from authn.web import require_recent_login
from billing.records.web.page import AT_ONCE, actor_of, page
from siths_portal.lib.files import workbooks
from siths_portal.lib.files.downloads import attachment
from siths_portal.lib.files.uploads import takes_files
from siths_portal.lib.http.answer_times import in_step
from siths_portal.lib.imports import pages
from siths_portal.lib.imports.columns import template_csv, template_workbook
from siths_portal.lib.imports.importer import Importer
from siths_portal.lib.imports.models import KeptImport
from siths_portal.lib.pages.error_pages import with_retry_after

_CSV_TYPE = "text/csv; charset=utf-8"


@dataclass(frozen=True)
class ImportPages:
    """What the pages of one import say, and where they are. `url_name` begins the names of its URLs, `here` is its menu entry."""

    importer: Importer[Any, Any, Any, Any]
    url_name: str
    here: str
    heading: Any
    lead: Any
    above: Any

    def urlpatterns(self, address: str) -> list[URLPattern]:
        """Returns the URLs of the import, which begin with `address`."""
        reads = require_http_methods(["GET", "HEAD", "POST"])
        return [
            path(address, takes_files(reads(self.start)), name=self.url_name),
            path(f"{address}mall.xlsx", require_safe(self.template_xlsx), name=f"{self.url_name}_xlsx"),
            path(f"{address}mall.csv", require_safe(self.template_csv), name=f"{self.url_name}_csv"),
            path(f"{address}<uuid:import_id>/", reads(self.preview), name=f"{self.url_name}_preview"),
        ]

    def start(self, request: HttpRequest) -> HttpResponse:
        """Reads a file and redirects to its preview. A GET shows the form and the columns. Raises Forbidden."""
        form, status, kept = pages.upload(request, self.importer, actor_of(request))
        if kept is not None:
            return in_step(redirect(f"{self.url_name}_preview", kept.pk))
        context = {"form": form, "lead": self.lead, "tables": list(self.importer.tables.items())}
        answer = self._page(request, "billing/import_start.html", context, status=status)
        return with_retry_after(answer, form.retry_after)

    def preview(self, request: HttpRequest, import_id: UUID) -> HttpResponse:
        """Shows what becomes of each row. POST carries the file out, after a new log-in (step-up), or deletes it.

        Raises NotFound, Forbidden.
        """
        actor = actor_of(request)
        kept: KeptImport = self.importer.own(actor=actor, import_id=import_id)
        if kept.done_at is not None:
            return self._page(request, "billing/import_result.html", {"kept": kept})
        if request.method == "POST" and "avbryt" in request.POST:
            self.importer.give_up(actor=actor, import_id=import_id)
            messages.success(request, _("Filen är borttagen. Inget har lästs in."))
            return redirect(self.url_name)
        refusal, status = "", 200
        if request.method == "POST":
            if step_up := require_recent_login(request, AT_ONCE):
                return step_up
            refused = pages.carry_out(request, self.importer, actor, import_id, confirmed=False)
            if refused is None:
                messages.success(request, _("Filen är inläst."))
                return redirect(f"{self.url_name}_preview", import_id)
            refusal, status = refused.message, refused.http_status
        plan = self.importer.planned(actor=actor, row=kept)
        shown = pages.preview(request, plan)
        context = {**shown.context, "refusal": refusal, "ends": kept.expires_at}
        return self._page(request, "billing/import_preview.html", context, status=status)

    def template_xlsx(self, request: HttpRequest) -> HttpResponse:
        """Returns the workbook to fill in. Raises Forbidden."""
        self.importer.require(actor_of(request))
        return attachment(template_workbook(self.importer.tables), media_type=workbooks.XLSX_TYPE, filename=self._file("xlsx"))

    def template_csv(self, request: HttpRequest) -> HttpResponse:
        """Returns the CSV file to fill in. Raises Forbidden."""
        self.importer.require(actor_of(request))
        table = next(iter(self.importer.tables.values()))
        return attachment(template_csv(table), media_type=_CSV_TYPE, filename=self._file("csv"))

    def _file(self, ending: str) -> str:
        return f"mall {next(iter(self.importer.tables))}.{ending}"

    def _page(self, request: HttpRequest, template: str, context: dict[str, Any], *, status: int = 200) -> HttpResponse:
        addresses = {
            "start_url": reverse(self.url_name),
            "xlsx_url": reverse(f"{self.url_name}_xlsx"),
            "csv_url": reverse(f"{self.url_name}_csv"),
            "above_url": reverse(self.here),
        }
        words = {"heading": self.heading, "above": self.above}
        return page(request, template, {**addresses, **words, **context}, here=self.here, status=status)
