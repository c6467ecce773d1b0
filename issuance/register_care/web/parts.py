"""The bar of a list: how soon its rows are due."""

from django.utils.translation import gettext as _

from issuance.register_care.queries.work import MONTH, WEEK, WorkFigures
from siths_portal.lib.pages import charts
from siths_portal.lib.pages.charts import Share


def shares_of(figures: WorkFigures) -> tuple[Share, ...]:
    """Returns the shares of the rows by the days left; nothing without rows."""
    within = _("Inom {days} dagar")
    parts = (
        (within.format(days=WEEK), figures.week, "share-2"),
        (within.format(days=MONTH), figures.month - figures.week, "share-1"),
        (_("Senare"), figures.total - figures.month, "share-pale"),
    )
    return charts.shares([Share(name, str(count), count, colour) for name, count, colour in parts])
