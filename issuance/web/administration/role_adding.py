"""Lägg till behörighetsroll: a role in an organisation, or the responsible issuer of an area, for a person searched for there."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from issuance.authz import Action, Role, policy
from issuance.authz.roles import AREA_ROLES, ORGANISATION_ROLES
from issuance.domain.ids import parse_swedish_number
from issuance.domain.search_terms import TermKind
from issuance.models import IssuingArea, Search
from issuance.queries import words
from issuance.queries.administration import places, role_reach, role_words, roles
from issuance.services import catalogue_reading, role_assignment, searching
from issuance.services.role_assignment import Period
from issuance.web.administration.around import Crumb, actor_of, page, way_to_area, way_to_organisation
from issuance.web.administration.role_forms import AddHolderForm
from issuance.web.administration.role_frame import kept, recent_login
from siths_portal.lib import clock
from siths_portal.lib.errors import Conflict, Invalid, Refused, Unavailable


@dataclass(frozen=True)
class Place:
    """Where a role is given: the reach as `assign_role` takes it, what the actor may give there, and the page's frame."""

    name: str
    reach: dict[str, UUID]
    assignable: Sequence[Role]
    may_protect: bool
    heading: str
    crumbs: Sequence[Crumb]
    back_url: str

    @property
    def only(self) -> Role | None:
        """The role, where one alone can be given."""
        return self.assignable[0] if len(self.assignable) == 1 else None


@require_http_methods(["GET", "HEAD", "POST"])
def organisation_role_add(request: HttpRequest, organisation_id: UUID) -> HttpResponse:
    """Picks a role, finds a person and gives him the role here. Raises NotFound, Forbidden, TooManyRequests."""
    actor = actor_of(request)
    found = roles.organisation(actor=actor, organisation_id=organisation_id)
    head = places.organisation_head(actor=actor, organisation_id=organisation_id)
    assignable, may_protect = _assignable(request, found.scope_path, ORGANISATION_ROLES)
    back_url = reverse("organisation_roles", args=[head.id])
    place = Place(
        name=head.name,
        reach={"organisation_id": found.id},
        assignable=assignable,
        may_protect=may_protect,
        heading=_("Lägg till behörighetsroll"),
        crumbs=[*way_to_organisation(head), Crumb(_("Behörighetsroller"), back_url), Crumb(_("Lägg till behörighetsroll"))],
        back_url=back_url,
    )
    return _answer(request, place)


@require_http_methods(["GET", "HEAD", "POST"])
def area_issuer_add(request: HttpRequest, area_id: UUID) -> HttpResponse:
    """Finds a person and makes him responsible issuer of the area. Raises NotFound, Forbidden, TooManyRequests."""
    actor = actor_of(request)
    area = policy.get(actor, Action.ASSIGN_ROLE, IssuingArea.objects.all(), area_id)
    head = places.area_head(actor=actor, area_id=area_id)
    assignable, may_protect = _assignable(request, area.scope_path, AREA_ROLES)
    heading = _("Utse ansvarig utgivare")
    place = Place(
        name=head.name,
        reach={"area_id": area.id},
        assignable=assignable,
        may_protect=may_protect,
        heading=heading,
        crumbs=[*way_to_area(head), Crumb(heading)],
        back_url=reverse("area", args=[head.id]),
    )
    return _answer(request, place)


def _answer(request: HttpRequest, place: Place) -> HttpResponse:
    if step_up := recent_login(request):
        return step_up
    if request.method != "POST":
        typed = kept(request)
        initial = {**({"role": place.only.value} if place.only else {}), **typed}
        form = AddHolderForm(place.assignable, may_protect=place.may_protect, initial=initial)
        return _adding(request, place, form, search_id=typed.get("sokning", ""), picked=typed.get("person", ""))
    form = AddHolderForm(place.assignable, request.POST, may_protect=place.may_protect)
    if "sok" in request.POST:
        return _search(request, place, form)
    search_id = request.POST.get("sokning", "")
    if not form.is_valid():
        return _adding(request, place, form, search_id=search_id, status=Invalid.http_status)
    try:
        _give(request, place, form)
    except (Conflict, Invalid) as error:
        form.take(error)
        return _adding(request, place, form, search_id=search_id, status=error.http_status)
    messages.success(request, _("Behörighetsrollen är tillagd."))
    return redirect(place.back_url)


def _give(request: HttpRequest, place: Place, form: AddHolderForm) -> None:
    """Gives the role to the person who was picked. Raises what `assign_role` does, Invalid if nobody was."""
    person_id = _uuid(request.POST.get("person", ""))
    if person_id is None:
        raise Invalid("person-missing", _("Sök och välj en person."), fields={"text": [_("Sök och välj en person.")]})
    role_assignment.assign_role(
        actor=actor_of(request),
        person_id=person_id,
        role=Role(form.cleaned_data["role"]),
        protected_persons=form.cleaned_data.get("protected_persons", False),
        period=Period(form.cleaned_data["valid_from"], form.cleaned_data["valid_to"]),
        area_id=place.reach.get("area_id"),
        organisation_id=place.reach.get("organisation_id"),
    )


def _search(request: HttpRequest, place: Place, form: AddHolderForm) -> HttpResponse:
    """The person searched for, among those to whom the actor may give roles. What else was chosen stays chosen."""
    form.fields["role"].required = False
    if not form.is_valid():
        return _adding(request, place, form, status=Invalid.http_status)
    try:
        found = _found(request, form.cleaned_data["text"])
    except (Invalid, Unavailable, Refused) as error:
        form.take(error)
        return _adding(request, place, form, status=error.http_status)
    return _adding(request, place, form, search_id=str(found.id))


def _found(request: HttpRequest, text: str) -> Search:
    """The search; one by a whole person id that finds nobody asks the catalogue, and looks again if it knew somebody."""
    actor, session_id = actor_of(request), request.user.session_id  # type: ignore[union-attr]
    found = searching.search(actor=actor, session_id=session_id, text=text)
    if found.hits or found.kind != TermKind.PERSON_ID:
        return found
    if not catalogue_reading.read_person(actor=actor, person_id=parse_swedish_number(found.value, today=clock.today())):
        return found
    return searching.search(actor=actor, session_id=session_id, text=text)


def _adding(
    request: HttpRequest, place: Place, form: AddHolderForm, *, search_id: str = "", picked: str = "", status: int = 200
) -> HttpResponse:
    found, more = _hits(request, search_id)
    context = {
        "form": form,
        "only": place.only,
        "back_url": place.back_url,
        "search_id": search_id,
        "hits": found,
        "more": more,
        "searched": bool(search_id),
        "picked": request.POST.get("person", picked),
        "rights": role_words.table(place.assignable),
    }
    return page(
        request,
        "administration/roles/add.html",
        context,
        heading=place.heading,
        kind=place.name,
        crumbs=place.crumbs,
        status=status,
    )


def _hits(request: HttpRequest, search_id: str) -> tuple[list[dict[str, Any]], bool]:
    """Whom a search of one's own session found among those to whom the actor may give roles, and whether there are more.

    Oneself is told and off.
    """
    pk, user = _uuid(search_id), request.user
    if pk is None:
        return [], False
    actor = actor_of(request)
    found = searching.own(actor=actor, session_id=user.session_id, search_id=pk)  # type: ignore[union-attr]
    page_of = searching.hits(actor=actor, search=found)
    allowed = role_reach.may_get_roles(actor=actor, person_ids=[hit.person_id for hit in page_of.hits])
    hits = [
        {
            "id": hit.person_id,
            "name": hit.name,
            "number": words.person_number(hit.number_kind, hit.number),
            "hsa_ids": hit.hsa_ids,
            "reason": _("Du kan inte ge dig själv en roll.") if hit.person_id == actor.person_id else "",
        }
        for hit in page_of.hits
        if hit.person_id in allowed
    ]
    return hits, page_of.too_many or page_of.after is not None


def _assignable(request: HttpRequest, scope_path: str, within: frozenset[Role]) -> tuple[list[Role], bool]:
    """Of the roles `within`, those that the actor may give over the path; and whether with the add-on."""
    actor = actor_of(request)
    found = [role for role in Role if role in policy.assignable(actor, scope_path) & within]
    protect = [policy.may_assign(actor, role, scope_path, protected_persons=True) for role in found]
    return found, any(protect)


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
