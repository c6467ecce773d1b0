"""Spärrar som väntar: revocations above an officer's limit, which a second officer decides (ADR 0297)."""

from collections.abc import Sequence

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse_lazy
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext, ngettext_lazy
from django.views.decorators.http import require_http_methods

from issuance.authz import Action, Actor
from issuance.people.services import disclosures
from issuance.people.services.disclosures import Shown
from issuance.records.web.frame import SEARCH, actor_of, render_page
from issuance.revocation.queries import held_revocations as query
from issuance.revocation.queries.held_revocations import HeldView
from issuance.revocation.services import revocation
from issuance.revocation.web.forms import with_keys
from siths_portal.lib.errors import Invalid
from siths_portal.lib.ids import ids_of
from siths_portal.lib.lists import Column, Empty, FormChoice, Kind, Lines, List, Source
from siths_portal.lib.pages.forms import Form


class HeldForm(Form):
    """The decision on the ticked revocations of the page's table."""

    held = forms.CharField(label=_("Spärrar som väntar"), required=False, widget=forms.HiddenInput(attrs={"id": "sparr_1"}))
    """Holds errors about the ticked rows; the error summary links to the first row."""
    decision = forms.ChoiceField(
        label=_("Ditt beslut"),
        choices=[("approve", _("Godkänn, så spärras de valda genast")), ("reject", _("Avslå"))],
        widget=forms.RadioSelect,
        error_messages={
            "required": _("Välj om du godkänner eller avslår."),
            "invalid_choice": _("Välj om du godkänner eller avslår."),
        },
    )

    @property
    def decisions(self) -> list[dict[str, str]]:
        """The choices of the decision, each with the digit that picks it."""
        return with_keys(self.fields["decision"])


class HeldList(List[HeldView]):
    """The requests to decide on, as choices of the page's form. The page's heading titles the table."""

    counted_as = ngettext_lazy("{n} spärr", "{n} spärrar")
    columns = (
        Column(
            key="person",
            heading=_("Person"),
            sort="person",
            choice=FormChoice(field="sparr", off=lambda row: row.refusal),
        ),
        Column(key="vad", heading=_("Vad"), value=lambda row: f"{row.what} {row.serial}"),
        Column(key="organisation", heading=_("Organisation"), sort="organisation"),
        Column(key="orsak", heading=_("Spärrorsak"), value="reason"),
        Column(
            key="kom_in",
            heading=_("Begäran kom in"),
            value="received_at",
            kind=Kind.MOMENT,
            sort="received_at",
        ),
        Column(key="handlaggare", heading=_("Begärd av"), value="requested_by", sort="requested_by"),
    )
    table_id = "vantar"
    empty = Empty(
        _("Ingen spärr väntar"),
        _("Spärrar väntar här när någon har spärrat för så många personer på en timme att en kollega måste godkänna fler."),
        reverse_lazy("search"),
        _("Till sökningen"),
    )

    def __init__(self, request: HttpRequest, found: Sequence[HeldView]) -> None:
        super().__init__(request)
        self.found, self.picked = found, request.POST.getlist("sparr")

    def rows(self) -> Source[HeldView]:
        """See `List`."""
        return Lines(self.found)


@require_http_methods(["GET", "HEAD", "POST"])
@SEARCH.requires(Action.REVOKE_CARRIER)
def held_revocations(request: HttpRequest) -> HttpResponse:
    """Lists the open requests; a post approves or rejects the ticked ones, all or none. Raises Forbidden, NotFound."""
    actor = actor_of(request)
    if request.method != "POST":
        return _shown(request, actor, HeldForm())
    form = HeldForm(request.POST)
    if not form.is_valid():
        return _shown(request, actor, form, status=Invalid.http_status)
    approve = form.cleaned_data["decision"] == "approve"
    try:
        count = revocation.decide_held(actor=actor, held_ids=ids_of(request.POST.getlist("sparr")), approve=approve)
    except Invalid as error:
        form.take(error)
        return _shown(request, actor, form, status=error.http_status)
    done = (
        ngettext("{n} spärr är godkänd och gjord.", "{n} spärrar är godkända och gjorda.", count)
        if approve
        else ngettext("{n} spärr är avslagen.", "{n} spärrar är avslagna.", count)
    )
    messages.success(request, done.format(n=count))
    return redirect("held_revocations")


def _shown(request: HttpRequest, actor: Actor, form: HeldForm, *, status: int = 200) -> HttpResponse:
    rows = query.waiting(actor=actor)
    for person_id in {row.person_id for row in rows if row.person_id}:
        disclosures.record(actor=actor, person_id=person_id, shown=Shown.REVOCATION)
    decides = any(not row.refusal for row in rows)
    if form.errors and not decides:
        form.refuse(_("Ingen spärr väntar på ditt beslut."))
    listed = HeldList(request, rows)
    listed.choice_error = "id_held_error" if "held" in form.errors else ""
    context = {"list": listed.shown(), "form": form, "decides": decides}
    return render_page(request, SEARCH, "revocation/held.html", context, status=status)
