"""Översikt: the first page of Administrera."""

from collections.abc import Iterator

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from issuance.administration.queries import next_steps, readiness
from issuance.administration.web.lists import AreaList, GrantedOrganisationList
from issuance.authz import Action, Actor, policy
from issuance.customisations.queries import customisation_requests
from issuance.imports import services as setup_import
from issuance.organisations.queries import areas
from issuance.records.web.frame import ADMINISTRATION, Crumb, Link, actor_of, render_page
from issuance.roles.queries import own_training, role_holders, role_requests


@require_safe
@ADMINISTRATION.requires()
def overview(request: HttpRequest) -> HttpResponse:
    """Shows the issuing areas that the user sees, or the organisations of their roles if they see no area. Raises Forbidden."""
    actor = actor_of(request)
    found = AreaList(request).shown()
    granted = GrantedOrganisationList(request, areas.granted_organisations(actor=actor)).shown()
    context = {
        "areas": found.lines,
        "list": found,
        "unfinished": None if found.first_url else next_steps.unfinished(actor, found.lines),
        "training": own_training.notice(actor),
        "follow_up": role_holders.to_follow_up(actor=actor) if policy.holds(actor, Action.ASSIGN_ROLE) else 0,
        "role_requests": role_requests.count_to_decide(actor=actor),
        "wishes": customisation_requests.waiting(actor=actor) if policy.holds(actor, Action.CREATE_ORGANISATION) else 0,
        "to_verify": readiness.to_verify(actor=actor) if policy.holds(actor, Action.VERIFY_CUSTOMISATION) else 0,
        "follow_up_most": role_holders.MOST,
        "organisations": granted.lines,
        "granted": granted,
    }
    return render_page(
        request,
        ADMINISTRATION,
        "administration/overview.html",
        context,
        heading=_("Översikt"),
        crumbs=[Crumb(_("Översikt"))],
        functions=_functions(actor),
        configuration=_configuration(actor),
    )


def _functions(actor: Actor) -> Iterator[Link]:
    if policy.holds(actor, Action.ASSIGN_ROLE):
        yield Link(_("Rollinnehavare"), reverse("role_holders"))
    if policy.holds(actor, Action.ASSIGN_GLOBAL_ROLE):
        yield Link(_("Begärda roller"), reverse("role_requests"))
    yield Link(_("Artiklar"), reverse("articles"))
    yield Link(_("Kortanpassningar"), reverse("customisations"))
    yield Link(_("Vad får rollen göra?"), reverse("role_rights"))
    if setup_import.may_set_up(actor):
        yield Link(_("Importera från fil"), reverse("setup_import"))


def _configuration(actor: Actor) -> Iterator[Link]:
    if policy.holds(actor, Action.CREATE_ORGANISATION):
        yield Link(_("Skapa utgivningsområde"), reverse("area_new"))
