"""Pages of invoices: the list, one invoice, what is behind a line, the files, and the running month."""

from decimal import Decimal
from typing import Any, cast

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy
from django.utils.translation import ngettext
from django.views.decorators.http import require_safe
from django_htmx.http import HttpResponseClientRefresh

from authn.web import made_by_the_page
from billing.documents.domain.invoices import DocumentType, LineContent, Seller
from billing.documents.queries.counted import of_month
from billing.documents.web.counted import CountedList
from billing.documents.web.figures import figures
from billing.documents.web.lines import LineList, line_groups
from billing.invoices.models import FileFormat
from billing.invoices.queries import invoices as queries
from billing.invoices.services import downloads
from billing.invoices.web.charts import MONTHS_SHOWN, months_chart, pieces_charts
from billing.invoices.web.forms import FilterForm
from billing.invoices.web.lists import HistoryList, InvoiceList, LineEventList, card_url, status_of
from billing.records.domain import identifiers, money
from billing.records.web.page import actor_of, page
from billing.records.web.panels import invoice_panels
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
    order_id = form.order_id if form.is_valid() else None
    sums = queries.sums(actor, form.choice) if form.is_valid() else None
    choices = cast(InvoiceList, shown.declared).choices
    overview = bool(shown.rows) and not shown.chips and len(choices.months) > 1
    context = {
        "form": form,
        "list": shown,
        "sums": sums,
        "issued": _issued(sums) if sums else "",
        "figures": _sums(sums) if sums else [],
        "order_lines": queries.lines_of_order(actor, order_id) if order_id else [],
        "card_url": card_url(queries.card_of_order(actor, order_id)) if order_id else "",
        "chart": months_chart(choices.months, choices.net) if overview else None,
        "pieces": pieces_charts(queries.pieces_by_month(actor, choices.months[0], MONTHS_SHOWN)) if overview else [],
    }
    return page(request, "billing/invoices.html", context, here="invoices", status=shown.status)


def _sums(sums: queries.Sums) -> list[dict[str, str]]:
    named = ((sums.net, _("kronor exkl. moms")), (sums.gross, _("kronor inkl. moms")), (sums.payable, _("kronor att betala")))
    count = {"value": money.count(sums.invoices), "name": ngettext("faktura", "fakturor", sums.invoices)}
    if sums.credit_notes:
        notes = ngettext("och {n} kreditfaktura", "och {n} kreditfakturor", sums.credit_notes)
        count["before"] = notes.format(n=money.count(sums.credit_notes))
    return [count, *({"value": money.swedish(value), "name": name} for value, name in named)]


def _issued(sums: queries.Sums) -> str:
    """Returns the numbers of documents in words: "3 fakturor och 1 kreditfaktura"."""
    words = (
        (sums.invoices, ngettext("{n} utfärdad faktura", "{n} utfärdade fakturor", sums.invoices)),
        (sums.credit_notes, ngettext("{n} kreditfaktura", "{n} kreditfakturor", sums.credit_notes)),
    )
    return _(" och ").join(text.format(n=money.count(number)) for number, text in words if number)


@require_safe
def invoice(request: HttpRequest, number: str) -> HttpResponseBase:
    """Shows one invoice as it was frozen. htmx polls what is done with it, with what the page shows in `?lage=`.

    Raises NotFound.
    """
    if request.headers.get("HX-Request") and "lage" in request.GET:
        made_by_the_page(request)
        progress = queries.progress(actor_of(request), number)
        if request.GET["lage"] != progress.mark:
            return HttpResponseClientRefresh()
        return render(request, "billing/invoice_progress.html", {"progress": progress})
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
        "progress": view.progress,
        "invoice": view.invoice,
        "content": content,
        "status": status_of(view.settlement, content.totals.payable, view.state),
        "figures": figures(content, (content.totals.payable, str(_SUMS[content.document_type])), view.before, _left(view)),
        "payment": _payment(view) if not content.preceding else [],
        "facts": _facts(view),
        "files": _functions(view),
        "panels": invoice_panels(request, view),
        "history": HistoryList(request, view.history).shown(),
        "may_credit": not content.preceding and policy.holds(actor_of(request), Action.MANAGE_BILLING),
    }
    return page(request, "billing/invoice_page.html", context)


_SUMS = {DocumentType.INVOICE: _lazy("kronor att betala"), DocumentType.CREDIT_NOTE: _lazy("kronor att kreditera")}


def _left(view: queries.InvoiceView) -> dict[str, str] | None:
    """Returns the figure of what remains to pay, or None if nothing of the invoice is paid or credited."""
    found, payable = view.settlement, view.invoice.content.totals.payable
    if found is None or found.remaining == payable:
        return None
    name = _("kronor kvar att betala") if found.remaining >= 0 else _("kronor till godo")
    before = _("Fakturan är på {amount}").format(amount=money.swedish(payable))
    return {"value": money.swedish(abs(found.remaining)), "name": name, "before": before}


def _payment(view: queries.InvoiceView) -> list[dict[str, Any]]:
    """Returns what the payer needs: where, with which reference, how much is left to pay and when."""
    invoice, content = view.invoice, view.invoice.content
    left = max(view.settlement.remaining, Decimal(0)) if view.settlement else content.totals.payable
    return [
        {"label": _("Bankgiro"), "value": identifiers.bankgiro_printed(content.seller.bankgiro), "copy": True},
        *_from_abroad(content.seller),
        {"label": _("OCR-nummer"), "value": invoice.payment_reference, "copy": True},
        {"label": _("Belopp"), "value": f"{money.swedish(left)}{money.NO_BREAK_SPACE}kr"},
        {"label": _("Senast"), "value": invoice.due_date.isoformat()},
    ]


def _from_abroad(seller: Seller) -> list[dict[str, Any]]:
    """Returns the account for payments from abroad, if the seller has one."""
    if not seller.iban:
        return []
    return [{"label": _("IBAN"), "value": identifiers.iban_printed(seller.iban)}, {"label": _("BIC"), "value": seller.bic}]


def _facts(view: queries.InvoiceView) -> list[dict[str, Any]]:
    """Returns labels and values of dates and references. Leaves out unused references."""
    invoice, buyer = view.invoice, view.invoice.content.buyer
    start, end = invoice.content.period_start, invoice.content.period_end
    rows = [
        (_("Fakturadatum"), invoice.issue_date.isoformat()),
        (_("Period"), f"{start.isoformat()}–{end.isoformat()}"),
        (_("Er referens"), buyer.buyer_reference),
        (_("Vår referens"), invoice.content.seller.contact),
        (_("Ordernummer"), buyer.order_number),
        (_("Avtal"), buyer.contract),
        (_("Fakturerat objekt"), buyer.invoiced_object),
        (_("Frågor"), invoice.content.seller.email),
        (_("Dröjsmålsränta"), "" if invoice.content.preceding else _("Enligt räntelagen")),
        (_("Sparas minst till och med"), view.kept_until.isoformat()),
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
def invoice_line(request: HttpRequest, number: str, position: int) -> HttpResponseBase:
    """Lists the events behind one line: orders, times and prices, or for a subscription the eIDs that it counts."""
    line, events = queries.line(actor_of(request), number, position)
    context = {
        "line": line,
        "figures": [
            {"value": money.swedish(line.quantity, decimals=0), "name": _("Antal").lower()},
            {"value": money.swedish(line.unit_price), "name": _("kronor i à-pris")},
            {"value": money.swedish(line.net), "name": _("kronor exkl. moms")},
        ],
    }
    counted = of_month(line.subscriber_id, line.period) if line.subscriber_id else None
    if counted is None:
        return page(request, "billing/invoice_line.html", {**context, "list": LineEventList(request, events).shown()})
    listed = CountedList(request, counted, {"invoice": number, "line": position})
    return listed.answer(lambda shown: page(request, "billing/invoice_counted.html", {**context, **listed.context(shown)}))


@require_safe
def invoice_line_csv(request: HttpRequest, number: str, position: int) -> HttpResponse:
    """Returns all events behind one line as a CSV file."""
    return _attachment(downloads.line_events(actor=actor_of(request), number=number, position=position))
