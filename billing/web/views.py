"""Pages of invoices: the list, one invoice, what is behind a line, the files, and the running month."""

from functools import partial
from typing import Any, cast

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from billing.domain.invoices import LineContent
from billing.models import FileFormat
from billing.queries import invoices as queries
from billing.queries.running import customers, running, without_terms
from billing.services import downloads
from billing.web.forms import CustomerForm, FilterForm
from billing.web.lists import InvoiceLineList, InvoiceList, LineEventList, LineList
from issuance.authz import Action, Actor, policy
from siths_portal.lib.files.downloads import attachment
from siths_portal.lib.lists import Shown

TAB = "invoices"


def _actor(request: HttpRequest) -> Actor:
    return cast(Actor, cast(Any, request).actor)


@require_safe
def invoice_list(request: HttpRequest) -> HttpResponseBase:
    """Lists the issued invoices that the user may see, by customer and month, with their sums."""
    actor = _actor(request)
    return InvoiceList(request, actor).answer(lambda shown: _invoices_page(request, actor, shown))


def _invoices_page(request: HttpRequest, actor: Actor, shown: Shown[queries.InvoiceRow]) -> HttpResponse:
    form = cast(FilterForm, shown.form)
    sums = queries.sums(actor, party_id=form.party_id, month=form.month) if form.is_valid() else None
    context = {
        "tab": TAB,
        "form": form,
        "list": shown,
        "sums": sums,
        "may_correct_series": policy.holds(actor, Action.CORRECT_INVOICE_SERIES),
    }
    return render(request, "billing/invoices.html", context, status=shown.status)


@require_safe
def invoice(request: HttpRequest, number: str) -> HttpResponseBase:
    """Shows one invoice as it was frozen. Raises NotFound."""
    view = queries.invoice(_actor(request), number)
    lines = InvoiceLineList(request, view.invoice.content.lines, number)
    return lines.answer(lambda shown: _invoice_page(request, view, shown))


def _invoice_page(request: HttpRequest, view: queries.InvoiceView, shown: Shown[LineContent]) -> HttpResponse:
    context = {
        "tab": TAB,
        "list": shown,
        "view": view,
        "invoice": view.invoice,
        "content": view.invoice.content,
        "facts": _facts(view),
        "functions": _functions(view),
    }
    return render(request, "billing/invoice_page.html", context)


def _facts(view: queries.InvoiceView) -> list[dict[str, Any]]:
    """Returns labels and values of dates and references. Leaves out unused references."""
    invoice, buyer = view.invoice, view.invoice.content.buyer
    start, end = invoice.content.period_start, invoice.content.period_end
    rows = [
        (_("Fakturadatum"), invoice.issue_date.isoformat()),
        (_("Förfallodatum"), invoice.due_date.isoformat()),
        (_("Period"), f"{start.isoformat()} – {end.isoformat()}"),
        (_("Er referens"), buyer.buyer_reference),
        (_("Ordernummer"), buyer.order_number),
        (_("Avtal"), buyer.contract),
        (_("Fakturerat objekt"), buyer.invoiced_object),
    ]
    return [{"label": label, "value": value} for label, value in rows if value]


def _functions(view: queries.InvoiceView) -> list[dict[str, Any]]:
    """Returns the download buttons. A button is off, with the reason, until its file is made."""
    files = ((FileFormat.PDF, "invoice_pdf", _("Hämta PDF")), (FileFormat.PEPPOL, "invoice_xml", _("Hämta e-faktura (XML)")))
    number = view.invoice.number
    return [
        {
            "name": name,
            "url": reverse(address, args=[number]),
            "allowed": file_format in view.formats,
            "reason": _("Filen är inte gjord än."),
        }
        for file_format, address, name in files
    ]


def _attachment(download: downloads.Download) -> HttpResponse:
    return attachment(download.content, media_type=download.media_type, filename=download.filename)


@require_safe
def invoice_pdf(request: HttpRequest, number: str) -> HttpResponse:
    """Returns the stored PDF/A-3a."""
    return _attachment(downloads.invoice_file(actor=_actor(request), number=number, file_format=FileFormat.PDF))


@require_safe
def invoice_xml(request: HttpRequest, number: str) -> HttpResponse:
    """Returns the stored Peppol BIS Billing 3.0 document."""
    return _attachment(downloads.invoice_file(actor=_actor(request), number=number, file_format=FileFormat.PEPPOL))


@require_safe
def invoice_line(request: HttpRequest, number: str, position: int) -> HttpResponse:
    """Lists the events behind one line: orders, times and prices, without names of persons."""
    line, events = queries.line(_actor(request), number, position)
    context = {
        "tab": TAB,
        "line": line,
        "list": LineEventList(request, events).shown(),
        "functions": [{"name": _("Hämta som CSV"), "url": reverse("invoice_line_csv", args=[number, position]), "allowed": True}],
    }
    return render(request, "billing/invoice_line.html", context)


@require_safe
def invoice_line_csv(request: HttpRequest, number: str, position: int) -> HttpResponse:
    """Returns all events behind one line as a CSV file."""
    return _attachment(downloads.line_events(actor=_actor(request), number=number, position=position))


@require_safe
def running_month(request: HttpRequest) -> HttpResponseBase:
    """Shows a customer's invoice as it would be if the month ended now, marked as preliminary."""
    choice = customers(_actor(request))
    form = CustomerForm(request.GET, choice, empty_label=_("Välj kund"))
    valid = form.is_valid()
    month = running(choice, form.party_id) if valid else None
    content = month and month.preview.content
    context = {
        "tab": TAB,
        "form": form,
        "may_choose": not valid or len(choice) != 1,
        "no_customers": valid and not choice,
        "running": month,
        "without_terms": without_terms(_actor(request)),
        "content": content,
    }
    draw = partial(render, request, "billing/running_month.html", status=200 if valid else 422)
    if not content:
        return draw(context)
    fixed = [("kund", str(form.party_id))] if form.party_id else []
    return LineList(request, content.lines, fixed).answer(lambda lines: draw({**context, "list": lines}))
