"""Redigera roller: the roles of an organisation, given from its side, and the pages that change or end one role."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from issuance.authz import Role, policy
from issuance.authz.roles import ORGANISATION_ROLES
from issuance.models import Organisation
from issuance.queries import words
from issuance.queries.administration import places, role_words, roles
from issuance.queries.administration.places import OrganisationHead
from issuance.queries.administration.roles import GrantLine
from issuance.services import role_assignment, searching
from issuance.services.role_assignment import Period
from issuance.web.administration.around import (
    Crumb,
    Link,
    actor_of,
    cursor,
    first_url,
    next_url,
    page,
    way_to_organisation,
)
from issuance.web.administration.role_forms import AddHolderForm, ChangeRoleForm
from issuance.web.administration.role_frame import kept, person_page, recent_login
from siths_portal.lib.errors import Conflict, Invalid


@require_safe
def organisation_roles(request: HttpRequest, organisation_id: UUID) -> HttpResponse:
    """The roles in an organisation and below it. Raises NotFound, Forbidden."""
    head, organisation = _organisation(request, organisation_id)
    found = roles.of_organisation(actor=actor_of(request), organisation=organisation, after=cursor(request))
    context = {
        "head": head,
        "rows": found.rows,
        "next_url": next_url(request, found.after),
        "first_url": first_url(request),
    }
    functions = [
        Link(_("Lägg till behörighetsroll"), reverse("organisation_role_add", args=[head.id])),
        Link(_("Alla rollinnehavare"), reverse("role_holders")),
        Link(_("Vad får rollen göra?"), reverse("role_rights")),
    ]
    return page(
        request,
        "administration/roles/organisation.html",
        context,
        heading=_("Behörighetsroller"),
        kind=head.name,
        crumbs=[*way_to_organisation(head), Crumb(_("Behörighetsroller"))],
        functions=functions,
    )


@require_http_methods(["GET", "HEAD", "POST"])
def organisation_role_add(request: HttpRequest, organisation_id: UUID) -> HttpResponse:
    """Picks a role, finds a person and gives him the role here. Raises NotFound, Forbidden, TooManyRequests."""
    head, organisation = _organisation(request, organisation_id)
    if step_up := recent_login(request):
        return step_up
    assignable, may_protect = _assignable(request, organisation)
    if request.method != "POST":
        typed = kept(request)
        form = AddHolderForm(assignable, may_protect=may_protect, initial=typed)
        return _adding(request, head, form, assignable, search_id=typed.get("sokning", ""), picked=typed.get("person", ""))
    form = AddHolderForm(assignable, request.POST, may_protect=may_protect)
    if "sok" in request.POST:
        return _search(request, head, form, assignable)
    if not form.is_valid():
        return _adding(request, head, form, assignable, search_id=request.POST.get("sokning", ""), status=Invalid.http_status)
    person_id = _uuid(request.POST.get("person", ""))
    try:
        if person_id is None:
            raise Invalid("person-missing", _("Sök och välj en person."), fields={"text": [_("Sök och välj en person.")]})
        role_assignment.assign_role(
            actor=actor_of(request),
            person_id=person_id,
            role=Role(form.cleaned_data["role"]),
            organisation_id=organisation.id,
            protected_persons=form.cleaned_data.get("protected_persons", False),
            period=Period(form.cleaned_data["valid_from"], form.cleaned_data["valid_to"]),
        )
    except (Conflict, Invalid) as error:
        form.take(error)
        return _adding(request, head, form, assignable, search_id=request.POST.get("sokning", ""), status=error.http_status)
    messages.success(request, _("Behörighetsrollen är tillagd."))
    return redirect("organisation_roles", head.id)


def _search(request: HttpRequest, head: OrganisationHead, form: AddHolderForm, assignable: Sequence[Role]) -> HttpResponse:
    """The person searched for, among those to whom the actor may give roles. What else was chosen stays chosen."""
    user: Any = request.user
    form.fields["role"].required = False
    if not form.is_valid():
        return _adding(request, head, form, assignable, status=Invalid.http_status)
    try:
        found = searching.search(actor=actor_of(request), session_id=user.session_id, text=form.cleaned_data["text"])
    except Invalid as error:
        form.take(error)
        return _adding(request, head, form, assignable, status=error.http_status)
    return _adding(request, head, form, assignable, search_id=str(found.id))


def _adding(
    request: HttpRequest,
    head: OrganisationHead,
    form: AddHolderForm,
    assignable: Sequence[Role],
    *,
    search_id: str = "",
    picked: str = "",
    status: int = 200,
) -> HttpResponse:
    found, more = _hits(request, search_id)
    context = {
        "form": form,
        "head": head,
        "search_id": search_id,
        "hits": found,
        "more": more,
        "searched": bool(search_id),
        "picked": request.POST.get("person", picked),
        "rights": role_words.table(assignable),
    }
    return page(
        request,
        "administration/roles/add.html",
        context,
        heading=_("Lägg till behörighetsroll"),
        kind=head.name,
        crumbs=[
            *way_to_organisation(head),
            Crumb(_("Behörighetsroller"), reverse("organisation_roles", args=[head.id])),
            Crumb(_("Lägg till behörighetsroll")),
        ],
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
    allowed = roles.may_get_roles(actor=actor, person_ids=[hit.person_id for hit in page_of.hits])
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


@require_http_methods(["GET", "HEAD", "POST"])
def role_change(request: HttpRequest, grant_id: UUID) -> HttpResponse:
    """The add-on and the last day of one role. Raises NotFound, Forbidden."""
    actor = actor_of(request)
    line = roles.grant(actor=actor, grant_id=grant_id)
    if step_up := recent_login(request):
        return step_up
    if request.method != "POST":
        initial = {"version": line.version, "protected_persons": line.protected_persons, "valid_to": line.last}
        return _changing(request, line, ChangeRoleForm(initial=initial | _ticked(kept(request), "protected_persons")))
    form = ChangeRoleForm(request.POST)
    if not form.is_valid():
        return _changing(request, line, form, status=Invalid.http_status)
    try:
        role_assignment.change_role(
            actor=actor,
            grant_id=grant_id,
            version=form.cleaned_data["version"] or 0,
            protected_persons=form.cleaned_data["protected_persons"],
            last=form.cleaned_data["valid_to"],
        )
    except (Conflict, Invalid) as error:
        form.take(error)
        form.data = {**request.POST.dict(), "version": str(line.version)}  # to be saved over what stands above, as a decision
        return _changing(request, line, form, status=error.http_status)
    messages.success(request, _("Behörighetsrollen är ändrad."))
    return redirect("person_roles", line.person_id)


def _changing(request: HttpRequest, line: GrantLine, form: ChangeRoleForm, *, status: int = 200) -> HttpResponse:
    head = roles.person(actor=actor_of(request), person_id=line.person_id)
    context = {"form": form, "line": line, "role": role_words.name(line.role)}
    return person_page(request, "administration/roles/change.html", head, context, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
def role_end(request: HttpRequest, grant_id: UUID) -> HttpResponse:
    """Asks before a role ends, with `?alla=1` wherever the actor may end it; when posted, ends it. Raises NotFound, Forbidden."""
    actor = actor_of(request)
    line = roles.grant(actor=actor, grant_id=grant_id)
    lines = roles.alike(actor=actor, line=line) if request.GET.get("alla") == "1" else [line]
    if request.method != "POST":
        head = roles.person(actor=actor, person_id=line.person_id)
        context = {"line": line, "lines": lines, "role": role_words.name(line.role)}
        return person_page(request, "administration/roles/end.html", head, context)
    if step_up := recent_login(request):
        return step_up
    role_assignment.end_roles(actor=actor, grant_ids=[each.id for each in lines])
    messages.success(request, _("Behörighetsrollen är borttagen. Personens inloggningar har avslutats."))
    return redirect("person_roles", line.person_id)


def _organisation(request: HttpRequest, organisation_id: UUID) -> tuple[OrganisationHead, Organisation]:
    """The organisation, if the actor may assign roles in it. Raises NotFound, Forbidden."""
    actor = actor_of(request)
    found = roles.organisation(actor=actor, organisation_id=organisation_id)
    return places.organisation_head(actor=actor, organisation_id=organisation_id), found


def _assignable(request: HttpRequest, organisation: Organisation) -> tuple[list[Role], bool]:
    """The roles that the actor may give in an organisation, and whether with the add-on."""
    actor = actor_of(request)
    found = [role for role in Role if role in policy.assignable(actor, organisation.scope_path)]
    protect = [policy.may_assign(actor, role, organisation.scope_path, protected_persons=True) for role in found]
    return [role for role in found if role in ORGANISATION_ROLES], any(protect)


def _ticked(typed: dict[str, str], name: str) -> dict[str, Any]:
    """What was typed, with the box as it was left, which a form does not send when it is empty."""
    return {**typed, name: name in typed} if typed else {}


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
