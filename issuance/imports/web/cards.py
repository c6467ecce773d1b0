"""Läs in äldre kort: the user uploads a file of cards from an earlier portal, reviews each row, and imports all or nothing."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_safe

from issuance.imports.domain import CARDS, CARRIER_TABLES
from issuance.imports.models import CarrierImport
from issuance.imports.services import CARRIER_IMPORTER, CarrierPlan
from issuance.imports.web.exporting import CSV_TYPE
from issuance.imports.web.stages import figures, stages
from issuance.records.web.forms import DESPITE
from issuance.records.web.frame import ADMINISTRATION, Crumb, actor_of, recent_login, render_page
from siths_portal.lib.files import workbooks
from siths_portal.lib.files.downloads import attachment
from siths_portal.lib.files.uploads import takes_files
from siths_portal.lib.http.answer_times import in_step
from siths_portal.lib.imports import pages
from siths_portal.lib.imports.columns import template_csv, template_workbook
from siths_portal.lib.imports.planning import RowOutcome
from siths_portal.lib.pages.error_pages import with_retry_after

_HEADING = gettext_lazy("Läs in äldre kort")
_LEAD = gettext_lazy(
    "Läs in kort som gavs ut före portalen, så att de syns på innehavarens sida och kan spärras. Du ser först vad som blir av "
    "varje rad. Sedan läses allt in, eller inget."
)
_OUTCOME_TEXTS = {**pages.OUTCOME_TEXTS, RowOutcome.CHANGE: gettext_lazy("Får certifikat")}


@takes_files
@require_http_methods(["GET", "HEAD", "POST"])
def carrier_import_start(request: HttpRequest) -> HttpResponse:
    """Reads a file and redirects to its preview. A GET shows the templates and the columns. Raises Forbidden."""
    form, status, kept = pages.upload(request, CARRIER_IMPORTER, actor_of(request))
    if kept is not None:
        return in_step(redirect("carrier_import_preview", kept.id))
    context = {"stages": stages(1), "lead": _LEAD, "form": form, "tables": list(CARRIER_TABLES.items())}
    answer = _page(request, "imports/cards_start.html", context, status=status)
    return with_retry_after(answer, form.retry_after)


@require_safe
def carrier_template_xlsx(request: HttpRequest) -> HttpResponse:
    """Returns the template workbook, with a help sheet. Raises Forbidden."""
    CARRIER_IMPORTER.require(actor_of(request))
    content = template_workbook(CARRIER_TABLES)
    return attachment(content, media_type=workbooks.XLSX_TYPE, filename="mall för äldre kort.xlsx")


@require_safe
def carrier_template_csv(request: HttpRequest) -> HttpResponse:
    """Returns the template as CSV. Its second line is help and is ignored when imported. Raises Forbidden."""
    CARRIER_IMPORTER.require(actor_of(request))
    content = template_csv(CARRIER_TABLES[CARDS])
    return attachment(content, media_type=CSV_TYPE, filename="mall för äldre kort.csv")


@require_http_methods(["GET", "HEAD", "POST"])
def carrier_import_preview(request: HttpRequest, import_id: UUID) -> HttpResponse:
    """Shows the preview of a file, or its result once it is carried out, which requires a recent log-in. Raises NotFound,
    Forbidden.
    """
    actor = actor_of(request)
    kept = CARRIER_IMPORTER.own(actor=actor, import_id=import_id)
    if kept.done_at is not None:
        return _result(request, kept)
    if request.method == "POST" and "avbryt" in request.POST:
        CARRIER_IMPORTER.give_up(actor=actor, import_id=import_id)
        messages.success(request, _("Filen är borttagen. Inget har lästs in."))
        return redirect("carrier_import")
    if request.method != "POST":
        return _preview(request, kept, CARRIER_IMPORTER.planned(actor=actor, row=kept))
    if step_up := recent_login(request):
        return step_up
    refusal = pages.carry_out(request, CARRIER_IMPORTER, actor, import_id, confirmed=DESPITE in request.POST)
    if refusal is not None:
        now = CARRIER_IMPORTER.planned(actor=actor, row=kept)
        return _preview(request, kept, now, refusal=refusal.message, status=refusal.http_status)
    messages.success(request, _("Filen är inläst."))
    return redirect("carrier_import_preview", import_id)


def _preview(
    request: HttpRequest, kept: CarrierImport, plan: CarrierPlan, *, refusal: str = "", status: int = 200
) -> HttpResponse:
    """Returns the page of the preview. It names only persons who are in the file."""
    context = {
        **pages.preview(request, plan, texts=_OUTCOME_TEXTS, warned=_("Utan certifikat")).context,
        "stages": stages(2, stopped=plan.has_errors or bool(plan.too_long)),
        "refusal": refusal,
        "figures": _figures(dict(plan.counts)),
        "ends": kept.expires_at,
        "despite": DESPITE,
    }
    answer = _page(request, "imports/cards_preview.html", context, step=_("Förhandsgranska äldre kort"), status=status)
    return in_step(answer) if plan.has_errors else answer


def _result(request: HttpRequest, kept: CarrierImport) -> HttpResponse:
    context = {
        "stages": stages(4),
        "lead": _("Allt i filen lästes in {day}.").format(day=date_format(localtime(kept.done_at), "Y-m-d H:i")),
        "figures": _figures(kept.made),
    }
    return _page(request, "imports/cards_result.html", context, step=_("Resultat av inläsningen"))


def _page(request: HttpRequest, template: str, context: dict[str, Any], *, step: str = "", status: int = 200) -> HttpResponse:
    crumbs = [Crumb(str(_HEADING), reverse("carrier_import")), Crumb(step)] if step else [Crumb(str(_HEADING))]
    return render_page(request, ADMINISTRATION, template, context, heading=step or str(_HEADING), crumbs=crumbs, status=status)


def _figures(counts: dict[str, int]) -> list[dict[str, object]]:
    words = {
        "carriers": _("Kort"),
        "eids": _("SITHS eID"),
        "certificates": _("Certifikat som kopplas"),
        "completed": _("Kort som får certifikat"),
        "uncertified": _("Rader utan certifikat"),
        "same": _("Finns redan"),
        "wrong": _("Rader med fel"),
    }
    return figures(counts, words)
