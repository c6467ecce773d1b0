"""Pages where a holder fetches an ordered eID onto a card: what it is, the way to the eID app, and the result."""

from collections.abc import Iterator
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from authn.web import not_activity
from issuance.activation.domain.transaction_states import OPEN, TransactionState
from issuance.activation.services import fetching, transactions
from issuance.authz import Actor
from issuance.minasidor.domain import MyFunction, offers
from issuance.minasidor.queries import own_orders
from issuance.minasidor.queries.todo import Task, Urgency
from issuance.minasidor.web import app_steps, refusals
from issuance.minasidor.web.fetch_words import words_of
from issuance.minasidor.web.frame import offered, require_offered
from issuance.orders.services import eid_orders
from issuance.records.web import handles
from issuance.records.web.frame import actor_of
from issuance.records.web.refreshing import refreshing, reloaded_if_changed
from siths_portal.lib.errors import Conflict, Invalid, Unavailable
from siths_portal.lib.pages.dates import in_words

_FETCH = (MyFunction.FETCH_NEW, MyFunction.EXTEND_RESERVE_CARD)


def tasks(actor: Actor, means: str) -> Iterator[Task]:
    """Yields the eIDs that wait for the holder, with the way to fetch them if this log-in may."""
    for order in own_orders.waiting(actor):
        may = offers(means, order.function)
        words, text = words_of(order), _("Det är beställt till kortet som slutar på {last}. Hämta det senast {day}.")
        yield Task(
            Urgency.WAITS,
            words.heading,
            text.format(last=order.last, day=in_words(order.fetch_by)),
            reverse("my_fetch", args=[order.id]) if may else "",
            words.action if may else "",
        )


@require_http_methods(["GET", "HEAD", "POST"])
@offered(*_FETCH)
def fetch(request: HttpRequest, order_id: UUID) -> HttpResponse:
    """Shows what is fetched and what is needed; a post opens the eID app's transaction. Raises NotFound."""
    actor = actor_of(request)
    order = own_orders.own_order(actor, order_id)
    require_offered(request, order.function)
    if order.fetched:
        messages.success(request, _("SITHS eID:t finns på kortet."))
        return redirect("start")
    status, refusal = 200, ""
    if request.method == "POST":
        try:
            opened = fetching.open_for(actor=actor, order_id=order_id)
        except Conflict as error:
            status, refusal = error.http_status, refusals.text_of(error)
        else:
            handles.keep(request, opened)
            return redirect("my_fetching", opened.transaction.pk)
    context = {"order": order, "words": words_of(order), "refusal": refusal, "tab": "start"}
    return render(request, "minasidor/fetch.html", context, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
@offered(*_FETCH)
def under_way(request: HttpRequest, transaction_id: UUID) -> HttpResponse:
    """Shows the way to the app and follows it to its end. A post gives a new link. Raises NotFound."""
    actor = actor_of(request)
    if request.method == "POST":
        try:
            handles.keep(request, fetching.renew(actor=actor, transaction_id=transaction_id))
        except Conflict as error:
            messages.error(request, refusals.text_of(error))
        return redirect("my_fetching", transaction_id)
    row = fetching.seen(actor, transaction_id)
    now = transactions.state_now(row)
    if now is TransactionState.COMPLETED:
        messages.success(request, _("SITHS eID:t finns på kortet. Du kan ta ut kortet nu."))
        return redirect("start")
    order = own_orders.own_order(actor, row.eid_order_id or transaction_id)
    context = {
        "row": row,
        "state": now.value,
        "is_open": now in OPEN,
        "order": order,
        "words": words_of(order),
        "tab": "start",
        **handles.way_to_app(request, row, now),
    }
    return render(request, "minasidor/fetching.html", context | refreshing(request, live=now in OPEN))


@require_http_methods(["GET", "HEAD", "POST"])
@offered(MyFunction.EXTEND_RESERVE_CARD)
def extend(request: HttpRequest, eid_id: UUID) -> HttpResponse:
    """Orders the extension of a reserve card's eID and leads to its fetch. A GET leads to the start page. Raises NotFound."""
    if request.method != "POST":
        return redirect("start")
    try:
        order = eid_orders.order_extension(actor=actor_of(request), eid_id=eid_id)
    except (Conflict, Invalid, Unavailable):
        messages.error(request, _("Reservkortet kan inte förlängas nu. Försök igen om en stund, eller be en ID-administratör."))
        return redirect("start")
    return redirect("my_fetch", order.pk)


@not_activity
@require_safe
@offered(*_FETCH)
def state(request: HttpRequest, transaction_id: UUID) -> HttpResponse:
    """Says that nothing has changed since the page, or has the browser load it again. Raises NotFound."""
    return reloaded_if_changed(request, transactions.state_now(fetching.seen(actor_of(request), transaction_id)))


@require_http_methods(["GET", "HEAD", "POST"])
@offered(*_FETCH)
def cancel(request: HttpRequest, transaction_id: UUID) -> HttpResponse:
    """Breaks off. The order still waits. Raises NotFound."""
    page, told = "my_fetching", _("Du har avbrutit. SITHS eID:t väntar fortfarande på dig.")
    if request.method != "POST":
        return redirect(page, fetching.seen(actor_of(request), transaction_id).pk)
    return app_steps.cancelled(request, transaction_id, fetching.cancel, page=page, told=told)
