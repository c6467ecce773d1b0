"""Pages of crediting: choose and preview, the requests, and the page on which the second person approves."""

import datetime as dt
from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy
from django.views.decorators.http import require_http_methods, require_safe

from authn.web import require_recent_login
from billing.credit.models import CreditRequest, Treatment
from billing.credit.queries import requests
from billing.credit.services import crediting
from billing.credit.web.forms import LINES_ON_PAGE, CreditForm
from billing.credit.web.lists import CreditList, state_tag
from billing.documents.domain.invoices import DocumentType, InvoiceContent
from billing.documents.web.lines import LineList, line_groups
from billing.records.web.page import actor_of, page
from issuance.authz import Actor
from siths_portal.lib.errors import Conflict, DomainError

AFTERWARDS_HINTS = (
    {
        "value": Treatment.RELEASE.value,
        "label": lazy("Fakturera igen"),
        "hint": lazy("Kort och abonnemang kommer med på kundens nästa faktura, till samma pris."),
    },
    {
        "value": Treatment.WRITE_OFF.value,
        "label": lazy("Skriv av"),
        "hint": lazy("Kunden betalar inte, och det faktureras aldrig igen."),
    },
)
_AT_ONCE = dt.timedelta(0)


@require_http_methods(["GET", "HEAD", "POST"])
def credit_lines(request: HttpRequest, number: str) -> HttpResponse:
    """Chooses what to credit on an invoice. POST shows the credit note, and on the second time requests it (step-up log-in)."""
    actor = actor_of(request)
    invoice = crediting.find(actor, number)
    if waiting := requests.waiting_for(invoice):
        return redirect("credit_request", waiting)
    if invoice.document_type != DocumentType.INVOICE:
        raise Conflict("credit-of-credit", _("En kreditfaktura kan inte krediteras."))
    lines = crediting.creditable_lines(invoice)
    first = _first(request, len(lines))
    shown = lines[first : first + LINES_ON_PAGE]
    form = CreditForm(request.POST if request.method == "POST" else None, lines, shown)
    context = {
        "number": number,
        "customer": invoice.buyer["name"],
        "form": form,
        "afterwards": AFTERWARDS_HINTS,
        "spent": not any(line.remaining for line in lines),
        "pages": _pages(first, len(lines)),
        "first": first,
    }
    if request.method != "POST" or "valj" in request.POST or not form.is_valid():
        changing = request.method != "POST" or "valj" in request.POST
        return page(request, "billing/credit/lines.html", context, here="invoices", status=200 if changing else 422)
    try:
        if "granskad" not in request.POST:
            content = crediting.preview(actor=actor, number=number, choices=form.choices())
            context |= _drawn(request, content, number)
            context |= _afterwards(choice.treatment for choice in form.choices().values())
            return page(request, "billing/credit/preview.html", context, here="invoices")
        if step_up := require_recent_login(request, _AT_ONCE):
            return step_up
        made = crediting.request_credit(actor=actor, number=number, choices=form.choices(), reason=form.cleaned_data["skal"])
    except DomainError as error:
        form.take_lines(error)
        return page(request, "billing/credit/lines.html", context, here="invoices", status=error.http_status)
    messages.success(request, _("Begäran är sparad. En annan person måste godkänna den."))
    return redirect("credit_request", made.pk)


def _afterwards(treatments: Iterable[Treatment]) -> dict[str, int]:
    """Returns how many lines are billed again and how many are written off."""
    found = list(treatments)
    return {"again": found.count(Treatment.RELEASE), "written_off": found.count(Treatment.WRITE_OFF)}


def _first(request: HttpRequest, count: int) -> int:
    """Returns the index of the first line that the page shows."""
    text = request.POST.get("fran") or request.GET.get("fran", "")
    first = int(text) if text.isascii() and text.isdecimal() and len(text) < 7 else 0
    return first - first % LINES_ON_PAGE if first < count else 0


def _pages(first: int, count: int) -> list[dict[str, Any]]:
    """Returns the pages of a long invoice, empty for a short one."""
    if count <= LINES_ON_PAGE:
        return []
    return [
        {"start": start, "from": start + 1, "to": min(start + LINES_ON_PAGE, count), "here": start == first}
        for start in range(0, count, LINES_ON_PAGE)
    ]


def _drawn(request: HttpRequest, content: InvoiceContent, number: str) -> dict[str, Any]:
    """Returns the lines and sums of a credit note for `billing/lines.html`."""
    lines = LineList(request, content.lines, _("kreditering {number}").format(number=number))
    lines.files = ()  # the credit note has files when it is issued
    shown = lines.shown()
    return {"content": content, "list": shown, "line_groups": line_groups(shown)}


@require_safe
def credit_requests(request: HttpRequest) -> HttpResponseBase:
    """Lists the requests to credit."""
    shown = CreditList(request, actor_of(request))
    return shown.answer(
        lambda rows: page(request, "billing/credit/requests.html", {"list": rows}, here="credit_requests", status=rows.status)
    )


@require_http_methods(["GET", "HEAD", "POST"])
def credit_request(request: HttpRequest, request_id: UUID) -> HttpResponse:
    """Shows a request. POST approves it, which makes the credit note, or withdraws it; both require a new log-in (step-up)."""
    actor = actor_of(request)
    view = requests.request(actor, request_id)
    refusal: DomainError | None = None
    if request.method == "POST":
        if step_up := require_recent_login(request, _AT_ONCE):
            return step_up
        try:
            return _decided(request, actor, view.request)
        except DomainError as error:
            refusal, view = error, requests.request(actor, request_id)
    drawn = _drawn(request, view.content, view.number) if view.content else {}
    context = {"view": view, "refusal": refusal, "state": state_tag(view.state), **_afterwards(view.treatments), **drawn}
    status = refusal.http_status if refusal else 200
    return page(request, "billing/credit/request.html", context, here="credit_requests", status=status)


def _decided(request: HttpRequest, actor: Actor, row: CreditRequest) -> HttpResponse:
    if "ta_tillbaka" in request.POST:
        crediting.withdraw_credit(actor=actor, request_id=row.pk)
        messages.success(request, _("Begäran är tillbakatagen. Fakturan är inte krediterad."))
        return redirect("credit_request", row.pk)
    note = crediting.approve_credit(actor=actor, request_id=row.pk)
    text = _("Kreditfaktura {number} är utfärdad. Filerna görs nu.").format(number=note.number)
    messages.success(request, text)
    return redirect(reverse("invoice", args=[note.number]))
