"""The search page and its hits. Values are posted and never appear in URLs; the search's id does (S22)."""

import re
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy
from django.views.decorators.http import require_http_methods, require_safe

from issuance.authz import Action, policy
from issuance.records.web.frame import SEARCH, actor_of, render_page, session_id_of
from issuance.roles.queries import own_training
from issuance.search.domain.search_terms import TermKind
from issuance.search.models import Search
from issuance.search.services import card_searches, catalogue_searching, searching
from issuance.search.web.forms import SearchForm
from issuance.search.web.lists import WIDER, HitList, written
from siths_portal.lib.errors import Invalid, Refused, Unavailable
from siths_portal.lib.http.answer_times import in_step

_END_OF_A_NUMBER = re.compile(r"[0-9]{4}")  # which may be meant as a card's
_CATALOGUE_AWAY = _lazy(
    "Portalen har ingen sådan person inom din behörighet, och HSA-katalogen eller personregistret svarar inte just nu. "
    "Är uppdraget nytt, sök igen om en stund."
)


@require_http_methods(["GET", "HEAD", "POST"])
@SEARCH.requires()
def search(request: HttpRequest) -> HttpResponse:
    """Shows the form; after a post redirects to the only person found or else to the hits. Raises Forbidden, TooManyRequests."""
    if request.method != "POST":
        return _page(request, SearchForm())
    form = SearchForm(request.POST)
    if not form.is_valid():
        return _page(request, form, status=Invalid.http_status)
    try:
        found = catalogue_searching.search(
            actor=actor_of(request),
            session_id=session_id_of(request),
            action=Action.ORDER_ORDINARY_CARD,
            **form.cleaned_data,
        )
    except Invalid as error:
        form.take(error)
        return _page(request, form, status=Invalid.http_status)
    except (Unavailable, Refused) as error:
        form.add_error("text", _CATALOGUE_AWAY)
        return _page(request, form, status=error.http_status)
    if found.person_id is None:
        return in_step(redirect("search_hits", found.id))
    if found.extended:
        messages.info(
            request, _("Sökningen gjordes med utökat sökomfång. Personen är öppen för dig en stund, för att se och spärra.")
        )
    elif found.kind == TermKind.HSA_ID and _END_OF_A_NUMBER.fullmatch(found.value):
        messages.info(request, _("Du sökte på slutet av ett tjänste-id. Skriv alla 19 siffror för att hitta ett kort."))
    return _to_person(request, found)


@require_safe
@SEARCH.requires()
def hits(request: HttpRequest, search_id: UUID) -> HttpResponse:
    """Shows the hits of a search of the user's own session, or redirects to its one hit. Raises NotFound."""
    actor = actor_of(request)
    found = searching.own(actor=actor, session_id=session_id_of(request), search_id=search_id)
    if found.person_id is not None:
        return _to_person(request, found)
    listed = HitList(request, actor, found).shown()
    # A name too is shown in the first field, which has the focus, so that the next scan replaces it.
    wider = WIDER in request.GET and searching.may_extend(actor)
    typed = {"text": written(found), "extended": found.extended or wider, "reason": found.reason}
    page = _page(request, SearchForm(initial=typed), {"list": listed})
    return page if listed.lines else in_step(page)


def _to_person(request: HttpRequest, found: Search) -> HttpResponse:
    """Redirects to the person's page, with the scanned card open; who only revokes comes to the card's page of revocation."""
    if card := card_searches.card_to_revoke(actor=actor_of(request), search=found):
        return redirect(f"{reverse('carrier_revoke', args=[card])}?sokning={found.id}")
    carrier_id = searching.found_carrier(actor=actor_of(request), search=found)
    address = reverse("person", args=[found.person_id])
    return redirect(f"{address}?barare={carrier_id}" if carrier_id else address)


def _page(request: HttpRequest, form: SearchForm, context: dict[str, Any] | None = None, *, status: int = 200) -> HttpResponse:
    actor = actor_of(request)
    shown = {
        "form": form,
        "may_extend": searching.may_extend(actor),
        "may_revoke": policy.holds(actor, Action.REVOKE_CARRIER),
        "training": own_training.notice(actor),
    }
    return render_page(request, SEARCH, "search/search.html", {**shown, **(context or {})}, status=status)
