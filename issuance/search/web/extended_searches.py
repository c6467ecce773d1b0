"""The page of an area's searches that its responsible issuer follows up."""

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from issuance.authz import Action
from issuance.organisations.queries import places
from issuance.records.web.frame import actor_of, demand
from issuance.records.web.lists import number_cursor
from issuance.records.web.places import area_page
from issuance.search.domain.search_terms import TermKind
from issuance.search.queries import extended_searches

KINDS = {
    TermKind.PERSON_ID: gettext_lazy("Person-id"),
    TermKind.HSA_ID: gettext_lazy("Slutet av ett tjänste-id"),
    TermKind.CARD_SERIAL: gettext_lazy("Kortserienummer"),
    TermKind.ORDER_ID: gettext_lazy("Beställnings-id"),
}


@require_safe
def area_extended_searches(request: HttpRequest, area_id: UUID) -> HttpResponse:
    """Shows extended searches by people of the area, the newest first, above them suspected harvesting. `?fore=` is the cursor
    of older ones. Raises NotFound, Forbidden.
    """
    actor = actor_of(request)
    head = places.area_head(actor=actor, area_id=area_id)
    demand(Action.ASSIGN_ROLE in head.rights)
    found = extended_searches.extended_searches(actor=actor, area_id=area_id, before=number_cursor(request))
    context = {
        "rows": [(row, KINDS.get(TermKind(row.kind), row.kind)) for row in found.rows],
        "patterns": found.patterns,
        "next_url": f"{request.path}?fore={found.before}" if found.before else "",
        "first_url": request.path if "fore" in request.GET else "",
    }
    step = _("Utökade sökningar")
    return area_page(request, "search/extended_searches.html", head, context, here="area", step=step)
