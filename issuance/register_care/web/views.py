"""Registervård: the overview of the kinds of work, and the list of each kind."""

from dataclasses import replace
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_safe

from issuance.authz import policy
from issuance.records.domain import wording
from issuance.records.web.frame import REGISTER_CARE, Crumb, actor_of, render_page
from issuance.register_care.domain import kinds
from issuance.register_care.domain.kinds import WorkKind
from issuance.register_care.models import CareRun
from issuance.register_care.queries import work
from issuance.register_care.queries.work import KindFigures, View, WorkFigures
from issuance.register_care.web.decisions import decide
from issuance.register_care.web.forms import ROW, DecisionForm
from issuance.register_care.web.lists import VIEW, WorkItemList
from issuance.register_care.web.parts import shares_of
from siths_portal.lib.ids import ids_of
from siths_portal.lib.lists import Shown
from siths_portal.lib.lists import View as SavedView
from siths_portal.lib.pages.error_pages import with_retry_after

_VIEWS = {
    View.ALL: lazy("Alla"),
    View.WEEK: lazy("Den här veckan"),
    View.UNREMINDED: lazy("Inte påminda"),
    View.OFFICE: lazy("Mitt kontor"),
    View.MINE: lazy("Mitt ansvar"),
    View.POSTPONED: lazy("Uppskjutna"),
    View.DONE: lazy("Avslutade"),
}


@require_safe
@REGISTER_CARE.requires()
def register_care(request: HttpRequest) -> HttpResponse:
    """Shows the kinds of work with their numbers. Raises Forbidden."""
    found = work.overview(actor=actor_of(request))
    lead = _lead(sum(each.total for each in found), sum(each.week for each in found))
    context = {"rows": [_row(each) for each in found if each.total], "lead": lead, "run": _run_text(work.last_run())}
    return render_page(request, REGISTER_CARE, "register_care/overview.html", context, heading=_("Registervård"))


def _row(each: KindFigures) -> dict[str, object]:
    return {
        "title": _(each.kind.name),
        "url": reverse("register_care_list", args=[each.kind.slug]),
        "text": _(each.kind.lead),
        "number": each.total,
        "color": "urgent" if each.late else "",
        "tag": ngettext("{n} den här veckan", "{n} den här veckan", each.week).format(n=each.week) if each.week else "",
        "tag_kind": "due",
        "action": _("Visa listan"),
    }


def _lead(total: int, week: int) -> str:
    if not total:
        return _("Inget att göra. Katalogen, personregistret och korten stämmer överens.")
    waiting = ngettext("{n} sak väntar.", "{n} saker väntar.", total).format(n=total)
    soon = ngettext("{n} ska vara klar inom 7 dagar.", "{n} ska vara klara inom 7 dagar.", week).format(n=week)
    return f"{waiting} {soon}" if week else waiting


def _run_text(run: CareRun | None) -> str:
    if run is None:
        return _("Avstämningen med HSA-katalogen och personregistret är inte gjord än. Den görs i natt.")
    if run.ended_at is None:
        return _("Avstämningen pågår: {read} av {persons} personer är lästa.").format(read=run.read, persons=run.persons)
    day = wording.day(run.ended_at)
    if not run.register_whole:
        return _("Avstämd {day} utan personregistret, som inte svarade.").format(day=day)
    return _("Avstämd med HSA-katalogen och personregistret {day}.").format(day=day)


@require_http_methods(["GET", "HEAD", "POST"])
@REGISTER_CARE.requires()
def register_care_list(request: HttpRequest, slug: str) -> HttpResponseBase:
    """Lists the rows of a kind; a post acts on the ticked ones, all or none. Raises Forbidden, NotFound."""
    kind = kinds.of_slug(slug)
    if kind is None:
        raise policy.not_found()
    view = _view(request, kind)
    form, status = DecisionForm(kind=kind, view=view), 200
    found = WorkItemList(request, kind, view)
    if request.method == "POST":
        form = DecisionForm(request.POST, kind=kind, view=view)
        told, status = decide(actor_of(request), form, ids_of(request.POST.getlist(ROW)))
        if told:
            messages.success(request, told)
            return redirect(found.view_url(view))
    found.choice_error = "id_rows_error" if "rows" in form.errors else ""
    return found.answer(lambda shown: with_retry_after(_page(found, form, shown, status), form.retry_after))


def _view(request: HttpRequest, kind: WorkKind) -> View:
    given = request.GET.get(VIEW, "")
    return View(given) if given in {view.value for view in work.views_of(kind)} else View.ALL


def _page(found: WorkItemList, form: DecisionForm, shown: Shown[Any], status: int) -> HttpResponse:
    kind, view = found.kind, found.view
    if form.errors and not shown.lines:
        form.refuse(_("Listan har inga rader att besluta om."))
    figures = work.figures(actor=found.actor, kind=kind, office_id=found.office_id)
    shares = shares_of(figures) if view is View.ALL else ()
    context = {
        "list": replace(shown, views=_views(found, figures), shares=shares),
        "form": shown.form if shown.form and shown.form.errors else form,
        "lead": _(kind.lead),
    }
    return render_page(
        found.request,
        REGISTER_CARE,
        "register_care/list.html",
        context,
        heading=_(kind.heading),
        crumbs=[Crumb(_(kind.name))],
        status=status if shown.status == 200 else shown.status,
    )


def _views(found: WorkItemList, figures: WorkFigures) -> list[SavedView]:
    return [
        SavedView(
            text=_VIEWS[each],
            url=found.view_url(each),
            here=each is found.view,
            count=str(count),
            urgent=each is View.WEEK and count > 0,
        )
        for each, count in figures.views.items()
    ]
