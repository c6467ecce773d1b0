"""Pages of customers for finance administrators: the list, one customer, its form, its end, and requests for a new address."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from authn.web import require_recent_login
from billing.customers.queries import customers
from billing.customers.queries.customers import CustomerView
from billing.customers.services import changes
from billing.customers.web import facts
from billing.customers.web.forms import CustomerDataForm
from billing.customers.web.lists import CustomerList, HistoryList
from billing.records.web.came_from import way_back
from billing.records.web.page import AT_ONCE, actor_of, page
from siths_portal.lib.errors import Conflict, DomainError
from siths_portal.lib.pages import named_buttons

HERE = "customers"


@require_safe
def customer_list(request: HttpRequest) -> HttpResponseBase:
    """Shows all customers, filtered."""
    shown = CustomerList(request, actor_of(request))
    counts = shown.counts
    context = {"counts": counts, "invoiced": counts["active"] + counts["requested"], "number": len(shown.everybody)}
    return shown.answer(
        lambda found: page(
            request,
            "billing/customers/list.html",
            {**context, "list": found, "form": found.form},
            here=HERE,
            status=found.status,
        )
    )


@require_http_methods(["GET", "HEAD", "POST"])
def customer(request: HttpRequest, party_id: UUID) -> HttpResponse:
    """Shows a customer. POST decides the request for a new electronic address; it needs a new log-in (step-up)."""
    actor = actor_of(request)
    view = customers.view(actor, party_id)
    if request.method != "POST":
        return _customer(request, view)
    if step_up := require_recent_login(request, AT_ONCE):
        return step_up
    try:
        if view.waiting is None or str(view.waiting.pk) != request.POST.get("begaran", ""):
            raise Conflict("request-decided", _("Begäran är redan avgjord. Läs sidan igen."))
        approved = request.POST.get(named_buttons.BUTTON) == named_buttons.ACT
        changes.decide_endpoint(actor=actor, party_id=party_id, request_id=view.waiting.pk, approved=approved)
    except DomainError as error:
        return _customer(request, customers.view(actor, party_id), refusal=error.message, status=error.http_status)
    messages.success(request, _("Den nya adressen gäller nu.") if approved else _("Begäran är avslutad. Adressen är oförändrad."))
    return redirect("customer", party_id)


def _customer(request: HttpRequest, view: CustomerView, *, refusal: str = "", status: int = 200) -> HttpResponse:
    context = {
        "view": view,
        "own": actor_of(request).ref,
        "sections": facts.sections(view.current) if view.current else (),
        "list": HistoryList(request, view.history).shown() if view.history else None,
        "waiting_address": customers.endpoint_text(view.waiting.endpoint_scheme, view.waiting.endpoint_id)
        if view.waiting
        else "",
        "refusal": refusal,
        **_ways(request, view),
    }
    return page(request, "billing/customers/customer.html", context, here=HERE, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
def customer_edit(request: HttpRequest, party_id: UUID) -> HttpResponse:
    """Registers or changes a customer. POST needs a new log-in (step-up)."""
    actor = actor_of(request)
    view = customers.view(actor, party_id)
    form, status = CustomerDataForm(request.POST if request.method == "POST" else None, view), 200
    if request.method == "POST":
        if form.is_valid():
            if step_up := require_recent_login(request, AT_ONCE):
                return step_up
            try:
                saved = changes.change(actor=actor, party_id=party_id, terms=form.terms(), seen=form.seen)
            except DomainError as error:
                form.take(error)
                status = error.http_status
            else:
                return _saved(request, view, saved, form)
        else:
            status = 422
    context = {"view": view, "form": form, **_ways(request, view)}
    return page(request, "billing/customers/edit.html", context, here=HERE, status=status)


def _ways(request: HttpRequest, view: CustomerView) -> dict[str, Any]:
    """Returns the link back, and the URLs of the customer's page and form, which keep it."""
    back = way_back(request, view.party_id if view.current else None)
    urls = {name: reverse(name, args=[view.party_id]) + (back.query if back else "") for name in ("customer", "customer_edit")}
    return {"way_back": back, "customer_url": urls["customer"], "edit_url": urls["customer_edit"]}


def _saved(request: HttpRequest, view: CustomerView, saved: changes.Saved, form: CustomerDataForm) -> HttpResponse:
    text = _("Kunden {name} är sparad.").format(name=saved.version.name)
    if form.divided:
        text += " " + _("Den elektroniska adressen lästes som typ {scheme} och adress {identifier}.").format(**form.divided)
    if saved.request:
        text += " " + _("Den nya elektroniska adressen väntar på att en kollega godkänner.")
    messages.success(request, text)
    return redirect(_ways(request, view)["customer_url"])


@require_http_methods(["GET", "HEAD", "POST"])
def customer_end(request: HttpRequest, party_id: UUID) -> HttpResponse:
    """Asks before a customer is ended, or opened again, and does it."""
    actor = actor_of(request)
    view = customers.view(actor, party_id)
    refusal, status = "", 200
    if view.current is None:
        return redirect("customer", party_id)
    if request.method == "POST":
        try:
            seen = UUID(request.POST.get("version", ""))
            act = changes.reopen if view.ended else changes.end
            if (request.POST.get("status") == "oppna") != view.ended:
                raise Conflict("customer-state", _("Kundens status har ändrats. Läs sidan igen."))
            act(actor=actor, party_id=party_id, seen=seen)
        except ValueError:
            refusal, status = _("Formuläret är inte komplett. Ladda om sidan."), 422
        except DomainError as error:
            refusal, status = error.message, error.http_status
            view = customers.view(actor, party_id)
        else:
            text = _("Kunden {name} är öppen igen.") if view.ended else _("Kunden {name} är avslutad.")
            messages.success(request, text.format(name=view.name))
            return redirect("customer", party_id)
    context: dict[str, Any] = {"view": view, "refusal": refusal}
    return page(request, "billing/customers/end.html", context, here=HERE, status=status)
