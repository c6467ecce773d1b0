"""Redigera roller: the roles of an organisation, and the pages that change or end a role."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from issuance.authz import Actor, Role, policy
from issuance.authz.roles import ORGANISATION_ROLES
from issuance.organisations.models import Organisation
from issuance.organisations.queries import areas, places
from issuance.people.services import disclosures
from issuance.records.web.editing import saved
from issuance.records.web.frame import ADMINISTRATION, Crumb, Link, actor_of, recent_login, render_page
from issuance.records.web.places import way_to_organisation
from issuance.roles.queries import ended_roles, role_words, roles
from issuance.roles.queries.role_holders import Shown
from issuance.roles.queries.roles import AlikeChanges, GrantLine
from issuance.roles.services import role_assignment
from issuance.roles.web.lists import OrganisationRoleList
from issuance.roles.web.role_forms import ChangeRoleForm
from issuance.roles.web.role_frame import kept, person_page
from siths_portal.lib.errors import Conflict, NotFound

_END, _OVER = "roles/end.html", "roles/over.html"
"""Templates with two frames: for a person, and for a person who has left (ADR 0036)."""


@require_safe
def organisation_roles(request: HttpRequest, organisation_id: UUID) -> HttpResponse:
    """Lists the roles in an organisation and below it. Raises NotFound, Forbidden."""
    actor = actor_of(request)
    organisation = roles.organisation(actor=actor, organisation_id=organisation_id)
    head = places.organisation_head(actor=actor, organisation_id=organisation_id)
    context = {"list": OrganisationRoleList(request, actor, organisation).shown()}
    functions = [
        _add_link(actor, organisation),
        Link(_("Alla rollinnehavare"), reverse("role_holders")),
        Link(_("Vad får rollen göra?"), reverse("role_rights")),
    ]
    return render_page(
        request,
        ADMINISTRATION,
        "roles/organisation.html",
        context,
        heading=_("Behörighetsroller"),
        kind=f"{_('Organisation')} {head.name}",
        crumbs=[*way_to_organisation(head), Crumb(_("Behörighetsroller"))],
        functions=functions,
    )


def _add_link(actor: Actor, organisation: Organisation) -> Link:
    """Returns the link that gives a role, disabled for actors whose roles are above the area's and give none in it (ADR 0188)."""
    name, address = _("Lägg till behörighetsroll"), reverse("organisation_role_add", args=[organisation.pk])
    if policy.assignable(actor, organisation.scope_path) & ORGANISATION_ROLES:
        return Link(name, address)
    return Link(name, address, allowed=False, reason=_("Områdets ansvariga utgivare ger rollerna i organisationerna."))


@require_http_methods(["GET", "HEAD", "POST"])
def role_change(request: HttpRequest, grant_id: UUID) -> HttpResponse:
    """Changes the add-on and last day of a role. Raises NotFound, Forbidden."""
    actor = actor_of(request)
    try:
        line = roles.grant(actor=actor, grant_id=grant_id)
    except NotFound:
        return _ended_page(request, grant_id)
    if step_up := recent_login(request):
        return step_up
    if request.method != "POST":
        initial = {"version": line.version, "protected_persons": line.protected_persons, "valid_to": line.last}
        initial |= _ticked(kept(request), "protected_persons")
        return _changing(request, line, ChangeRoleForm(initial=initial, may_protect=line.may_protect))
    form = ChangeRoleForm(request.POST, may_protect=line.may_protect)
    changed, status = saved(
        form,
        actor,
        lambda typed: role_assignment.change_role(
            actor=actor,
            grant_id=grant_id,
            version=typed["version"],
            protected_persons=typed.get("protected_persons", line.protected_persons),
            last=typed["valid_to"],
        ),
    )
    if changed is None:
        return _changing(request, line, form, status=status)
    messages.success(request, _("Behörighetsrollen är ändrad."))
    return redirect("person_roles", line.person_id)


def _changing(request: HttpRequest, line: GrantLine, form: ChangeRoleForm, *, status: int = 200) -> HttpResponse:
    head = roles.person(actor=actor_of(request), person_id=line.person_id)
    context = {
        "form": form,
        "line": line,
        "role": role_words.name(line.role),
        "leaderless": _areas_without_issuer(line.role, [line]),
    }
    return person_page(request, "roles/change.html", head, context, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
def role_end(request: HttpRequest, grant_id: UUID) -> HttpResponse:
    """Asks for confirmation and ends a role, with `?alla=1` in all places where the actor may end it.

    Raises NotFound, Forbidden. Only roles that the page showed are ended; if they have changed, the page shows the changes and
    asks again (ADR 0180).
    """
    actor = actor_of(request)
    try:
        line = roles.grant(actor=actor, grant_id=grant_id, to_end=True)
    except NotFound:
        return _ended_page(request, grant_id)
    every = request.GET.get("alla") == "1"
    lines = roles.alike(actor=actor, line=line) if every else [line]
    if request.method != "POST":
        return _confirmation_page(request, line, lines)
    if step_up := recent_login(request):
        return step_up
    if every and (changes := roles.since_shown(actor=actor, lines=lines, marks=request.POST.getlist("visad"))):
        return _confirmation_page(request, line, lines, changes=changes, status=Conflict.http_status)
    leaderless = _areas_without_issuer(line.role, lines)
    role_assignment.end_roles(actor=actor, grant_ids=[each.id for each in lines])
    done = _("Behörighetsrollen är borttagen. Personens inloggningar har avslutats.")
    messages.success(request, done if _in_force(lines) else _("Behörighetsrollen är borttagen innan den började gälla."))
    for area_id, name in leaderless:
        text = _("{name} har nu ingen ansvarig utgivare.").format(name=name)
        way = reverse("area_issuer_add", args=[area_id])
        messages.warning(request, format_html('{} <a class="ds-link" href="{}">{}</a>', text, way, _("Utse ansvarig utgivare")))
    return redirect(_resting_url()) if line.left else redirect("person_roles", line.person_id)


def _areas_without_issuer(role: str, lines: Sequence[GrantLine]) -> list[tuple[UUID, str]]:
    """Returns the areas, by id and name, that have a responsible issuer now but none without these roles."""
    if Role(role) is not Role.RESPONSIBLE_ISSUER:
        return []
    return areas.without_issuer(grant_ids=[line.id for line in lines])


def _confirmation_page(
    request: HttpRequest, line: GrantLine, lines: Sequence[GrantLine], *, changes: AlikeChanges | None = None, status: int = 200
) -> HttpResponse:
    context = {
        "line": line,
        "lines": lines,
        "role": role_words.name(line.role),
        "in_force": _in_force(lines),
        "changes": changes,
        "leaderless": _areas_without_issuer(line.role, lines),
        "cancel_url": _resting_url() if line.left else reverse("person_roles", args=[line.person_id]),
    }
    if line.left:
        return _of_leaver(request, line.person_id, _END, context, _("Ta bort behörighetsroll"), status=status)
    return _of_person(request, line.person_id, _END, context, status=status)


def _in_force(lines: Sequence[GrantLine]) -> bool:
    """True if one of the roles has begun, so that ending it ends the holder's sessions."""
    return any(line.begins is None for line in lines)


def _ended_page(request: HttpRequest, grant_id: UUID) -> HttpResponse:
    """Shows how a role ended that the user wanted to change or end. Raises NotFound, Forbidden."""
    found = ended_roles.ending(actor=actor_of(request), grant_id=grant_id)
    status = Conflict.http_status
    if found.left:
        context = {"found": found, "back_url": _resting_url(), "back": _("Till rollinnehavarna")}
        return _of_leaver(request, found.person_id, _OVER, context, _("Rollen är avslutad"), status=status)
    address = reverse("person_roles", args=[found.person_id])
    context = {"found": found, "back_url": address, "back": _("Till personens roller")}
    return _of_person(request, found.person_id, _OVER, context, status=status)


def _resting_url() -> str:
    return f"{reverse('role_holders')}?visa={Shown.RESTING}"


def _of_person(
    request: HttpRequest, person_id: UUID, template: str, context: dict[str, Any], *, status: int = 200
) -> HttpResponse:
    """Renders a page about a role of a person whose own page the actor may open."""
    head = roles.person(actor=actor_of(request), person_id=person_id)
    return person_page(request, template, head, {**context, "page_frame": "roles/frame.html"}, status=status)


def _of_leaver(
    request: HttpRequest, person_id: UUID, template: str, context: dict[str, Any], heading: str, *, status: int = 200
) -> HttpResponse:
    """Renders a page about a role of a person who has left, whose own page the actor may not open.

    Records first that the person is shown (ADR 0080).
    """
    disclosures.record(actor=actor_of(request), person_id=person_id, shown=disclosures.Shown.PERSON)
    crumbs = [Crumb(_("Rollinnehavare"), _resting_url()), Crumb(heading)]
    framed = {**context, "page_frame": "administration/base.html"}
    return render_page(request, ADMINISTRATION, template, framed, heading=heading, crumbs=crumbs, status=status)


def _ticked(typed: dict[str, str], name: str) -> dict[str, Any]:
    """Returns the typed values. A box that is missing was left empty, because browsers do not submit empty boxes."""
    return {**typed, name: name in typed} if typed else {}
