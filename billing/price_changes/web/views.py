"""Pages of prices: the list, an article, a request for a price, and what the request changes before somebody decides it."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from authn.web import require_recent_login
from billing.price_changes.queries import prices
from billing.price_changes.queries.prices import Standing
from billing.price_changes.services import changes
from billing.price_changes.web.forms import PriceForm
from billing.price_changes.web.lists import ArticlePriceList, PriceList
from billing.records.web.page import AT_ONCE, actor_of, page
from issuance.authz import policy
from siths_portal.lib import clock
from siths_portal.lib.errors import DomainError
from siths_portal.lib.pages import named_buttons

HERE = "prices"


@require_safe
def price_list(request: HttpRequest) -> HttpResponseBase:
    """Shows all prices, filtered, and the requests that wait."""
    shown = PriceList(request, actor_of(request))
    gross = {row.article_code for row in shown.every if row.party_id is None and row.standing is Standing.NOW}
    missing = [name for code, name in changes.article_names().items() if code not in gross]
    context = {"missing": missing, "waiting": prices.waiting(), "number": len(gross)}
    return shown.answer(
        lambda found: page(
            request,
            "billing/price_changes/list.html",
            {**context, "list": found, "form": found.form},
            here=HERE,
            status=found.status,
        )
    )


@require_safe
def price(request: HttpRequest, article_code: str) -> HttpResponse:
    """Shows the prices of an article: now, coming and before."""
    found = prices.rows(actor_of(request), article_code)
    names = changes.article_names()
    if not found and article_code not in names:
        raise policy.not_found()
    context = {
        "article_code": article_code,
        "article": names.get(article_code, article_code),
        "gross": next((row for row in found if row.party_id is None and row.standing is Standing.NOW), None),
        "agreed": sum(row.party_id is not None and row.standing is Standing.NOW for row in found),
        "terms": [{"label": label, "value": value} for label, value in prices.subscription_terms(article_code)],
        "waiting": prices.waiting(article_code),
        "list": ArticlePriceList(request, found).shown(),
    }
    return page(request, "billing/price_changes/article.html", context, here=HERE)


@require_http_methods(["GET", "HEAD", "POST"])
def price_new(request: HttpRequest) -> HttpResponse:
    """Asks for a price from a day on. POST stores the request; it needs a new log-in (step-up)."""
    actor = actor_of(request)
    policy.require_global(actor, changes.ACTION)
    initial = {
        "article_code": request.GET.get("artikel", ""),
        "party_id": request.GET.get("kund", ""),
        "vat_rate": "25",
        "valid_from": clock.today(),
    }
    form = PriceForm(
        request.POST if request.method == "POST" else None, prices.customer_names(), changes.article_names(), initial
    )
    status = 200
    if request.method == "POST":
        status = 422
        if form.is_valid():
            if step_up := require_recent_login(request, AT_ONCE):
                return step_up
            try:
                made = changes.request_price(actor=actor, new=form.price(), reason=form.cleaned_data["reason"])
            except DomainError as error:
                form.take(error)
                status = error.http_status
            else:
                messages.success(request, _("Din begäran är sparad. En kollega måste godkänna den."))
                return redirect("price_request", made.pk)
    return page(request, "billing/price_changes/new.html", {"form": form}, here=HERE, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
def price_request(request: HttpRequest, change_id: UUID) -> HttpResponse:
    """Shows what a request would change. POST approves or refuses it; it needs a new log-in (step-up)."""
    actor = actor_of(request)
    view = prices.request(actor, change_id)
    refusal, status = "", 200
    if request.method == "POST":
        if step_up := require_recent_login(request, AT_ONCE):
            return step_up
        approved = request.POST.get(named_buttons.BUTTON) == named_buttons.ACT
        try:
            changes.decide(actor=actor, change_id=change_id, approved=approved, seen=request.POST.get("effekt", ""))
        except DomainError as error:
            refusal, status, view = error.message, error.http_status, prices.request(actor, change_id)
        else:
            messages.success(request, _("Priset är ändrat.") if approved else _("Begäran är avslutad. Inget pris är ändrat."))
            return redirect("price", view.change.article_code)
    context: dict[str, Any] = {"view": view, "own": actor.ref, "refusal": refusal, "parties": _parties(view)}
    return page(request, "billing/price_changes/request.html", context, here=HERE, status=status)


def _parties(view: prices.RequestView) -> list[dict[str, Any]]:
    if view.effect is None:
        return []
    return [
        {
            "name": view.owners.get(each.party_id, str(each.party_id)),
            "entries": each.entries,
            "before": each.before,
            "after": each.after,
            "difference": each.after - each.before,
        }
        for each in view.effect.parties
    ]
