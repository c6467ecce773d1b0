"""The frame of pages about an office's stock of reserve cards."""

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _

from issuance.records.web.frame import STOCK, Crumb, Link, object_page
from issuance.stock.queries.stock import StockHead


def stock_page(
    request: HttpRequest,
    template: str,
    head: StockHead,
    context: Mapping[str, Any] | None = None,
    *,
    step: str = "",
    status: int = 200,
) -> HttpResponse:
    """Renders the page of an office's stock or, with `step`, a page below it."""
    return object_page(
        request,
        STOCK,
        template,
        {"head": head, **(context or {})},
        name=head.name,
        kind=_("Reservkort i lager"),
        way=[Crumb(head.name, reverse("office_stock", args=[head.id]))],
        step=step,
        tabs=(),
        functions=[
            Link(_("Räkna lagret"), reverse("stock_count", args=[head.id])),
            Link(_("Ändra gränsen för lågt lager"), reverse("stock_level", args=[head.id])),
        ],
        status=status,
    )
