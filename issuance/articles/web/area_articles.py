"""Välj artiklar för flera organisationer: adds articles to what organisations of an area may order (rules/issuance 7.7)."""

from collections.abc import Mapping
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_http_methods

from issuance.articles.queries import area_articles as query
from issuance.articles.services.articles import add_articles
from issuance.articles.web.lists import ArticleChoiceList, PlaceChoiceList
from issuance.authz import Action
from issuance.organisations.queries import places
from issuance.records.web.forms import text_line
from issuance.records.web.frame import actor_of, demand
from issuance.records.web.places import area_page
from siths_portal.lib.errors import Invalid
from siths_portal.lib.ids import ids_of
from siths_portal.lib.pages.forms import Form

_LEAD = gettext_lazy(
    "Organisationerna får beställa artiklarna du kryssar i, utöver dem de redan har. Ta bort en artikel på organisationens sida."
)
_AT = {
    "article": ("artiklar", gettext_lazy("Artiklar")),
    "organisation": ("organisationer", gettext_lazy("Organisationer")),
}
"""The anchor and name of the part of the page to which an error of each field links."""


class PlaceSearchForm(Form):
    """A search that selects the listed organisations; empty lists the first ones."""

    text = text_line(
        gettext_lazy("Sök organisation"),
        100,
        help_text=gettext_lazy(
            "En del av namnet eller organisationsnumret, eller början av HSA-id:t. Det som är ikryssat följer med."
        ),
        spellcheck="false",
    )


@require_http_methods(["GET", "HEAD", "POST"])
def area_articles(request: HttpRequest, area_id: UUID) -> HttpResponse:
    """Adds the picked articles to the picked organisations, or searches for organisations. Raises NotFound, Forbidden."""
    actor = actor_of(request)
    head = places.area_head(actor=actor, area_id=area_id)
    demand(Action.CHOOSE_ARTICLES in head.rights)
    codes, picked, every = request.POST.getlist("article"), ids_of(request.POST.getlist("organisation")), "alla" in request.POST
    refused: dict[str, str] = {}
    status = 200
    form = PlaceSearchForm(request.POST) if request.method == "POST" else PlaceSearchForm()
    if request.method == "POST" and "sok" not in request.POST:
        try:
            added = add_articles(actor=actor, area_id=area_id, organisation_ids=None if every else picked, codes=codes)
        except Invalid as error:
            refused = {name: " ".join(texts) for name, texts in error.fields.items()}
            status = error.http_status
        else:
            _confirm_added(request, added, len(set(codes)))
            return redirect("area", area_id)
    elif request.method == "POST" and not form.is_valid():
        status = Invalid.http_status
    text = form.cleaned_data["text"] if request.method == "POST" and form.is_valid() else ""
    found = query.area_articles(actor=actor, area_id=area_id, text=text, picked=picked)
    if request.method != "POST" and found.total == 1:
        picked = [place.id for place in found.places]
    context = {
        "lead": _LEAD if found.articles and found.total else "",
        "form": form,
        "found": found,
        "text": text.strip(),
        "articles": ArticleChoiceList(request, found.articles, codes).shown(),
        "places": PlaceChoiceList(request, found.places, {str(pk) for pk in picked}).shown(),
        "every": every,
        "refused": refused,
        "refusals": [{"text": text, "place": _AT[name][0], "name": _AT[name][1]} for name, text in refused.items()],
        "cancel_url": reverse("area", args=[area_id]),
    }
    step = _("Välj artiklar för flera organisationer")
    return area_page(request, "articles/area_articles.html", head, context, here="area", step=step, status=status)


def _confirm_added(request: HttpRequest, added: Mapping[UUID, int], picked: int) -> None:
    """Adds a message about the articles added. It states their number only if each organisation got all that were `picked`."""
    if not added:
        messages.info(request, _("Inget ändrades. Organisationerna kunde redan beställa artiklarna."))
        return
    what = _("Artiklarna är tillagda")
    if set(added.values()) == {picked}:
        what = ngettext("{n} artikel är tillagd", "{n} artiklar är tillagda", picked).format(n=picked)
    where = ngettext("för {count} organisation.", "för {count} organisationer.", len(added)).format(count=len(added))
    messages.success(request, f"{what} {where}")
