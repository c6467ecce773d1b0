"""Pages of invoices: the list, one invoice, what is behind a line, the files, and the running month."""

from decimal import Decimal
from functools import partial
from typing import Any, cast

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_safe

from billing.domain import identifiers, money
from billing.domain.invoices import LineContent
from billing.models import FileFormat
from billing.queries import invoices as queries
from billing.queries.running import Overview, Running, Stopped, overview, running
from billing.services import downloads
from billing.web.forms import CustomerForm, FilterForm
from billing.web.lists import InvoiceList, LineEventList, LineList, line_groups
from billing.web.pages import actor_of, figures, months_chart, page
from issuance.authz import Action, Actor, policy
from siths_portal.lib.files.downloads import attachment
from siths_portal.lib.lists import Shown


@require_safe
def invoice_list(request: HttpRequest) -> HttpResponseBase:
    """Lists the issued invoices that the user may see, by customer and month, with their sums."""
    actor = actor_of(request)
    return InvoiceList(request, actor).answer(lambda shown: _invoices_page(request, actor, shown))


def _invoices_page(request: HttpRequest, actor: Actor, shown: Shown[queries.InvoiceRow]) -> HttpResponse:
    form = cast(FilterForm, shown.form)
    sums = queries.sums(actor, party_id=form.party_id, month=form.month) if form.is_valid() else None
    choices = cast(InvoiceList, shown.declared).choices
    context = {
        "form": form,
        "list": shown,
        "sums": sums,
        "figures": _sums(sums) if sums else [],
        "chart": None if shown.chips or not shown.rows else months_chart(choices.months, choices.net),
    }
    return page(request, "billing/invoices.html", context, here="invoices", status=shown.status)


def _sums(sums: queries.Sums) -> list[dict[str, str]]:
    named = ((sums.net, _("kronor exkl. moms")), (sums.gross, _("kronor inkl. moms")), (sums.payable, _("kronor att betala")))
    count = {"value": money.swedish(Decimal(sums.count), decimals=0), "name": ngettext("faktura", "fakturor", sums.count)}
    return [count, *({"value": money.swedish(value), "name": name} for value, name in named)]


@require_safe
def invoice(request: HttpRequest, number: str) -> HttpResponseBase:
    """Shows one invoice as it was frozen. Raises NotFound."""
    view = queries.invoice(actor_of(request), number)
    lines = LineList(
        request,
        view.invoice.content.lines,
        _("fakturarader {number}").format(number=number),
        link=lambda line: reverse("invoice_line", args=[number, line.position]),
    )
    return lines.answer(lambda shown: _invoice_page(request, view, shown))


def _invoice_page(request: HttpRequest, view: queries.InvoiceView, shown: Shown[LineContent]) -> HttpResponse:
    content = view.invoice.content
    context = {
        "list": shown,
        "line_groups": line_groups(shown),
        "view": view,
        "invoice": view.invoice,
        "content": content,
        "figures": figures(content, (content.totals.payable, _("kronor att betala")), view.before),
        "payment": _payment(view),
        "facts": _facts(view),
        "files": _functions(view),
    }
    return page(request, "billing/invoice_page.html", context)


def _payment(view: queries.InvoiceView) -> list[dict[str, Any]]:
    """Returns what the payer needs: where, with which reference, how much and when."""
    invoice, content = view.invoice, view.invoice.content
    return [
        {"label": _("Bankgiro"), "value": identifiers.bankgiro_printed(content.seller.bankgiro), "copy": True},
        {"label": _("OCR-nummer"), "value": invoice.payment_reference, "copy": True},
        {"label": _("Belopp"), "value": f"{money.swedish(content.totals.payable)}{money.NO_BREAK_SPACE}kr"},
        {"label": _("Senast"), "value": invoice.due_date.isoformat()},
    ]


def _facts(view: queries.InvoiceView) -> list[dict[str, Any]]:
    """Returns labels and values of dates and references. Leaves out unused references."""
    invoice, buyer = view.invoice, view.invoice.content.buyer
    start, end = invoice.content.period_start, invoice.content.period_end
    rows = [
        (_("Fakturadatum"), invoice.issue_date.isoformat()),
        (_("Förfallodatum"), invoice.due_date.isoformat()),
        (_("Period"), f"{start.isoformat()}–{end.isoformat()}"),
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
    return _attachment(downloads.invoice_file(actor=actor_of(request), number=number, file_format=FileFormat.PDF))


@require_safe
def invoice_xml(request: HttpRequest, number: str) -> HttpResponse:
    """Returns the stored Peppol BIS Billing 3.0 document."""
    return _attachment(downloads.invoice_file(actor=actor_of(request), number=number, file_format=FileFormat.PEPPOL))


@require_safe
def invoice_line(request: HttpRequest, number: str, position: int) -> HttpResponse:
    """Lists the events behind one line: orders, times and prices, without names of persons."""
    line, events = queries.line(actor_of(request), number, position)
    context = {
        "line": line,
        "list": LineEventList(request, events).shown(),
        "figures": [
            {"value": money.swedish(line.quantity, decimals=0), "name": _("Antal").lower()},
            {"value": money.swedish(line.unit_price), "name": _("kronor i à-pris")},
            {"value": money.swedish(line.net), "name": _("kronor exkl. moms")},
        ],
    }
    return page(request, "billing/invoice_line.html", context)


@require_safe
def invoice_line_csv(request: HttpRequest, number: str, position: int) -> HttpResponse:
    """Returns all events behind one line as a CSV file."""
    return _attachment(downloads.line_events(actor=actor_of(request), number=number, position=position))


@require_safe
def running_month(request: HttpRequest) -> HttpResponseBase:
    """Shows who cannot be invoiced, and a customer's invoice as it would be if the month ended now, marked as preliminary."""
    seen = overview(actor_of(request))
    form = CustomerForm(request.GET, seen.customers, empty_label=_("Välj kund"))
    valid = form.is_valid()
    month = running(seen.customers, form.party_id) if valid else None
    content = month and month.preview.content
    context = {
        "form": form,
        "may_choose": not valid or len(seen.customers) != 1,
        "no_customers": valid and not seen.customers,
        "running": month,
        "stopped": _stopped(request, seen, month),
        "reasons": _reasons(seen, month),
        "may_repair": month and _may_repair(request),
        "content": content,
    }
    draw = partial(page, request, "billing/running_month.html", here="invoices_running", status=200 if valid else 422)
    if not month or not content:
        return draw(context)
    before = month.before.net if month.before else None
    context["figures"] = figures(content, (content.totals.net, _("kronor exkl. moms hittills")), before)
    fixed = [("kund", str(form.party_id))] if form.party_id else []
    lines = LineList(request, content.lines, _("fakturarader löpande månad"), fixed=fixed)
    return lines.answer(lambda shown: draw({**context, "list": shown, "line_groups": line_groups(shown)}))


def _may_repair(request: HttpRequest) -> bool:
    """Returns whether the actor opens the pages of organisations, which list what a customer lacks and whose task it is."""
    return policy.holds(actor_of(request), Action.VIEW_CONFIGURATION)


def _stopped(request: HttpRequest, seen: Overview, month: Running | None) -> list[dict[str, Any]]:
    """Returns rows of the parties that cannot be invoiced, without the one that the page shows."""
    may_repair = _may_repair(request)

    def row(each: Stopped) -> dict[str, Any]:
        found: dict[str, Any] = {"title": each.name, "text": " ".join(each.reasons), "icon": "warning", "color": "urgent"}
        if each.is_customer:
            found |= {"action": _("Visa månaden"), "url": f"{reverse('invoices_running')}?kund={each.party_id}"}
        elif may_repair:
            found |= {"action": _("Visa organisationen"), "url": reverse("organisation", args=[each.party_id])}
        return found

    return [row(each) for each in seen.stopped if not month or each.party_id != month.preview.party_id]


def _reasons(seen: Overview, month: Running | None) -> list[str]:
    """Returns why the customer that the page shows cannot be invoiced. A preview that is blocked knows best."""
    if month is None:
        return []
    if month.preview.blocked:
        return [message for _rule, message in month.preview.blocked]
    known = next((each.reasons for each in seen.stopped if each.party_id == month.preview.party_id), ())
    return list(dict.fromkeys((*month.obstacles, *known)))
