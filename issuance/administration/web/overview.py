"""Översikt: where Administrera begins."""

from collections.abc import Iterator

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from issuance.administration.queries import next_steps, readiness
from issuance.authz import Action, Actor, policy
from issuance.customisations.queries import customisation_requests
from issuance.imports import services as setup_import
from issuance.organisations.queries import areas
from issuance.records.queries import paging
from issuance.records.web.frame import ADMINISTRATION, Crumb, Link, actor_of, render_page
from issuance.records.web.lists import columns, cursor, first_url, next_url
from issuance.roles.queries import own_training, role_holders, role_requests


@require_safe
@ADMINISTRATION.requires()
def overview(request: HttpRequest) -> HttpResponse:
    """The issuing areas in sight, or the organisations of one's roles where no whole area is. Raises Forbidden."""
    actor = actor_of(request)
    order = paging.order_of(request.GET.get("ordning", ""), areas.AREA_COLUMNS, "namn")
    found = areas.areas(actor=actor, order=order, after=cursor(request))
    context = {
        "areas": found.rows,
        "unfinished": None if first_url(request, order) else next_steps.unfinished(actor, found),
        "training": own_training.notice(actor),
        "follow_up": role_holders.to_follow_up(actor=actor) if policy.holds(actor, Action.ASSIGN_ROLE) else 0,
        "role_requests": role_requests.count_to_decide(actor=actor),
        "wishes": customisation_requests.waiting(actor=actor) if policy.holds(actor, Action.CREATE_ORGANISATION) else 0,
        "to_verify": readiness.to_verify(actor=actor) if policy.holds(actor, Action.VERIFY_CUSTOMISATION) else 0,
        "follow_up_most": role_holders.MOST,
        "columns": columns(request, order, [("namn", _("Utgivningsområde")), ("utgivare", _("Utgivande organisation"))]),
        "organisations": areas.granted_organisations(actor=actor),
        "next_url": next_url(request, found.after, order),
        "first_url": first_url(request, order),
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
