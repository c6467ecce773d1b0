"""Lås upp kort at a visit (rules/issuance 5.6): identification of the holder, then the holder's progress in the eID app.

The holder chooses the code in the app, in a window of another origin. No page has a PUK.
"""

import datetime as dt
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe
from django_htmx.http import HttpResponseClientRefresh

from authn.web import kept_form, not_activity, require_recent_login
from issuance.activation.domain.card_checks import CardAnswer, check
from issuance.activation.domain.transaction_states import TransactionState
from issuance.activation.queries import activation_view, suspicions, transaction_ends
from issuance.activation.queries.activation_view import ActivationView
from issuance.activation.services import unlocking
from issuance.activation.services.visits import TransactionView
from issuance.activation.web import live, stages
from issuance.activation.web.forms import CardCheckForm, IdentificationForm
from issuance.carriers.domain.kinds import Function
from issuance.people.services import disclosures
from issuance.people.services.disclosures import Shown
from issuance.person_page.queries import person_view
from issuance.records.web import handles
from issuance.records.web.frame import SEARCH, actor_of, render_page
from issuance.records.web.persons import photo_url
from issuance.records.web.refreshing import refreshing
from siths_portal.lib.errors import Conflict, Invalid, Unavailable
from siths_portal.lib.pages.error_pages import leads_back

_CHECK = "sok"
"""The button of the form that checks the card. It changes nothing."""


@require_http_methods(["GET", "HEAD", "POST"])
def unlock(request: HttpRequest, carrier_id: UUID) -> HttpResponse:
    """Shows the card and records the document that identified the holder. Raises NotFound, Forbidden."""
    if _CHECK in request.POST:
        return _card_check(request, carrier_id)
    # Raises before a login is required in vain.
    page = activation_view.activation_view(actor=actor_of(request), carrier_id=carrier_id, function=Function.UNLOCK)
    if request.method != "POST":
        kept = kept_form(request)
        return _identification(request, page, IdentificationForm(ways=page.ways, initial=kept.dict() if kept else None))
    form = IdentificationForm(request.POST, ways=page.ways)
    if not form.is_valid():
        return _identification(request, page, form, status=Invalid.http_status)
    if step_up := require_recent_login(request, dt.timedelta(seconds=settings.ACTIVATION_LOGIN_MAX_AGE)):
        return step_up
    try:
        opened = unlocking.identify(actor=actor_of(request), carrier_id=carrier_id, **form.identified())
    except Invalid as error:
        form.take(error)
        return _identification(request, page, form, status=error.http_status)
    except (Conflict, Unavailable) as error:
        page = activation_view.activation_view(actor=actor_of(request), carrier_id=carrier_id, function=Function.UNLOCK)
        return _identification(request, page, form, status=error.http_status, refusal=error.message)
    handles.keep(request, opened)
    return redirect("unlocking", opened.transaction.pk)


def _card_check(request: HttpRequest, carrier_id: UUID) -> HttpResponse:
    """Says whether the scanned card is the card of the page, as a part of the page for htmx, else as the page."""
    form = CardCheckForm(request.POST)
    text = form.cleaned_data["serial"] if form.is_valid() else ""
    serial = activation_view.card_to_check(actor=actor_of(request), carrier_id=carrier_id, function=Function.UNLOCK)
    answer = check(text, serial)
    if request.headers.get("HX-Request"):
        return render(request, "activation/card_answer.html", {"answer": answer, "card_end": serial[-4:]})
    page = activation_view.activation_view(actor=actor_of(request), carrier_id=carrier_id, function=Function.UNLOCK)
    return _identification(request, page, IdentificationForm(ways=page.ways), answer=answer)


def _identification(
    request: HttpRequest,
    page: ActivationView,
    form: IdentificationForm,
    *,
    status: int = 200,
    refusal: str = "",
    answer: CardAnswer | None = None,
) -> HttpResponse:
    disclosures.record(actor=actor_of(request), person_id=page.head.id, shown=Shown.PERSON, subject=page.carrier.id)
    context = {
        "page": page,
        "form": form,
        "refusal": refusal,
        "photo_url": photo_url(page.head),
        "card_end": page.carrier.last,
        "answer": answer,
        **suspicions.stop_of(page.suspicion),
        "typed_serial": request.POST.get("serial", ""),
        "back_url": live.carrier_page(page.head.id, page.carrier.id),
    }
    return render_page(request, SEARCH, "activation/unlock.html", context, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
def follow(request: HttpRequest, transaction_id: UUID) -> HttpResponse:
    """Shows the link to the app and the holder's progress, then the result. A POST opens the app again. Raises NotFound,
    Forbidden.
    """
    if request.method == "POST":
        return live.reopen(request, transaction_id, unlocking.reopen, "unlocking")
    view = unlocking.state(actor=actor_of(request), transaction_id=transaction_id)
    carrier = view.transaction.carrier
    head = person_view.person_head(actor=actor_of(request), person_id=carrier.holder_id)
    disclosures.record(actor=actor_of(request), person_id=head.id, shown=Shown.PERSON, subject=carrier.pk)
    context = {
        "head": head,
        "photo_url": photo_url(head),
        "back_url": live.carrier_page(head.id, carrier.pk),
        "card_end": carrier.card_serial[-4:],
        "failure": transaction_ends.why_failed(view.transaction),
        "letter": activation_view.letter_after(view.transaction) if view.state is TransactionState.COMPLETED else "",
    }
    context |= refreshing(request, live=view.is_open) | _live(request, view)
    return render_page(request, SEARCH, _template(view), context)


def _template(view: TransactionView) -> str:
    if view.state is TransactionState.COMPLETED:
        return "activation/unlock_done.html"
    return "activation/unlock_follow.html" if view.is_open else "activation/unlock_ended.html"


@not_activity
@require_safe
def state(request: HttpRequest, transaction_id: UUID) -> HttpResponse:
    """Returns the changes since the page or its last poll: none, the new state, or a reload for the result."""
    view = unlocking.state(actor=actor_of(request), transaction_id=transaction_id)
    if not view.is_open:
        return HttpResponseClientRefresh()
    return live.changed(request, "activation/unlock_live.html", _live(request, view))


def _live(request: HttpRequest, view: TransactionView) -> dict[str, Any]:
    shown = live.parts(request, view)
    return shown | {"unlocking_stages": stages.unlocking(view, shown["card_help"])}


@require_http_methods(["GET", "HEAD", "POST"])
def cancel(request: HttpRequest, transaction_id: UUID) -> HttpResponse:
    """Cancels the transaction and leads back to the person. A GET (after an expired login) leads to the page."""
    if request.method != "POST":
        return redirect("unlocking", transaction_id)
    leads_back(request, reverse("unlocking", args=[transaction_id]), _("Till upplåsningen"))
    row = unlocking.cancel(actor=actor_of(request), transaction_id=transaction_id)
    handles.forget(request, transaction_id)
    if row.state == TransactionState.COMPLETED:
        return redirect("unlocking", transaction_id)
    messages.info(request, _("Upplåsningen är avbruten. Koden på kortet är inte ändrad."))
    return redirect("person", row.carrier.person_id)
