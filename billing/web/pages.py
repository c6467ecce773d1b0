"""The frame of the invoice pages, and the figures above their lists."""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any, cast

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _

from billing.domain import line_kinds, money
from billing.domain.invoices import InvoiceContent
from billing.domain.periods import Month
from issuance.authz import Action, Actor, policy
from siths_portal.lib.pages.charts import Chart, Point, bar_chart

TAB = "invoices"
_MINUS = "\N{MINUS SIGN}"
_MONTHS_SHOWN = 12


def actor_of(request: HttpRequest) -> Actor:
    """Returns the actor of the request."""
    return cast(Actor, cast(Any, request).actor)


def page(request: HttpRequest, template: str, context: dict[str, Any], *, here: str = "", status: int = 200) -> HttpResponse:
    """Renders a page of invoices. `here` is the URL name of the menu's entry to mark."""
    return render(request, template, {"tab": TAB, "menu": list(_menu(request, here)), **context}, status=status)


def _menu(request: HttpRequest, here: str) -> Iterable[dict[str, Any]]:
    entries = [("invoices", _("Utfärdade fakturor")), ("invoices_running", _("Löpande månad"))]
    if policy.holds(actor_of(request), Action.CORRECT_INVOICE_SERIES):
        entries.append(("invoice_series", _("Nummerserie")))
    return ({"text": text, "url": reverse(name), "here": name == here} for name, text in entries)


def figures(content: InvoiceContent, first: tuple[Decimal, str], before: Decimal | None) -> list[dict[str, str]]:
    """Returns the figures of an invoice: the sum `first` with its name, the pieces of each kind, the change of the sum.

    `before` is the same sum of the month before; None leaves the change out.
    """
    amount, name = first
    found = [{"value": money.swedish(amount), "name": name}]
    for kind in line_kinds.declared():
        pieces = [line.quantity for line in content.lines if line.kind == kind.code]
        if pieces:
            found.append({"value": money.swedish(sum(pieces, Decimal(0)), decimals=0), "name": kind.name.lower()})
    if before is not None:
        found.append(_change(amount, before, content.month.previous()))
    return found


def months_chart(months: Sequence[Month], net: Sequence[Decimal]) -> Chart | None:
    """Returns the chart of the sums by month, given from the newest; None for a single month."""
    if len(months) < 2:
        return None
    newest = list(zip(months, net, strict=True))[:_MONTHS_SHOWN]
    return bar_chart(
        [
            Point(str(month)[:3], str(month).capitalize(), float(amount), money.swedish(amount))
            for month, amount in reversed(newest)
        ]
    )


def _change(amount: Decimal, before: Decimal, month: Month) -> dict[str, str]:
    change = amount - before
    earlier = _("{month}: {amount}").format(month=month, amount=money.swedish(before))
    if not change:
        return {"value": "±0", "name": _("kronor i skillnad"), "before": earlier}
    name = _("kronor mer än i {month}") if change > 0 else _("kronor mindre än i {month}")
    sign = "+" if change > 0 else _MINUS
    value = f"{sign}{money.NO_BREAK_SPACE}{money.swedish(abs(change))}"
    return {"value": value, "name": name.format(month=month), "before": earlier}
