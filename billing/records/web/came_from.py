"""The way back from the page of a customer to the month from which one came to repair it: `?fran=` in its address."""

from dataclasses import dataclass
from uuid import UUID

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _

from billing.records.domain.periods import Month

RUNNING = "lopande"


@dataclass(frozen=True)
class WayBack:
    """A link back, and the query that keeps it over the pages between."""

    url: str
    text: str
    query: str


def with_way_back(url: str, came_from: str) -> str:
    """Returns the URL of a customer's page with a link back to `came_from`: `RUNNING`, or the code of a month with a run."""
    return f"{url}?fran={came_from}"


def way_back(request: HttpRequest, customer: UUID | None) -> WayBack | None:
    """Returns the link back that the address of the page asks for, or None without a month in it.

    `customer` is the customer whose running month the link shows; None for an organisation that is no customer yet.
    """
    came_from = request.GET.get("fran", "")
    query = f"?fran={came_from}"
    if came_from == RUNNING:
        chosen = f"?kund={customer}" if customer else ""
        return WayBack(reverse("invoices_running") + chosen, _("Tillbaka till löpande månad"), query)
    try:
        month = Month.parse(came_from)
    except ValueError:
        return None
    return WayBack(reverse("invoice_run", args=[month]), _("Tillbaka till {month}").format(month=month), query)
