"""Redigera roller: the roles of an organisation, and the pages that change or end one role."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from issuance.queries.administration import places, role_words, roles
from issuance.queries.administration.roles import GrantLine
from issuance.services import role_assignment
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
from issuance.web.administration.role_forms import ChangeRoleForm
from issuance.web.administration.role_frame import kept, person_page, recent_login
from siths_portal.lib.errors import Conflict, Invalid


@require_safe
def organisation_roles(request: HttpRequest, organisation_id: UUID) -> HttpResponse:
    """The roles in an organisation and below it. Raises NotFound, Forbidden."""
    actor = actor_of(request)
    organisation = roles.organisation(actor=actor, organisation_id=organisation_id)
    head = places.organisation_head(actor=actor, organisation_id=organisation_id)
    found = roles.of_organisation(actor=actor, organisation=organisation, after=cursor(request))
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


def _ticked(typed: dict[str, str], name: str) -> dict[str, Any]:
    """What was typed, with the box as it was left, which a form does not send when it is empty."""
    return {**typed, name: name in typed} if typed else {}
