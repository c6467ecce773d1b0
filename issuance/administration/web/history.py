"""Pages of the change history of an area and of an organisation."""

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from issuance.administration.queries import area_history as of_area
from issuance.organisations.queries import places
from issuance.records.web.frame import Tab, actor_of
from issuance.records.web.history import TEMPLATE, context_of, history_context
from issuance.records.web.lists import number_cursor
from issuance.records.web.places import area_page, organisation_page

_EVERYTHING = "allt"
_COVERS = {
    False: gettext_lazy("Här står vad som har hänt med själva utgivningsområdet och dess ansvariga utgivare."),
    True: gettext_lazy(
        "Här står vad som har hänt med området och allt som ligger i det nu: kontor, och organisationer med deras artiklar, "
        "kortanpassningar, kvittenstexter och roller. En organisation som flyttas till ett annat område tar sin historik med sig."
    ),
}
"""Descriptions of an area's history; the key is True for the history with everything in the area."""


@require_safe
def area_history(request: HttpRequest, area_id: UUID) -> HttpResponse:
    """Shows the changes of an area, or with `?visa=allt` of everything in it. Raises NotFound, Forbidden."""
    head = places.area_head(actor=actor_of(request), area_id=area_id)
    everything = request.GET.get("visa") == _EVERYTHING
    if everything:
        found = of_area.history(actor=actor_of(request), area_id=area_id, before=number_cursor(request))
        context = context_of(request, found, f"visa={_EVERYTHING}")
    else:
        context = history_context(request, "area", area_id)
    context["covers"] = _COVERS[everything]
    context["choices"] = [
        Tab(_("Bara området"), request.path, not everything),
        Tab(_("Allt i området"), f"{request.path}?visa={_EVERYTHING}", everything),
    ]
    return area_page(request, TEMPLATE, head, context, here="area_history")


@require_safe
def organisation_history(request: HttpRequest, organisation_id: UUID) -> HttpResponse:
    """Shows the changes of an organisation. Raises NotFound, Forbidden."""
    head = places.organisation_head(actor=actor_of(request), organisation_id=organisation_id)
    context = history_context(request, "organisation", organisation_id)
    return organisation_page(request, TEMPLATE, head, context, here="organisation_history")
