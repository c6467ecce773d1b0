"""Importera från fil: the user uploads a file, reviews a preview of each row, and executes it completely or not at all."""

from collections.abc import Mapping
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
from django.views.decorators.http import require_http_methods

from issuance.authz import Actor
from issuance.imports.domain import SETUP_TABLES
from issuance.imports.models import SetupImport
from issuance.imports.services import SETUP_IMPORTER, SetupPlan
from issuance.imports.web.lists import ExportList, MadeList
from issuance.imports.web.stages import figures, stages
from issuance.people.services import disclosures
from issuance.records.web.forms import DESPITE
from issuance.records.web.frame import ADMINISTRATION, Crumb, actor_of, recent_login, render_page
from siths_portal.lib.files.uploads import takes_files
from siths_portal.lib.http.answer_times import in_step
from siths_portal.lib.imports import pages
from siths_portal.lib.imports.planning import RowOutcome
from siths_portal.lib.pages.error_pages import with_retry_after

_LEAD = gettext_lazy(
    "Läs in många organisationer, kontor och rollinnehavare på en gång. Du ser först vad som blir av varje rad. Sedan läses allt "
    "in, eller inget."
)
_OUTCOME_TEXTS = {**pages.OUTCOME_TEXTS, RowOutcome.CHANGE: gettext_lazy("Kopplas")}


@takes_files
@require_http_methods(["GET", "HEAD", "POST"])
def setup_import_start(request: HttpRequest) -> HttpResponse:
    """Reads a file and redirects to its preview. A GET shows templates and exports. Raises Forbidden."""
    actor = actor_of(request)
    form, status, kept = pages.upload(request, SETUP_IMPORTER, actor)
    if kept is not None:
        return in_step(redirect("setup_import_preview", kept.id))
    context = {
        "stages": stages(1),
        "lead": _LEAD,
        "form": form,
        "tables": list(SETUP_TABLES.items()),
        "list": ExportList(request, actor).shown(),
    }
    heading = _("Importera från fil")
    answer = render_page(
        request, ADMINISTRATION, "imports/start.html", context, heading=heading, crumbs=[Crumb(heading)], status=status
    )
    return with_retry_after(answer, form.retry_after)


@require_http_methods(["GET", "HEAD", "POST"])
def setup_import_preview(request: HttpRequest, import_id: UUID) -> HttpResponse:
    """Shows the preview of a file, or its result once it is executed. Raises NotFound, Forbidden."""
    actor = actor_of(request)
    kept = SETUP_IMPORTER.own(actor=actor, import_id=import_id)
    if kept.done_at is not None:
        return _result(request, actor, kept)
    if request.method == "POST" and "avbryt" in request.POST:
        SETUP_IMPORTER.give_up(actor=actor, import_id=import_id)
        messages.success(request, _("Filen är borttagen. Inget har lästs in."))
        return redirect("setup_import")
    plan = SETUP_IMPORTER.planned(actor=actor, row=kept)
    if request.method != "POST":
        return _preview(request, actor, kept, plan)
    if plan.gives_roles and (step_up := recent_login(request)):
        return step_up
    refusal = pages.carry_out(request, SETUP_IMPORTER, actor, import_id, confirmed=DESPITE in request.POST)
    if refusal is not None:
        now = SETUP_IMPORTER.planned(actor=actor, row=kept)
        return _preview(request, actor, kept, now, refusal=refusal.message, status=refusal.http_status)
    messages.success(request, _("Filen är inläst."))
    return redirect("setup_import_preview", import_id)


def _preview(
    request: HttpRequest, actor: Actor, kept: SetupImport, plan: SetupPlan, *, refusal: str = "", status: int = 200
) -> HttpResponse:
    page = pages.preview(request, plan, texts=_OUTCOME_TEXTS, warned=_("Stämmer inte med HSA-katalogen"))
    people = [row.person_id for row in page.shown if row.person_id and row.outcome is RowOutcome.CREATE]
    if people:
        disclosures.record_setup_people(actor=actor, import_id=kept.id, person_ids=people)
    context = {
        **page.context,
        "stages": stages(2, stopped=plan.has_errors or bool(plan.too_long)),
        "refusal": refusal,
        "figures": _figures(plan.counts),
        "ends": kept.expires_at,
    }
    heading = _("Förhandsgranska importen")
    answer = _page(request, "imports/preview.html", context, heading=heading, status=status)
    return in_step(answer) if plan.has_errors else answer


def _page(request: HttpRequest, template: str, context: dict[str, Any], *, heading: str, status: int = 200) -> HttpResponse:
    crumbs = [Crumb(_("Importera från fil"), reverse("setup_import")), Crumb(heading)]
    return render_page(request, ADMINISTRATION, template, context, heading=heading, crumbs=crumbs, status=status)


def _figures(counts: Mapping[str, int]) -> list[dict[str, object]]:
    """Returns the counts that are not zero, for `components/figures.html`."""
    words = {
        "organisations": _("Nya organisationer"),
        "offices": _("Nya kontor"),
        "connections": _("Kopplingar mellan kontor och organisationer"),
        "roles": _("Nya behörighetsroller"),
        "same": _("Finns redan"),
        "wrong": _("Rader med fel"),
    }
    return figures(counts, words)


def _result(request: HttpRequest, actor: Actor, kept: SetupImport) -> HttpResponse:
    """Shows what was created, as far as the actor still sees it, in pages."""
    made = kept.made
    context = {
        "stages": stages(4),
        "lead": _("Allt i filen lästes in {day}.").format(day=date_format(localtime(kept.done_at), "Y-m-d H:i")),
        "figures": _figures(made | {"organisations": len(made["organisations"]), "offices": len(made["offices"])}),
        "gave_roles": bool(made["roles"]),
        "list": MadeList(request, actor, made).shown(),
    }
    return _page(request, "imports/result.html", context, heading=_("Resultat av importen"))
