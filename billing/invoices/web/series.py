"""The page of the number series: its last number and date, and requests for a step back that another person approves."""

import datetime as dt
import re
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from authn.web import require_recent_login
from billing.invoices.services import series
from billing.records.web.page import actor_of, page
from siths_portal.lib.errors import DomainError
from siths_portal.lib.pages.forms import Form

_AT_ONCE = dt.timedelta(0)
_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class ReasonForm(Form):
    """The reason why the series must step back."""

    reason = forms.CharField(
        label=gettext_lazy("Skäl"),
        max_length=series.LONGEST_REASON,
        widget=forms.Textarea(attrs={"rows": 3}),
        error_messages={"required": gettext_lazy("Skriv varför datumen måste gå tillbaka.")},
    )


@require_http_methods(["GET", "HEAD", "POST"])
def invoice_series(request: HttpRequest) -> HttpResponse:
    """Shows this year's series. POST requests a step back or approves one; both require a new log-in (step-up)."""
    actor = actor_of(request)
    state = series.state(actor)
    form, status = ReasonForm(), 200
    if request.method == "POST":
        if step_up := require_recent_login(request, _AT_ONCE):
            return step_up
        chosen = request.POST.get("godkann", "")
        form = ReasonForm(request.POST) if not chosen else ReasonForm()
        try:
            if _ID.fullmatch(chosen):
                series.approve_correction(actor=actor, correction_id=UUID(chosen))
                messages.success(request, _("Steget tillbaka är godkänt. Nästa faktura får dagens datum."))
                return redirect("invoice_series")
            if form.is_valid():
                series.request_correction(actor=actor, reason=form.cleaned_data["reason"])
                messages.success(request, _("Din begäran är sparad. En annan person måste godkänna den här."))
                return redirect("invoice_series")
            status = 422
            if not state.locked or state.waiting:
                form.refuse(_("Nummerserien behöver inte gå tillbaka, eller så väntar redan en begäran om det."))
        except DomainError as error:
            form = form if form.is_bound else ReasonForm({"reason": ""})
            form.errors.clear()
            form.add_error(None, error.message)
            state, status = series.state(actor), error.http_status
    context = {"state": state, "form": form, "own": actor.ref}
    return page(request, "billing/series.html", context, here="invoice_series", status=status)
