"""Aktivera ditt reservkort: a session of the card opens the eID app, in which the holder chooses the code and signs the receipt.

The pages say nothing of the holder: the app shows names when the card has proven itself.
"""

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods, require_safe

from authn.web import not_activity
from issuance.activation.domain.transaction_states import OPEN, TransactionState
from issuance.activation.services import transactions
from issuance.minasidor.domain import MyFunction
from issuance.minasidor.queries import own_card
from issuance.minasidor.web import app_steps, refusals
from issuance.minasidor.web.frame import offered
from issuance.records.web import handles
from issuance.records.web.frame import actor_of
from issuance.records.web.refreshing import refreshing, reloaded_if_changed
from issuance.reserve_cards.services import own_activation
from siths_portal.lib.errors import Conflict, DomainError, TooManyRequests, Unavailable

_METHODS = ["GET", "HEAD", "POST"]
_NOT_HERE = _("Kortet kan inte aktiveras här. Gå till den ID-administratör som lämnade ut det.")
_NOT_NOW = _("Det går inte just nu. Inget har ändrats på kortet. Försök igen om en stund.")
_TOLD = frozenset({"activation-under-way"})
"""Refusals that say nothing of the holder. Of others the page does not say why: it is open to everybody who has the card."""


@require_http_methods(_METHODS)
@offered(MyFunction.ACTIVATE_RESERVE_CARD)
def activate(request: HttpRequest) -> HttpResponse:
    """Shows what is needed; a post opens the eID app's transaction. A card that cannot be activated here leads to its page."""
    actor = actor_of(request)
    card, may = own_card.own_card(actor), own_activation.waiting(actor) is not None
    status, refusal = 200, ""
    if request.method == "POST":
        try:
            opened = own_activation.open_for(actor=actor)
        except (Conflict, TooManyRequests, Unavailable) as error:
            status, refusal = error.http_status, _text_of(error)
        else:
            handles.keep(request, opened)
            return redirect("my_activating", opened.transaction.pk)
    elif not may:
        return redirect("start")
    return render(request, "minasidor/activate.html", {"card": card, "refusal": refusal, "tab": "start"}, status=status)


@require_http_methods(_METHODS)
@offered(MyFunction.ACTIVATE_RESERVE_CARD)
def under_way(request: HttpRequest, transaction_id: UUID) -> HttpResponse:
    """Shows the way to the app and follows it to its end. A post gives a new link. Raises NotFound."""
    actor = actor_of(request)
    if request.method == "POST":
        try:
            handles.keep(request, own_activation.renew(actor=actor, transaction_id=transaction_id))
        except Conflict:
            messages.error(request, _("Appen är redan öppnad, eller så har tiden gått ut."))
        return redirect("my_activating", transaction_id)
    row = own_activation.seen(actor, transaction_id)
    now = transactions.state_now(row)
    if now is TransactionState.COMPLETED:
        messages.success(request, _("Kortet är aktiverat. Du kan ta ut det nu."))
        return redirect("start")
    context = {"card": own_card.own_card(actor), "row": row, "state": now.value, "is_open": now in OPEN, "tab": "start"}
    context |= {**handles.way_to_app(request, row, now), **refreshing(request, live=now in OPEN)}
    return render(request, "minasidor/activating.html", context)


@not_activity
@require_safe
@offered(MyFunction.ACTIVATE_RESERVE_CARD)
def state(request: HttpRequest, transaction_id: UUID) -> HttpResponse:
    """Says that nothing has changed since the page, or has the browser load it again. Raises NotFound."""
    return reloaded_if_changed(request, transactions.state_now(own_activation.seen(actor_of(request), transaction_id)))


@require_http_methods(_METHODS)
@offered(MyFunction.ACTIVATE_RESERVE_CARD)
def cancel(request: HttpRequest, transaction_id: UUID) -> HttpResponse:
    """Breaks off. A GET leads to the step. Raises NotFound."""
    page, told = "my_activating", _("Du har avbrutit. Du kan börja om när du vill.")
    if request.method != "POST":
        return redirect(page, own_activation.seen(actor_of(request), transaction_id).pk)
    return app_steps.cancelled(request, transaction_id, own_activation.cancel, page=page, told=told)


def _text_of(error: DomainError) -> str:
    if error.code in _TOLD:
        return refusals.text_of(error)
    return str(_NOT_NOW if isinstance(error, Unavailable) else _NOT_HERE)
