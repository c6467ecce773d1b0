"""Administrera artiklar: the catalogue, and what an organisation may order (domain.md 7.7)."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from issuance.authz import Action
from issuance.queries.administration import articles, places
from issuance.services import configuration
from issuance.web.administration.around import Crumb, actor_of, configuration_page, demand, page
from issuance.web.administration.frames import organisation_page
from siths_portal.lib.errors import Invalid


@require_safe
@configuration_page
def catalogue(request: HttpRequest) -> HttpResponse:
    """Every article. Raises Forbidden."""
    context = {"articles": articles.catalogue(actor=actor_of(request))}
    return page(request, "administration/articles.html", context, heading=_("Artiklar"), crumbs=[Crumb(_("Artiklar"))])


@require_http_methods(["GET", "HEAD", "POST"])
def organisation_articles(request: HttpRequest, organisation_id: UUID) -> HttpResponse:
    """Which articles an organisation may order. Raises NotFound, Forbidden."""
    actor = actor_of(request)
    head = places.organisation_head(actor=actor, organisation_id=organisation_id)
    demand(Action.CHOOSE_ARTICLES in head.rights)
    refusal, status = "", 200
    if request.method == "POST":
        shown, picked = request.POST.getlist("shown"), request.POST.getlist("article")
        try:
            configuration.choose_articles(actor=actor, organisation_id=organisation_id, shown=shown, picked=picked)
        except Invalid as error:
            refusal, status = error.message, error.http_status
        else:
            messages.success(request, _("Beställningsbara artiklar är sparade."))
            return redirect("organisation_articles", organisation_id)
    context = {
        "lines": articles.offered(actor=actor, organisation_id=organisation_id),
        "refusal": refusal,
        "cancel_url": reverse("organisation", args=[organisation_id]),
    }
    template, step = "administration/organisation_articles.html", _("Administrera artiklar")
    return organisation_page(request, template, head, context, here="organisation", step=step, status=status)
