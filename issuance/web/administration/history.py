"""Historik of an area and of an organisation."""

from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from issuance.queries.administration import history, places
from issuance.web.administration.around import actor_of
from issuance.web.administration.frames import area_page, organisation_page

TEMPLATE = "administration/history.html"
_LARGEST_ID = 2**63 - 1


@require_safe
def area_history(request: HttpRequest, area_id: UUID) -> HttpResponse:
    """What was done to an area. Raises NotFound, Forbidden."""
    head = places.area_head(actor=actor_of(request), area_id=area_id)
    covers = _(
        "Här står vad som har hänt med själva utgivningsområdet och dess ansvariga utgivare. Varje organisation och kontor har "
        "sin egen historik på sin sida, organisationens med de roller som delats ut där."
    )
    context = {**history_context(request, "area", area_id), "covers": covers}
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
    return {
        "entries": found.entries,
        "next_url": f"{request.path}?fore={found.before}" if found.before else "",
        "first_url": request.path if "fore" in request.GET else "",
    }


def event_cursor(request: HttpRequest) -> int | None:
    """The event that the page ends before; the first page for what is no number of one."""
    given = request.GET.get("fore", "")
    return int(given) if given.isascii() and given.isdecimal() and len(given) < 20 and int(given) <= _LARGEST_ID else None
