"""The pages of runs: the list of months, one month with the next step of the person, its customers, and the draft of one."""

import datetime as dt
from functools import partial
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_safe
from django_htmx.http import HttpResponseClientRefresh

from authn.web import made_by_the_page, require_recent_login
from billing.documents.web.counted import CountedList, link_to_counted
from billing.documents.web.figures import figures as invoice_figures
from billing.documents.web.lines import LineList, line_groups
from billing.invoices.services import downloads
from billing.records.domain.periods import Month
from billing.records.web.page import actor_of, page
from billing.runs.models import ItemState
from billing.runs.queries import month as queries
from billing.runs.services import approvals, requests
from billing.runs.web import month_parts as parts
from billing.runs.web.lists import RunCustomerList, RunList
from billing.runs.web.repair import customer_url, repair
from issuance.authz import Action, policy
from siths_portal.lib.errors import Conflict, DomainError
from siths_portal.lib.files.downloads import attachment

_AT_ONCE = dt.timedelta(0)
_HERE = "invoice_runs"
_POST = ["GET", "HEAD", "POST"]


@require_http_methods(_POST)
def invoice_runs(request: HttpRequest) -> HttpResponseBase:
    """Lists the months that were opened. POST opens the last month before the scheduled job does."""
    actor = actor_of(request)
    found = queries.runs_of(actor)
    month = queries.openable(actor, [row.month for row in found])
    if request.method == "POST" and month:
        requests.open_month(actor=actor, month=month)
        return redirect("invoice_run", month)
    context = {"openable": month, "due": queries.due_at(month) if month else None, "newest": found[0] if found else None}
    draw = partial(page, request, "billing/runs/months.html", here=_HERE)
    return RunList(request, found).answer(lambda shown: draw({**context, "list": shown}, status=shown.status))


@require_http_methods(_POST)
def invoice_run(request: HttpRequest, month: Month) -> HttpResponse:
    """Shows one month. htmx polls its progress, with what the page shows in `?lage=`. POST is the next step of the person."""
    actor = actor_of(request)
    if request.headers.get("HX-Request") and request.method == "GET":
        made_by_the_page(request)
        progress = queries.progress(queries.run_of(actor, month))
        if request.GET.get("lage") != progress.mark:
            return HttpResponseClientRefresh()
        return render(request, "billing/runs/progress.html", parts.progress(progress, month))
    if request.method == "POST":
        return _act(request, month)
    return _month_page(request, month)


def _act(request: HttpRequest, month: Month) -> HttpResponse:
    actor, step = actor_of(request), request.POST.get("steg", "")
    run = queries.run_of(actor, month)
    if step in ("slapp", "godkann") and (step_up := require_recent_login(request, _AT_ONCE)):
        return step_up
    seen = request.POST.get("sedd", "")
    try:
        if step == "slapp":
            released = approvals.release(actor=actor, run_id=run.pk, seen=seen)
            text = ngettext(
                "Du har släppt {n} faktura. En annan person måste godkänna den.",
                "Du har släppt {n} fakturor. En annan person måste godkänna dem.",
                released.invoices,
            )
            messages.success(request, text.format(n=released.invoices))
        elif step == "godkann":
            approved = approvals.approve(actor=actor, run_id=run.pk, seen=seen)
            text = ngettext(
                "Du har godkänt {n} faktura. Den får sitt nummer nu.",
                "Du har godkänt {n} fakturor. De får sina nummer nu.",
                approved.invoices,
            )
            messages.success(request, text.format(n=approved.invoices))
        elif step == "om":
            requests.redraft(actor=actor, run_id=run.pk)
            messages.success(request, _("Alla utkast görs om."))
    except Conflict as refusal:
        return _month_page(request, month, refusal=refusal)
    return redirect("invoice_run", month)


def _month_page(request: HttpRequest, month: Month, *, refusal: DomainError | None = None) -> HttpResponse:
    actor = actor_of(request)
    view = queries.run_view(actor, month)
    may_view = policy.holds(actor, Action.VIEW_CONFIGURATION)
    blocked = [
        {
            "row": row,
            "repair": repair(row.party_id, row.name, row.reasons, came_from=month.code(), may_view_organisation=may_view),
            "url": reverse("invoice_draft", args=[month, row.party_id]),
        }
        for row in view.blocked[: parts.BLOCKED_SHOWN]
    ]
    context = {
        "view": view,
        "title": str(month).capitalize(),
        "lead": parts.lead(view),
        "address": reverse("invoice_run", args=[month]),
        "customers_url": reverse("invoice_run_customers", args=[month]),
        "blocked": blocked,
        "blocked_more": len(view.blocked) if len(view.blocked) > len(blocked) else 0,
        "figures": parts.month_figures(view),
        "changes": parts.changes(view),
        "shares": parts.shares(view),
        "chart": parts.chart(view),
        "panel": parts.panel(view, actor.ref),
        "refusal": refusal.message if refusal else "",
        **parts.progress(view.progress, month),
    }
    return page(request, "billing/runs/month.html", context, here=_HERE, status=409 if refusal else 200)


@require_safe
def invoice_run_file(request: HttpRequest, month: Month, file_format: str) -> HttpResponse:
    """Returns the month's issued invoices as one file: `sie` for the books, `csv` with every line."""
    file = downloads.month_file(actor=actor_of(request), month=month, file_format=file_format)
    return attachment(file.content, media_type=file.media_type, filename=file.filename)


@require_safe
def invoice_run_customers(request: HttpRequest, month: Month) -> HttpResponseBase:
    """Lists the customers of the month with their sums, as page and as files."""
    found = queries.customers_of(actor_of(request), month)
    context = {"month": month, "title": str(month).capitalize(), "address": reverse("invoice_run", args=[month])}
    draw = partial(page, request, "billing/runs/customers.html", here=_HERE)
    return RunCustomerList(request, month, found).answer(
        lambda shown: draw({**context, "list": shown, "form": shown.form}, status=shown.status)
    )


@require_http_methods(_POST)
def invoice_draft(request: HttpRequest, month: Month, party_id: UUID) -> HttpResponseBase:
    """Shows the draft of one customer as the invoice will be. POST makes it again with the prices and data of now."""
    actor = actor_of(request)
    view = queries.draft_view(actor, month, party_id)
    if request.method == "POST":
        requests.redraft(actor=actor, run_id=view.run.pk, party_id=party_id)
        messages.success(request, _("Utkastet för {name} görs om.").format(name=view.name))
        return redirect("invoice_draft", month, party_id)
    may_view = policy.holds(actor, Action.VIEW_CONFIGURATION)
    context: dict[str, Any] = {
        "view": view,
        "month": month,
        "title": str(month).capitalize(),
        "address": reverse("invoice_run", args=[month]),
        "content": view.content,
        "state": ItemState(view.item.state),
        "reasons": view.item.why,
        "repair": repair(party_id, view.name, view.item.why, came_from=month.code(), may_view_organisation=may_view)
        if view.item.why
        else None,
        "customer_url": customer_url(party_id, month.code()),
        "may_redraft": view.item.state != ItemState.ISSUED,
    }
    draw = partial(page, request, "billing/runs/draft.html", here=_HERE)
    if view.content is None:
        return draw(context)
    context["figures"] = invoice_figures(view.content, (view.content.totals.net, _("kronor exkl. moms")), view.before)
    link = link_to_counted(
        month, lambda organisation_id: reverse("invoice_draft_counted", args=[month, party_id, organisation_id])
    )
    lines = LineList(request, view.content.lines, _("utkast {month}").format(month=month), link=link)
    return lines.answer(lambda shown: draw({**context, "list": shown, "line_groups": line_groups(shown)}))


@require_safe
def invoice_draft_counted(request: HttpRequest, month: Month, party_id: UUID, organisation_id: UUID) -> HttpResponseBase:
    """Lists the eIDs that a subscription of one customer's draft counts."""
    counted = queries.draft_counted(actor_of(request), month, party_id, organisation_id)
    listed = CountedList(request, counted, {"month": month.code()})
    context = {"month": month, "title": str(month).capitalize(), "party_id": party_id}
    draw = partial(page, request, "billing/runs/draft_counted.html", here=_HERE)
    return listed.answer(lambda shown: draw({**context, **listed.context(shown)}))
