"""The page of an invoice's disputes: open one, or close it."""

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy
from django.views.decorators.http import require_http_methods

from billing.payments.models import DisputeReason
from billing.payments.queries import disputes as queries
from billing.payments.services import disputes
from billing.payments.services.notes import LONGEST
from billing.records.web.page import actor_of, page
from siths_portal.lib.errors import Conflict, Invalid
from siths_portal.lib.pages.forms import Form


class OpenForm(Form):
    """What the customer does not accept."""

    reason = forms.ChoiceField(
        label=lazy("Vad godtar kunden inte?"),
        choices=DisputeReason.choices,
        widget=forms.RadioSelect,
        error_messages={"required": lazy("Välj vad kunden inte godtar.")},
    )
    note = forms.CharField(
        label=lazy("Anteckning"),
        help_text=lazy("Anteckningen syns bara för ekonomi. Skriv inget om personer."),
        max_length=LONGEST,
        widget=forms.Textarea(attrs={"rows": 3}),
        error_messages={"required": lazy("Skriv vad kunden inte godtar.")},
    )


class CloseForm(Form):
    """How the dispute ended."""

    outcome = forms.CharField(
        label=lazy("Hur slutade tvisten?"),
        help_text=lazy("Till exempel: Krediterad, eller kunden betalar. Skriv inget om personer."),
        max_length=LONGEST,
        widget=forms.Textarea(attrs={"rows": 3}),
        error_messages={"required": lazy("Skriv hur tvisten slutade.")},
    )


@require_http_methods(["GET", "HEAD", "POST"])
def invoice_dispute(request: HttpRequest, number: str) -> HttpResponse:
    """Shows the disputes about an invoice. POST opens one, or closes the one that is open."""
    actor = actor_of(request)
    view = queries.view(actor, number)
    closing = "avsluta" in request.POST if request.method == "POST" else view.open is not None
    form: Form = (CloseForm if closing else OpenForm)(request.POST if request.method == "POST" else None)
    status = 200
    if request.method == "POST":
        status = Invalid.http_status
        if form.is_valid():
            try:
                if closing:
                    disputes.close_dispute(actor=actor, number=number, outcome=form.cleaned_data["outcome"])
                    messages.success(request, _("Tvisten är avslutad."))
                else:
                    disputes.open_dispute(actor=actor, number=number, **form.cleaned_data)
                    messages.success(request, _("Sparat. Kunden får ingen påminnelse så länge tvisten pågår."))
                return redirect("invoice", number=number)
            except (Conflict, Invalid) as error:
                form.take(error)
                view, status = queries.view(actor, number), error.http_status
    context = {"view": view, "form": form, "closing": closing}
    return page(request, "billing/payments/dispute.html", context, here="invoices", status=status)
