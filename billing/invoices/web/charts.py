"""The charts of invoiced sums, and of cards and subscriptions, by month."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _

from billing.invoices.queries.invoices import MonthPieces
from billing.records.domain import money
from billing.records.domain.periods import Month
from siths_portal.lib.pages.charts import HALF, Chart, Point, bar_chart

MONTHS_SHOWN = 12


def months_chart(months: Sequence[Month], net: Sequence[Decimal]) -> Chart | None:
    """Returns the chart of the sums by month, given from the newest; None for a single month."""
    if len(months) < 2:
        return None
    newest = list(zip(months, net, strict=True))[:MONTHS_SHOWN]
    return bar_chart(
        [
            Point(str(month)[:3], str(month).capitalize(), max(float(amount), 0.0), money.swedish(amount))
            for month, amount in reversed(newest)
        ]
    )


def pieces_charts(pieces: Sequence[MonthPieces]) -> list[dict[str, Any]]:
    """Returns the charts of cards and of subscriptions with their texts, each on its own scale; none for a single month."""
    if len(pieces) < 2:
        return []
    named = (
        ("kort-per-manad", _("Kort och brev per månad"), _("Kort och brev"), [each.cards for each in pieces]),
        ("abonnemang-per-manad", _("Abonnemang per månad"), _("Abonnemang"), [each.subscriptions for each in pieces]),
    )
    return [
        {"id": key, "title": title, "heading": heading, "chart": _pieces_chart([each.month for each in pieces], values)}
        for key, title, heading, values in named
    ]


def _pieces_chart(months: Sequence[Month], values: Sequence[Decimal]) -> Chart:
    points = [
        Point(str(month)[:3], str(month).capitalize(), max(float(value), 0.0), money.swedish(value, decimals=0))
        for month, value in zip(months, values, strict=True)
    ]
    return bar_chart(points, room=HALF)
