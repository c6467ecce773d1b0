"""An officer signs with their own card in the eID app: the link to the app, what is signed, and what follows."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from authn.web import not_activity
from issuance.activation.domain.transaction_states import OPEN, TransactionState
from issuance.authz import Action
from issuance.people.services import disclosures
from issuance.people.services.disclosures import Shown
from issuance.records.web import handles
from issuance.records.web.frame import STOCK, actor_of, render_page
from issuance.records.web.refreshing import refreshing, reloaded_if_changed
from issuance.reserve_cards.services import signing
from issuance.reserve_cards.services.signing import Signing
from siths_portal.lib.errors import Conflict


@require_http_methods(["GET", "HEAD", "POST"])
@STOCK.requires(Action.ISSUE_RESERVE_CARD)
def statement(request: HttpRequest, transaction_id: UUID) -> HttpResponse:
    """Shows what the officer signs, and the link to the app. A POST gives a new link. Raises NotFound."""
    actor = actor_of(request)
    if request.method == "POST":
        try:
            handles.keep(request, signing.renew(actor=actor, transaction_id=transaction_id))
        except Conflict as error:
            messages.error(request, error.message)
        return redirect("reserve_card_statement", transaction_id)
    found = signing.seen(actor=actor, transaction_id=transaction_id)
    if found.state is TransactionState.COMPLETED:
        return _followed(request, found)
    disclosures.record(actor=actor, person_id=found.issue.person_id, shown=Shown.PERSON, subject=found.issue.carrier_id)
    context = {
        "signing": found,
        "is_open": found.state in OPEN,
        **handles.way_to_app(request, found.statement.transaction, found.state),
    }
    context |= refreshing(request, live=found.state in OPEN)
    return render_page(request, STOCK, "reserve_cards/statement.html", context)


def _followed(request: HttpRequest, found: Signing) -> HttpResponse:
    """Leads on from a signature to the person, where the card is activated after the second officer's."""
    if found.is_first:
        messages.success(request, _("Du har skrivit under. Nu väntar utlämningen på en andra person."))
    else:
        done = _("Utlämningen är godkänd. Innehavaren kan aktivera kortet på Mina sidor, eller här tillsammans med dig.")
        messages.success(request, done)
    return redirect("person", found.issue.person_id)


@not_activity
@require_safe
@STOCK.requires(Action.ISSUE_RESERVE_CARD)
def state(request: HttpRequest, transaction_id: UUID) -> HttpResponse:
    """Says that nothing has changed since the page, or has the browser load it again. Raises NotFound."""
    return reloaded_if_changed(request, signing.seen(actor=actor_of(request), transaction_id=transaction_id).state)


@require_http_methods(["GET", "HEAD", "POST"])
@STOCK.requires(Action.ISSUE_RESERVE_CARD)
def cancel(request: HttpRequest, transaction_id: UUID) -> HttpResponse:
    """Cancels the signature; the first officer's hand-out ends with it. Raises NotFound."""
    if request.method != "POST":
        signing.seen(actor=actor_of(request), transaction_id=transaction_id)
        return redirect("reserve_card_statement", transaction_id)
    found = signing.cancel(actor=actor_of(request), transaction_id=transaction_id)
    handles.forget(request, transaction_id)
    if found.state is TransactionState.COMPLETED:
        return _followed(request, found)
    messages.info(request, _("Underskriften är avbruten."))
    address = reverse("person", args=[found.issue.person_id])
    return redirect(address if found.is_first else reverse("reserve_card_approve", args=[found.issue.pk]))
