"""The page that moves an organisation: search for a place, see the consequences, confirm (ADR 0181)."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from issuance.administration.queries import history
from issuance.authz import Actor
from issuance.organisations.queries import moving, places
from issuance.organisations.queries.places import OrganisationHead
from issuance.organisations.services.moving import move_organisation
from issuance.organisations.web.forms import PlaceSearchForm
from issuance.organisations.web.organisations import customisation_words
from issuance.records.services.editing import Outdated
from issuance.records.web.frame import actor_of
from issuance.records.web.places import demand_there, organisation_page
from siths_portal.lib.errors import Conflict, DomainError, Forbidden, Invalid, NotFound


@require_http_methods(["GET", "HEAD", "POST"])
def organisation_move(request: HttpRequest, organisation_id: UUID) -> HttpResponse:
    """Searches for places, shows the consequences of a move to one, or moves after confirmation. Raises NotFound, Forbidden."""
    actor = actor_of(request)
    head = places.organisation_head(actor=actor, organisation_id=organisation_id)
    demand_there(head, head.may_change)
    if request.method != "POST":
        return _search_page(request, head, PlaceSearchForm())
    target = request.POST.get("target", "")
    if not target:
        return _places_page(request, actor, head)
    if "bekrafta" not in request.POST:
        return _consequences_page(request, actor, head, target)
    return _move(request, actor, head, target)


def _places_page(request: HttpRequest, actor: Actor, head: OrganisationHead) -> HttpResponse:
    """Shows the places found, or an error if the user chose none of them."""
    form = PlaceSearchForm(request.POST)
    if not form.is_valid():
        return _search_page(request, head, form, status=Invalid.http_status)
    found = moving.places(actor=actor, organisation_id=head.id, text=form.cleaned_data["text"])
    unchosen = "valj" in request.POST and bool(found)
    if unchosen:
        form.add_error(None, _("Välj en plats i listan."))
    context = {
        "places": found[: moving.MOST],
        "too_many": len(found) > moving.MOST,
        "searched": form.cleaned_data["text"],
    }
    return _search_page(request, head, form, context, status=Invalid.http_status if unchosen else 200)


def _search_page(
    request: HttpRequest,
    head: OrganisationHead,
    form: PlaceSearchForm,
    context: dict[str, Any] | None = None,
    *,
    status: int = 200,
) -> HttpResponse:
    return _page(request, "organisations/move.html", head, {"form": form, **(context or {})}, status=status)


def _consequences_page(
    request: HttpRequest, actor: Actor, head: OrganisationHead, target: str, *, error: DomainError | None = None
) -> HttpResponse:
    """Shows the consequences of the move, with `error` if the move was refused."""
    try:
        brings = moving.consequences(actor=actor, organisation_id=head.id, target=target)
    except (Conflict, Forbidden, NotFound) as refusal:
        form = PlaceSearchForm({})
        form.errors.clear()
        # The place was offered but may no longer be chosen: it was closed, or the reader's role there ended.
        ended = _("Organisationen kan inte ligga där längre. Sök en annan plats.")
        form.add_error(None, ended if isinstance(refusal, Forbidden) else refusal.message)
        return _search_page(request, head, form, status=refusal.http_status)
    context = {
        "lead": "",
        "brings": brings,
        "target": target,
        "customisation_before": customisation_words(brings.customisation_before),
        "customisation_after": customisation_words(brings.customisation_after),
        "error": error,
        "others": history.changes_of_others(actor, error.changes) if isinstance(error, Outdated) else (),
    }
    status = error.http_status if error else 200
    return _page(request, "organisations/move_confirm.html", head, context, status=status)


def _move(request: HttpRequest, actor: Actor, head: OrganisationHead, target: str) -> HttpResponse:
    kind, _colon, pk = target.partition(":")
    given = request.POST.get("version", "")
    try:
        place = UUID(pk)
        version = int(given) if given.isascii() and given.isdecimal() and len(given) < 10 else 0
    except ValueError:
        return _consequences_page(request, actor, head, target)
    try:
        move_organisation(
            actor=actor,
            organisation_id=head.id,
            parent_id=None if kind == "area" else place,
            area_id=place if kind == "area" else None,
            version=version,
        )
    except (Conflict, Forbidden, NotFound) as error:
        return _consequences_page(request, actor, head, target, error=error)
    messages.success(request, _("Organisationen är flyttad."))
    return redirect("organisation", head.id)


def _page(
    request: HttpRequest, template: str, head: OrganisationHead, context: dict[str, Any], *, status: int = 200
) -> HttpResponse:
    lead = _("Organisationen flyttas med alla sina underorganisationer. Du får se vad flytten innebär innan du bekräftar.")
    more = {"head": head, "lead": lead, "cancel_url": reverse("organisation", args=[head.id]), **context}
    return organisation_page(request, template, head, more, here="organisation", step=_("Flytta organisationen"), status=status)
