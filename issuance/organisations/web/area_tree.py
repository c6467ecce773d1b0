"""The page Organisationsträd: an area's organisations as a tree with a search field (rules/issuance 7.2)."""

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods

from issuance.organisations.queries import area_tree, places
from issuance.records.web.forms import text_line
from issuance.records.web.frame import actor_of
from issuance.records.web.places import area_page
from siths_portal.lib.errors import Invalid
from siths_portal.lib.ids import id_of
from siths_portal.lib.pages.forms import Form

_OPEN_TREE = 30
"""The largest tree that is shown unfolded."""


class TreeSearchForm(Form):
    """The search field; an empty text shows all organisations."""

    text = text_line(
        _("Sök organisation"),
        100,
        help_text=_("En del av namnet eller organisationsnumret, eller början av HSA-id:t. Tomt fält visar alla."),
        spellcheck="false",
    )


@require_http_methods(["GET", "HEAD", "POST"])
def tree(request: HttpRequest, area_id: UUID) -> HttpResponse:
    """Shows the tree, or for POST the organisations that match the text. `?under=` unfolds it down to that organisation's level.

    The search is a POST, because people type personal numbers into any search field, and those must not be in URLs. Raises
    NotFound, Forbidden.
    """
    actor = actor_of(request)
    head = places.area_head(actor=actor, area_id=area_id)
    form, text, status = TreeSearchForm(), "", 200
    if request.method == "POST":
        form = TreeSearchForm(request.POST)
        text, status = (form.cleaned_data["text"].strip(), 200) if form.is_valid() else ("", Invalid.http_status)
    under = id_of(request.GET.get("under", ""))
    found = area_tree.tree(actor=actor, area_id=area_id, text=text, under=under)
    context = {"form": form, "searched": text, "found": found, "under": under}
    context["open"] = bool(text) or found.seen <= _OPEN_TREE
    return area_page(request, "organisations/area_tree.html", head, context, here="area_tree", status=status)
