"""The chart of invoiced sums by month."""

from collections.abc import Sequence
from decimal import Decimal

from billing.records.domain import money
from billing.records.domain.periods import Month
from siths_portal.lib.pages.charts import Chart, Point, bar_chart

_MONTHS_SHOWN = 12


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
