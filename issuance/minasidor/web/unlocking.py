"""Lås upp kort on Mina sidor: which card, a signature with another carrier, and a new code for the locked card."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from authn.web import not_activity
from issuance.activation.domain.transaction_states import TransactionState
from issuance.minasidor.domain import MyFunction
from issuance.minasidor.services import unlocking
from issuance.minasidor.web import refusals
from issuance.minasidor.web.frame import offered
from issuance.records.web import handles
from issuance.records.web.frame import actor_of
from issuance.records.web.refreshing import refreshing, reloaded_if_changed
from siths_portal.lib.errors import Conflict, TooManyRequests

_ANSWERS = ["GET", "HEAD", "POST"]


@require_safe
@offered(MyFunction.UNLOCK)
def cards(request: HttpRequest) -> HttpResponse:
    """Lets the holder choose the card to unlock."""
    found = unlocking.lockable(actor_of(request))
    return render(request, "minasidor/unlock.html", {"cards": found, "tab": ""})


@require_http_methods(_ANSWERS)
@offered(MyFunction.UNLOCK)
def begin(request: HttpRequest, carrier_id: UUID) -> HttpResponse:
    """Opens the transaction of the signature. A GET (after an expired login) leads to the choice. Raises NotFound."""
    if request.method != "POST":
        return redirect("my_unlockings")
    actor = actor_of(request)
    try:
        opened = unlocking.ask(actor=actor, carrier_id=carrier_id)
    except (Conflict, TooManyRequests) as error:
        context = {"cards": unlocking.lockable(actor), "refusal": refusals.text_of(error), "tab": ""}
        return render(request, "minasidor/unlock.html", context, status=error.http_status)
    handles.keep(request, opened)
    return redirect("my_unlocking", opened.transaction.pk)


@require_http_methods(_ANSWERS)
@offered(MyFunction.UNLOCK)
def step(request: HttpRequest, transaction_id: UUID) -> HttpResponse:
    """Shows the link to the app and how the step goes. A POST gives a new link. Raises NotFound."""
    actor = actor_of(request)
    if request.method == "POST":
        try:
            handles.keep(request, unlocking.renew(actor=actor, transaction_id=transaction_id))
        except Conflict as error:
            messages.error(request, refusals.text_of(error))
        return redirect("my_unlocking", transaction_id)
    found = unlocking.seen(actor=actor, transaction_id=transaction_id)
    if found.unlocking_id is not None and found.is_signing:
        return redirect("my_unlocking", found.unlocking_id)
    is_done = found.state is TransactionState.COMPLETED
    context = {
        "step": found,
        "is_signed": is_done and found.is_signing,
        "is_unlocked": is_done and not found.is_signing,
        "tab": "",
        **handles.way_to_app(request, found.transaction, found.state),
        **refreshing(request, live=found.is_open),
    }
    return render(request, "minasidor/unlock_step.html", context)


@not_activity
@require_safe
@offered(MyFunction.UNLOCK)
def state(request: HttpRequest, transaction_id: UUID) -> HttpResponse:
    """Says that nothing has changed since the page, or has the browser load it again. Raises NotFound."""
    return reloaded_if_changed(request, unlocking.seen(actor=actor_of(request), transaction_id=transaction_id).state)


@require_http_methods(_ANSWERS)
@offered(MyFunction.UNLOCK)
def go_on(request: HttpRequest, transaction_id: UUID) -> HttpResponse:
    """Opens the transaction of the locked card after the signature. A GET leads to the step. Raises NotFound."""
    if request.method == "POST":
        try:
            opened = unlocking.unlock(actor=actor_of(request), transaction_id=transaction_id)
        except Conflict as error:
            messages.error(request, refusals.text_of(error))
        else:
            handles.keep(request, opened)
            return redirect("my_unlocking", opened.transaction.pk)
    return redirect("my_unlocking", transaction_id)


@require_http_methods(_ANSWERS)
@offered(MyFunction.UNLOCK)
def cancel(request: HttpRequest, transaction_id: UUID) -> HttpResponse:
    """Cancels the step and leads back to the cards. A GET leads to the step. Raises NotFound."""
    if request.method != "POST":
        return redirect("my_unlocking", transaction_id)
    unlocking.cancel(actor=actor_of(request), transaction_id=transaction_id)
    handles.forget(request, transaction_id)
    found = unlocking.seen(actor=actor_of(request), transaction_id=transaction_id)
    if found.state is TransactionState.COMPLETED:
        return redirect("my_unlocking", transaction_id)
    messages.info(request, _("Upplåsningen är avbruten. Koden på kortet är inte ändrad."))
    return redirect("my_unlockings")
