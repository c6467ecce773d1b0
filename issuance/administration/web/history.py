"""Historik of an area and of an organisation."""

from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from issuance.administration.queries import area_history as of_area
from issuance.administration.queries import history
from issuance.administration.queries.history import ConfigurationHistory
from issuance.administration.web.frames import area_page, organisation_page
from issuance.organisations.queries import places
from issuance.records.web.administration_frame import Tab, actor_of

TEMPLATE = "administration/history.html"
_LARGEST_ID = 2**63 - 1
_EVERYTHING = "allt"
_COVERS = {
    False: gettext_lazy("Här står vad som har hänt med själva utgivningsområdet och dess ansvariga utgivare."),
    True: gettext_lazy(
        "Här står vad som har hänt med området och allt som ligger i det nu: kontor, och organisationer med deras artiklar, "
        "kortanpassningar, kvittenstexter och roller. En organisation som flyttas till ett annat område tar sin historik med sig."
    ),
}
"""What an area's history tells of, by whether it is of all that lies in it."""


@require_safe
def area_history(request: HttpRequest, area_id: UUID) -> HttpResponse:
    """What was done to an area; with `?visa=allt` to all that lies in it. Raises NotFound, Forbidden."""
    head = places.area_head(actor=actor_of(request), area_id=area_id)
    whole = request.GET.get("visa") == _EVERYTHING
    if whole:
        found = of_area.history(actor=actor_of(request), area_id=area_id, before=event_cursor(request))
        context = _context(request, found, f"visa={_EVERYTHING}")
    else:
        context = history_context(request, "area", area_id)
    context["covers"] = _COVERS[whole]
    context["choices"] = [
        Tab(_("Bara området"), request.path, not whole),
        Tab(_("Allt i området"), f"{request.path}?visa={_EVERYTHING}", whole),
    ]
    return area_page(request, TEMPLATE, head, context, here="area_history")


@require_safe
def organisation_history(request: HttpRequest, organisation_id: UUID) -> HttpResponse:
    """What was done to an organisation. Raises NotFound, Forbidden."""
    head = places.organisation_head(actor=actor_of(request), organisation_id=organisation_id)
    context = history_context(request, "organisation", organisation_id)
    return organisation_page(request, TEMPLATE, head, context, here="organisation_history")


def history_context(request: HttpRequest, subject_type: str, subject_ref: UUID | str) -> dict[str, Any]:
    """What `administration/history.html` draws of a subject that the actor sees; `?fore=` asks for older events."""
    actor, before = actor_of(request), event_cursor(request)
    found = history.history(actor=actor, subject_type=subject_type, subject_ref=subject_ref, before=before)
    return _context(request, found)


def _context(request: HttpRequest, found: ConfigurationHistory, chosen: str = "") -> dict[str, Any]:
    """A page of history, with the ways to older and newest; `chosen` is what its address says besides."""
    older = "&".join(each for each in (chosen, f"fore={found.before}") if each)
    return {
        "entries": found.entries,
        "next_url": f"{request.path}?{older}" if found.before else "",
        "first_url": f"{request.path}{f'?{chosen}' if chosen else ''}" if "fore" in request.GET else "",
    }


def event_cursor(request: HttpRequest) -> int | None:
    """The event that the page ends before; the first page for what is no number of one."""
    given = request.GET.get("fore", "")
    return int(given) if given.isascii() and given.isdecimal() and len(given) < 20 and int(given) <= _LARGEST_ID else None
