"""Withdrawal of an identification, after a confirmation with its consequences (docs/adr/0091)."""

from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from issuance.activation.domain import identity_documents
from issuance.activation.models import Identification
from issuance.activation.queries.activation_view import is_ready
from issuance.activation.services import identifications
from issuance.activation.web import live
from issuance.carriers.models import Carrier
from issuance.people.services import disclosures
from issuance.people.services.disclosures import Shown
from issuance.person_page.queries import person_view
from issuance.records.domain import wording
from issuance.records.queries import history
from issuance.records.web.frame import SEARCH, actor_of, render_page
from issuance.records.web.persons import photo_url
from siths_portal.lib.errors import Invalid
from siths_portal.lib.pages.error_pages import leads_back
from siths_portal.lib.pages.forms import Form


class WithdrawalForm(Form):
    """The reason for withdrawing the identification. The service checks its length."""

    reason = forms.CharField(
        label=gettext_lazy("Varför ska identifieringen tas tillbaka?"),
        help_text=gettext_lazy("Till exempel: fel kort skannades. Skriv inga uppgifter om hälsa. Texten visas i historiken."),
        required=False,
        max_length=identifications.LONGEST_REASON,
        widget=forms.Textarea(attrs={"rows": 3}),
    )


@require_http_methods(["GET", "HEAD", "POST"])
def identification_withdraw(request: HttpRequest, identification_id: UUID) -> HttpResponse:
    """Asks for the reason; a post withdraws. Raises NotFound, Forbidden, Conflict."""
    carrier = identifications.seen(actor=actor_of(request), identification_id=identification_id).carrier
    carrier_page = live.carrier_page(carrier.holder_id, carrier.pk)
    leads_back(request, carrier_page, _("Till kortet"))
    found = identifications.to_withdraw(actor=actor_of(request), identification_id=identification_id)
    if identifications.is_withdrawn(found):
        messages.info(request, _("Identifieringen är redan återtagen."))
        return redirect(carrier_page)
    form, status = WithdrawalForm(), 200
    if request.method == "POST":
        form = WithdrawalForm(request.POST)
        if not form.is_valid():
            return _page(request, found, form, carrier_page, status=Invalid.http_status)
        try:
            reason = form.cleaned_data["reason"]
            identifications.withdraw(actor=actor_of(request), identification_id=identification_id, reason=reason)
        except Invalid as error:
            form.take(error)
            status = error.http_status
        else:
            messages.success(request, _withdrawn_message(found.carrier))
            return redirect(carrier_page)
    return _page(request, found, form, carrier_page, status=status)


def _withdrawn_message(carrier: Carrier) -> str:
    if is_ready(carrier):
        return _("Identifieringen är återtagen. Identifiera innehavaren igen innan kortet aktiveras.")
    return _("Identifieringen är återtagen.")


def _page(request: HttpRequest, found: Identification, form: WithdrawalForm, back: str, *, status: int) -> HttpResponse:
    actor = actor_of(request)
    head = person_view.person_head(actor=actor, person_id=found.carrier.holder_id)
    disclosures.record(actor=actor, person_id=head.id, shown=Shown.PERSON, subject=found.carrier_id)
    context = {
        "found": found,
        "form": form,
        "head": head,
        "photo_url": photo_url(head),
        "document": wording.label(identity_documents.IDENTITY_DOCUMENT, found.identity_document),
        "serial": wording.card_serial(found.carrier.card_serial),
        "officer": history.names_of(actor, [found.officer_ref])[found.officer_ref],
        "back_url": back,
        "goes_on": is_ready(found.carrier),
    }
    return render_page(request, SEARCH, "activation/withdraw.html", context, status=status)
