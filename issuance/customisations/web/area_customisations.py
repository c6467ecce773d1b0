"""Organisationer utan kortanpassning: gives the generic one to all organisations of an area that have none (ADR 0189)."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods

from issuance.authz import Action
from issuance.customisations.queries import area_customisations as query
from issuance.customisations.queries.customisation_requests import generic_is_ready
from issuance.customisations.services.customisation_requests import use_generic_customisation_in_area
from issuance.customisations.web.lists import PlaceWithoutList
from issuance.organisations.queries import places
from issuance.records.web.frame import actor_of, demand
from issuance.records.web.places import area_page
from siths_portal.lib.errors import Conflict


@require_http_methods(["GET", "HEAD", "POST"])
def area_customisations(request: HttpRequest, area_id: UUID) -> HttpResponse:
    """Lists organisations without a card customisation for those who configure the area. POST gives them the generic one.

    POST requires the right to verify. Raises NotFound, Forbidden.
    """
    actor = actor_of(request)
    head = places.area_head(actor=actor, area_id=area_id)
    verifies = Action.VERIFY_CUSTOMISATION in head.rights
    demand(verifies or (request.method != "POST" and Action.CHOOSE_ARTICLES in head.rights))
    found = query.without_customisation(actor=actor, area_id=area_id)
    if request.method == "POST":
        return _use_generic(request, area_id, found)
    context = {
        "lead": _lead(found.total),
        "found": found,
        "list": PlaceWithoutList(request, found.places).shown(),
        "ready": generic_is_ready(),
        "verifies": verifies,
        "cancel_url": reverse("area", args=[area_id]),
        "generic_url": reverse("customisations") if Action.CREATE_ORGANISATION in head.rights else "",
    }
    step = _("Organisationer utan kortanpassning")
    return area_page(request, "customisations/area_customisations.html", head, context, here="area", step=step)


def _lead(total: int) -> str:
    if not total:
        return ""
    text = ngettext(
        "{n} organisation har ingen kortanpassning, så kort kan inte beställas för den.",
        "{n} organisationer har ingen kortanpassning, så kort kan inte beställas för dem.",
        total,
    )
    return text.format(n=total)


def _use_generic(request: HttpRequest, area_id: UUID, found: query.AreaWithout) -> HttpResponse:
    """Gives the generic customisation, and adds a message with the number of organisations, inheriting ones included."""
    try:
        changed = set(use_generic_customisation_in_area(actor=actor_of(request), area_id=area_id))
    except Conflict as error:
        messages.error(request, error.message)
        return redirect("area_customisations", area_id)
    if not changed:
        messages.info(request, _("Inget ändrades. Alla organisationer har redan en kortanpassning."))
        return redirect("area", area_id)
    count = len(changed) + sum(place.below for place in found.places if place.id in changed)
    text = ngettext(
        "Den generella kortanpassningen gäller nu för {count} organisation, tills den har en egen.",
        "Den generella kortanpassningen gäller nu för {count} organisationer, tills de har egna.",
        count,
    )
    messages.success(request, text.format(count=count))
    return redirect("area", area_id)
