"""Lägg till behörighetsroll: a role in one or several organisations, or as an area's issuer, for a person found by search.

All three pages have the same flow (ADR 0188): search, choose, give, then go back or continue with the next person.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from authn.web import kept_form
from issuance.authz import Action, Role, policy
from issuance.authz.roles import AREA_ROLES, ORGANISATION_ROLES
from issuance.organisations.models import IssuingArea
from issuance.organisations.queries import places
from issuance.records.web.frame import ADMINISTRATION, Crumb, actor_of, recent_login, render_page
from issuance.records.web.places import way_to_area, way_to_organisation
from issuance.roles.models.grants import RoleGrant
from issuance.roles.queries import role_tree, role_words, roles
from issuance.roles.services import role_assignment
from issuance.roles.services.role_periods import Period
from issuance.roles.web import holder_finding, role_given
from issuance.roles.web.holder_finding import Found
from issuance.roles.web.role_forms import AddHolderForm
from siths_portal.lib.errors import Conflict, Forbidden, Invalid
from siths_portal.lib.http.answer_times import in_step
from siths_portal.lib.ids import ids_of


@dataclass(frozen=True)
class Place:
    """The place of the new role, and the page's frame.

    `reach` is the argument of `assign_roles`; it is empty if the places are picked in the tree of `area_id`. `post_area` is the
    area in which the holder needs an assignment.
    """

    name: str
    post_area: UUID
    reach: Sequence[UUID]
    assignable: Sequence[Role]
    may_protect: bool
    heading: str
    crumbs: Sequence[Crumb]
    back_url: str
    area_id: UUID | None = None
    goes_on: bool = True

    @property
    def only(self) -> Role | None:
        """The role, if only one can be given."""
        return self.assignable[0] if len(self.assignable) == 1 else None

    @property
    def button(self) -> str:
        """The label of the submit button."""
        return _("Lägg till rollen") if self.goes_on else self.heading


@require_http_methods(["GET", "HEAD", "POST"])
def organisation_role_add(request: HttpRequest, organisation_id: UUID) -> HttpResponse:
    """Gives a person a role in the organisation. Raises NotFound, Forbidden."""
    actor = actor_of(request)
    found = roles.organisation(actor=actor, organisation_id=organisation_id)
    head = places.organisation_head(actor=actor, organisation_id=organisation_id)
    assignable, may_protect = _assignable(request, found.scope_path, ORGANISATION_ROLES)
    back_url = reverse("organisation_roles", args=[head.id])
    place = Place(
        name=f"{_('Organisation')} {head.name}",
        post_area=found.area_id,
        reach=[found.id],
        assignable=assignable,
        may_protect=may_protect,
        heading=_("Lägg till behörighetsroll"),
        crumbs=[*way_to_organisation(head), Crumb(_("Behörighetsroller"), back_url), Crumb(_("Lägg till behörighetsroll"))],
        back_url=back_url,
    )
    return _respond(request, place)


@require_http_methods(["GET", "HEAD", "POST"])
def area_role_add(request: HttpRequest, area_id: UUID) -> HttpResponse:
    """Gives a person a role in organisations of the area, and stays on the page for the next person.

    Raises NotFound, Forbidden.
    """
    place = _in_area(request, area_id, ORGANISATION_ROLES, _("Lägg till roller"))
    return _respond(request, replace(place, reach=[], area_id=area_id))


@require_http_methods(["GET", "HEAD", "POST"])
def area_issuer_add(request: HttpRequest, area_id: UUID) -> HttpResponse:
    """Makes a person responsible issuer of the area. Raises NotFound, Forbidden."""
    place = _in_area(request, area_id, AREA_ROLES, _("Utse ansvarig utgivare"))
    return _respond(request, replace(place, goes_on=False))


def _in_area(request: HttpRequest, area_id: UUID, within: frozenset[Role], heading: str) -> Place:
    """Returns the area itself as the place of a role."""
    actor = actor_of(request)
    area = policy.get(actor, Action.ASSIGN_ROLE, IssuingArea.objects, area_id)
    head = places.area_head(actor=actor, area_id=area_id)
    assignable, may_protect = _assignable(request, area.scope_path, within)
    return Place(
        name=f"{_('Utgivningsområde')} {head.name}",
        post_area=area.id,
        reach=[area.id],
        assignable=assignable,
        may_protect=may_protect,
        heading=heading,
        crumbs=[*way_to_area(head), Crumb(heading)],
        back_url=reverse("area", args=[head.id]),
    )


def _respond(request: HttpRequest, place: Place) -> HttpResponse:
    if step_up := recent_login(request):
        return step_up
    if request.method != "POST":
        typed = kept_form(request) or QueryDict()
        initial = {"role": place.only.value if place.only else "", **{name: typed[name] for name in typed}}
        form = AddHolderForm(place.assignable, may_protect=place.may_protect, initial=initial)
        found = holder_finding.earlier_search(request, typed.get("sokning", ""), area_id=place.post_area)
        return _adding(request, place, form, found, typed=typed)
    form = AddHolderForm(place.assignable, request.POST, may_protect=place.may_protect)
    found = holder_finding.earlier_search(request, request.POST.get("sokning", ""), area_id=place.post_area)
    text = request.POST.get("text", "").strip()
    unchanged = holder_finding.is_same_text(found, text)
    if _searches_organisations(request, unchanged=unchanged or not text):
        form.fields["role"].required = False
        form.is_valid()
        return _adding(request, place, form, found if unchanged else None)
    if "sok" in request.POST or (text and not unchanged):
        form.fields["role"].required = False
        form.is_valid()
        found, status = holder_finding.search(request, form, area_id=place.post_area)
        return _adding(request, place, form, found, status=status, unconfirmed="sok" not in request.POST)
    if not form.is_valid():
        return _adding(request, place, form, found, status=Invalid.http_status)
    try:
        grants = _give(request, place, form, found if unchanged else None)
    except (Conflict, Invalid, Forbidden) as error:
        if isinstance(error, Forbidden) and not error.fields:
            raise
        form.take(error)
        return _adding(request, place, form, found, status=error.http_status)
    role_given.add_message(request, grants)
    stays = place.area_id or "fortsatt" in request.POST
    return redirect(request.path if stays else place.back_url)


def _searches_organisations(request: HttpRequest, *, unchanged: bool) -> bool:
    """True if the user searches for organisations, by that button or by Enter in that field, which submits the first button."""
    if "sok_plats" in request.POST:
        return True
    other = request.POST.get("ort", "").strip() != request.POST.get("ort_sokt", "").strip()
    return "sok" in request.POST and unchanged and other


def _give(request: HttpRequest, place: Place, form: AddHolderForm, found: Found | None) -> list[RoleGrant]:
    """Gives the role to the picked person. Raises what `assign_roles` raises, and Invalid without a person or place."""
    person_id = holder_finding.require_person(found, request.POST.get("person", ""))
    reach = place.reach if place.area_id is None else _picked(request.POST)
    if not reach:
        message = _("Kryssa för minst en organisation.")
        raise Invalid("role-reach", message, fields={"plats": [message]})
    return role_assignment.assign_roles(
        actor=actor_of(request),
        person_id=person_id,
        role=Role(form.cleaned_data["role"]),
        reach=reach,
        protected_persons=form.cleaned_data.get("protected_persons", False),
        period=Period(form.cleaned_data["valid_from"], form.cleaned_data["valid_to"]),
    )


def _picked(typed: QueryDict) -> list[UUID]:
    """Returns the ticked organisations, each once."""
    return ids_of(typed.getlist("plats"))


def _adding(
    request: HttpRequest,
    place: Place,
    form: AddHolderForm,
    found: Found | None,
    *,
    typed: QueryDict | None = None,
    status: int = 200,
    unconfirmed: bool = False,
) -> HttpResponse:
    given = request.POST if typed is None else typed
    needs_search = found is None and request.method != "POST"
    if needs_search or (found is not None and not found.hits):
        form.fields["text"].widget.attrs["autofocus"] = True
    tree = _tree(request, place.area_id, given) if place.area_id and place.assignable else {}
    if tree:
        form.fields["plats"].widget.attrs["id"] = _first_of(tree["area_places"])
    if place.only:
        form.settle_role()
    if form.errors and not place.assignable:
        form.refuse(_("Du kan inte ge några roller här."))
    context = {
        "form": form,
        "place": place,
        "only": place.only,
        "found": found,
        "picked": given.get("person", ""),
        "unconfirmed": unconfirmed,
        "rights": role_words.table(place.assignable),
        "training": role_words.needs_training(place.assignable),
        **tree,
    }
    shown = render_page(
        request,
        ADMINISTRATION,
        "roles/add.html",
        context,
        heading=place.heading,
        kind=place.name,
        crumbs=place.crumbs,
        status=status,
    )
    return in_step(shown) if found is not None and not found.hits else shown


def _tree(request: HttpRequest, area_id: UUID, given: QueryDict) -> dict[str, Any]:
    """Returns the context of `roles/area_places.html`."""
    asked, ticked = given.get("ort", "").strip()[:_LONGEST], _picked(given)
    found = role_tree.of_area(actor=actor_of(request), area_id=area_id, text=asked, picked=set(ticked))
    few = found.is_large or role_tree.count(found.tops) <= _OPEN_TREE
    return {"area_places": found, "asked": asked, "ticked": [str(pk) for pk in ticked], "few": few}


def _first_of(shown: role_tree.AreaPlaces) -> str:
    """Returns the id to which an error of the organisations links: the first box, the search field, or their frame."""
    if shown.tops:
        return f"plats_{shown.tops[0].id}"
    return "id_ort" if shown.is_large else "platser"


_LONGEST = 100
_OPEN_TREE = 40
"""The largest tree that is shown unfolded. Search results are always unfolded."""


def _assignable(request: HttpRequest, scope_path: str, within: frozenset[Role]) -> tuple[list[Role], bool]:
    """Returns the roles in `within` that the actor may give over the path, and whether with the add-on."""
    actor = actor_of(request)
    found = [role for role in Role if role in policy.assignable(actor, scope_path) & within]
    protect = [policy.may_assign(actor, role, scope_path, protected_persons=True) for role in found]
    return found, any(protect)
