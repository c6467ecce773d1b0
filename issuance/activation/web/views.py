"""The three steps of an activation on the clerk's screen, and their texts (rules/issuance 5.1).

The holder's own steps are in the eID app, in a window of another origin that shares nothing with the clerk's session.
"""

import datetime as dt
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe
from django_htmx.http import HttpResponseClientRedirect, HttpResponseClientRefresh

from authn.web import kept_form, not_activity, require_recent_login
from issuance.activation.domain.card_checks import CardAnswer, check
from issuance.activation.domain.identity_documents import DOCUMENTS
from issuance.activation.domain.transaction_states import TransactionState
from issuance.activation.queries import activation_view, receipt_view, suspicions, transaction_ends
from issuance.activation.queries.activation_view import ActivationView
from issuance.activation.services import activation, identifications, receipts
from issuance.activation.services.receipt_content import SUMMARY
from issuance.activation.services.visits import TransactionView
from issuance.activation.web import live, stages
from issuance.activation.web.forms import CardCheckForm, IdentificationForm
from issuance.carriers.domain.carrier_states import CarrierState
from issuance.carriers.models import Carrier
from issuance.orders.services import replacement_checks
from issuance.people.services import disclosures
from issuance.people.services.disclosures import Shown
from issuance.person_page.queries import person_view
from issuance.records.web import handles
from issuance.records.web.frame import SEARCH, actor_of, render_page
from issuance.records.web.persons import photo_url
from issuance.records.web.refreshing import refreshing
from issuance.revocation.services import revocation_limit
from siths_portal.lib.errors import Conflict, Invalid, Unavailable
from siths_portal.lib.pages.error_pages import leads_back

_CHECK = "sok"
"""The button of the form that checks the card. It changes nothing."""


@require_http_methods(["GET", "HEAD", "POST"])
def activate(request: HttpRequest, carrier_id: UUID) -> HttpResponse:
    """Step 1: shows the card and records the document that identified the holder. Raises NotFound, Forbidden."""
    if _CHECK in request.POST:
        return _card_check(request, carrier_id)
    # Raises before a login is required in vain.
    page = activation_view.activation_view(actor=actor_of(request), carrier_id=carrier_id)
    if request.method != "POST":
        kept = kept_form(request)
        return _identification(request, page, IdentificationForm(ways=page.ways, initial=kept.dict() if kept else None))
    form = IdentificationForm(request.POST, ways=page.ways)
    if not form.is_valid():
        return _identification(request, page, form, status=Invalid.http_status)
    if step_up := require_recent_login(request, dt.timedelta(seconds=settings.ACTIVATION_LOGIN_MAX_AGE)):
        return step_up
    try:
        opened = activation.identify(actor=actor_of(request), carrier_id=carrier_id, **form.identified())
    except Invalid as error:
        form.take(error)
        return _identification(request, page, form, status=error.http_status)
    except (Conflict, Unavailable) as error:
        page = activation_view.activation_view(actor=actor_of(request), carrier_id=carrier_id)
        return _identification(request, page, form, status=error.http_status, refusal=error.message)
    handles.keep(request, opened)
    return redirect("activation_sign", opened.transaction.pk)


def _first_stages(page: ActivationView, *, is_suspected: bool) -> list[stages.Stage]:
    if page.carrier.state == CarrierState.ACTIVE:
        return stages.steps(4)
    stopped = not page.is_ready or bool(page.carrier.waiting_revocations) or is_suspected
    return stages.steps(1, is_stopped=stopped)


def _card_check(request: HttpRequest, carrier_id: UUID) -> HttpResponse:
    """Says whether the scanned card is the card of the page, as a part of the page for htmx, else as the page."""
    form = CardCheckForm(request.POST)
    text = form.cleaned_data["serial"] if form.is_valid() else ""
    serial = activation_view.card_to_check(actor=actor_of(request), carrier_id=carrier_id)
    answer = check(text, serial)
    if request.headers.get("HX-Request"):
        return render(request, "activation/card_answer.html", {"answer": answer, "card_end": serial[-4:]})
    page = activation_view.activation_view(actor=actor_of(request), carrier_id=carrier_id)
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
    stop = suspicions.stop_of(page.suspicion)
    context = {
        "page": page,
        "form": form,
        "stages": _first_stages(page, is_suspected=bool(stop["suspicion"])),
        "refusal": refusal,
        "photo_url": photo_url(page.head),
        "card_end": page.carrier.serial[-4:],
        "replaced": activation_view.replaced_card(page.carrier.order.replaced if page.carrier.order else None),
        "answer": answer,
        **stop,
        "typed_serial": request.POST.get("serial", ""),
        "back_url": live.carrier_page(page.head.id, page.carrier.id),
    }
    return render_page(request, SEARCH, "activation/identify.html", context, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
def sign(request: HttpRequest, transaction_id: UUID) -> HttpResponse:
    """Step 2: shows what the holder reads and does in the app, and the progress. A POST opens the app again.

    The page of the clerk who identified the holder is for the holder: the clerk turns the screen. When the transaction has ended,
    and for another clerk, it is a clerk's page.
    """
    if request.method == "POST":
        return live.reopen(request, transaction_id, activation.reopen, "activation_sign")
    view = activation.state(actor=actor_of(request), transaction_id=transaction_id)
    if view.state is TransactionState.COMPLETED:
        return redirect("activation_done", transaction_id)
    carrier = view.transaction.carrier
    head = person_view.person_head(actor=actor_of(request), person_id=carrier.holder_id)
    disclosures.record(actor=actor_of(request), person_id=head.id, shown=Shown.PERSON, subject=carrier.pk)
    context = {
        "head": head,
        "photo_url": photo_url(head),
        "back_url": live.carrier_page(head.id, carrier.pk),
        "receipt": receipts.preview(view.transaction) if view.is_open else None,
        "summary": SUMMARY if view.is_open else (),
        "signing_days": activation_view.signing_days(carrier),
        "failure": transaction_ends.why_failed(view.transaction),
        "revocation_waits": not view.is_open and revocation_limit.waits_for(carrier.pk),
        "is_withdrawn": identifications.is_withdrawn(view.transaction.visit),
    }
    context |= refreshing(request, live=view.is_open) | _live(request, view) | _withdrawal(request, view)
    context["stages"] = stages.steps(1 if context["is_withdrawn"] else 2, is_stopped=not view.is_open)
    own = "activation/sign.html" if context["is_own"] else "activation/follow.html"
    return render_page(request, SEARCH, own if view.is_open else "activation/ended.html", context)


@not_activity
@require_safe
def state(request: HttpRequest, transaction_id: UUID) -> HttpResponse:
    """Returns the changes since the page or its last poll: none, the new state, or a redirect."""
    view = activation.state(actor=actor_of(request), transaction_id=transaction_id)
    if view.state is TransactionState.COMPLETED:
        return HttpResponseClientRedirect(reverse("activation_done", args=[transaction_id]))
    if not view.is_open:
        return HttpResponseClientRefresh()
    return live.changed(request, "activation/poll.html", _live(request, view) | _withdrawal(request, view))


def _withdrawal(request: HttpRequest, view: TransactionView) -> dict[str, Any]:
    """Returns whether the page offers to withdraw the identification: only while the card may still be activated by it."""
    transaction = view.transaction
    offered = transaction.carrier.state == CarrierState.SENT
    return {"withdraws": offered and identifications.withdrawable_of(actor_of(request), [transaction.visit.pk])}


def _live(request: HttpRequest, view: TransactionView) -> dict[str, Any]:
    """Returns the live part of step 2."""
    shown = live.parts(request, view)
    return shown | {"signing_stages": stages.signing(view, shown["card_help"])}


@require_http_methods(["GET", "HEAD", "POST"])
def done(request: HttpRequest, transaction_id: UUID) -> HttpResponse:
    """Step 3: shows what was activated. A POST (Avsluta) leads back to the person with a success message."""
    view = activation.state(actor=actor_of(request), transaction_id=transaction_id)
    carrier = view.transaction.carrier
    if view.state is not TransactionState.COMPLETED:
        return redirect("activation_sign", transaction_id)
    if request.method == "POST":
        handles.forget(request, transaction_id)
        messages.success(request, _("Aktivering lyckades! Ordinarie kort aktiverat"))
        return redirect("person", carrier.person_id)
    page = receipt_view.receipt_view(actor=actor_of(request), carrier_id=carrier.pk)
    head = person_view.person_head(actor=actor_of(request), person_id=carrier.holder_id)
    disclosures.record(actor=actor_of(request), person_id=head.id, shown=Shown.RECEIPT, subject=carrier.pk)
    context = {
        "page": page,
        "head": head,
        "back_url": live.carrier_page(head.id, carrier.pk),
        "card_end": page.serial[-4:],
        "earlier": activation_view.earlier_card(actor=actor_of(request), carrier=carrier),
        "replaced": activation_view.replaced_card(replacement_checks.replaced_by(carrier.pk)),
        "transaction": view.transaction,
    }
    return render_page(request, SEARCH, "activation/done.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
def cancel(request: HttpRequest, transaction_id: UUID) -> HttpResponse:
    """Cancels the transaction and leads back to the person. A GET (after an expired login) leads to step 2, which asks again."""
    if request.method != "POST":
        return redirect("activation_sign", transaction_id)
    leads_back(request, reverse("activation_sign", args=[transaction_id]), _("Till aktiveringen"))
    row = activation.cancel(actor=actor_of(request), transaction_id=transaction_id)
    handles.forget(request, transaction_id)
    if row.state == TransactionState.COMPLETED:
        return redirect("activation_done", transaction_id)
    messages.info(request, _cancelled_message(row.carrier))
    return redirect("person", row.carrier.person_id)


def _cancelled_message(carrier: Carrier) -> str:
    if carrier.state == CarrierState.REVOKED:
        return _("Aktiveringen är avbruten. Kortet är spärrat.")
    if carrier.is_code_blocked:
        return _("Aktiveringen är avbruten. Koden på kortet är spärrad, och kvittensen är inte underskriven.")
    if carrier.state == CarrierState.ACTIVATED_UNSIGNED:
        return _("Aktiveringen är avbruten. Koden på kortet är vald, men kvittensen är inte underskriven.")
    return _("Aktiveringen är avbruten. Kortet är inte aktiverat.")


@require_safe
def identification_help(request: HttpRequest) -> HttpResponse:
    """Shows how a holder is identified: seven steps in our own words, and every way of it (rules/issuance 5.2)."""
    return render_page(request, SEARCH, "activation/identification_help.html", {"ways": list(DOCUMENTS.values())})


@login_not_required
@require_safe
def terms(request: HttpRequest) -> HttpResponse:
    """Shows the general terms in force, without a login, because holders read them too."""
    return render(request, "activation/terms.html", {"terms": receipts.current_terms(), "tab": ""})
