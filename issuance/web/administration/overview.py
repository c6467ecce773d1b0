"""Översikt: where Administrera begins."""

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from issuance.queries.administration import areas, paging
from issuance.web.administration.around import (
    Crumb,
    actor_of,
    columns,
    configuration_page,
    cursor,
    first_url,
    next_url,
    page,
)


@require_safe
@configuration_page
def overview(request: HttpRequest) -> HttpResponse:
    """The issuing areas in sight. Raises Forbidden."""
    order = paging.order_of(request.GET.get("ordning", ""), areas.AREA_COLUMNS, "namn")
    found = areas.areas(actor=actor_of(request), order=order, after=cursor(request))
    context = {
        "areas": found.rows,
        "columns": columns(request, order, [("namn", _("Utgivningsområde")), ("utgivare", _("Utgivande organisation"))]),
        "next_url": next_url(request, found.after, order),
        "first_url": first_url(request, order),
    }
    return page(request, "administration/overview.html", context, heading=_("Översikt"), crumbs=[Crumb(_("Översikt"))])
