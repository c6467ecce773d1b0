"""Pages where holders test what is theirs, and the file of a signature certificate that older systems need."""

import datetime as dt
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from authn.web import ask_for_login, not_activity
from issuance.activation.domain.card_reports import CardReport
from issuance.activation.domain.transaction_states import TransactionState
from issuance.activation.services import statements
from issuance.minasidor.domain import MyFunction, offers
from issuance.minasidor.queries.own_certificates import own_certificate, testable
from issuance.minasidor.services import testing
from issuance.minasidor.services.testing import Progress
from issuance.minasidor.web import refusals
from issuance.minasidor.web.frame import means_of, offered
from issuance.minasidor.web.tiles import Tile, tiles_of
from issuance.records.web import handles
from issuance.records.web.frame import actor_of
from issuance.records.web.refreshing import refreshing, reloaded_if_changed
from siths_portal.lib import clock
from siths_portal.lib.errors import Conflict, NotFound, TooManyRequests
from siths_portal.lib.files.downloads import attachment

_JUST_NOW = dt.timedelta(minutes=2)
"""How long after a log-in the page answers that it has just worked."""

_ANSWERS = ["GET", "HEAD", "POST"]


@require_http_methods(_ANSWERS)
@offered(MyFunction.TEST)
def tests(request: HttpRequest) -> HttpResponse:
    """Shows what can be tested. A POST has the holder log in once more, whenever they last did."""
    if request.method == "POST":
        return ask_for_login(request, request.path)
    return _tests(request)


def _tests(request: HttpRequest, refusal: str = "", status: int = 200) -> HttpResponse:
    user: Any = request.user
    means = means_of(request)
    context = {
        "tab": "",
        "means": means,
        "refusal": refusal,
        "logged_in_at": user.authenticated_at,
        "just_now": clock.now() - user.authenticated_at <= _JUST_NOW,
        "carriers": testable(actor_of(request)),
        "has_files": offers(means, MyFunction.FETCH_EXISTING),
    }
    return render(request, "minasidor/tests.html", context, status=status)


@require_http_methods(_ANSWERS)
@offered(MyFunction.TEST)
def begin(request: HttpRequest, certificate_id: UUID) -> HttpResponse:
    """Opens the app's transaction. A GET (after an expired log-in) leads to the choice. Raises NotFound."""
    if request.method != "POST":
        return redirect("my_tests")
    try:
        opened = testing.ask(actor=actor_of(request), certificate_id=certificate_id)
    except (Conflict, TooManyRequests) as error:
        return _tests(request, refusals.text_of(error), error.http_status)
    handles.keep(request, opened)
    return redirect("my_testing", opened.transaction.pk)


@require_http_methods(_ANSWERS)
@offered(MyFunction.TEST)
def step(request: HttpRequest, transaction_id: UUID) -> HttpResponse:
    """Shows the link to the app, what the card said, and the answer. A POST gives a new link. Raises NotFound."""
    actor = actor_of(request)
    if request.method == "POST":
        try:
            handles.keep(request, statements.renew(actor, transaction_id, testing.PURPOSE))
        except Conflict as error:
            messages.error(request, refusals.text_of(error))
        return redirect("my_testing", transaction_id)
    found = testing.seen(actor=actor, transaction_id=transaction_id)
    context = {
        "tab": "",
        "test": found,
        "row": found.transaction,
        "version": _version(found),
        "works": found.state is TransactionState.COMPLETED,
        "fails": found.state is TransactionState.FAILED,
        "said": _said(found),
        "way_out": _way_out(request, found),
        **handles.way_to_app(request, found.transaction, found.state),
        **refreshing(request, live=found.is_open),
    }
    return render(request, "minasidor/test_step.html", context)


@not_activity
@require_safe
@offered(MyFunction.TEST)
def state(request: HttpRequest, transaction_id: UUID) -> HttpResponse:
    """Says that nothing has changed since the page, or has the browser load it again. Raises NotFound."""
    return reloaded_if_changed(request, _version(testing.seen(actor=actor_of(request), transaction_id=transaction_id)))


@require_http_methods(_ANSWERS)
@offered(MyFunction.TEST)
def cancel(request: HttpRequest, transaction_id: UUID) -> HttpResponse:
    """Cancels the test. A GET leads to it. Raises NotFound."""
    if request.method != "POST":
        return redirect("my_testing", transaction_id)
    statements.cancel(actor_of(request), transaction_id, testing.PURPOSE)
    handles.forget(request, transaction_id)
    return redirect("my_testing", transaction_id)


@require_safe
@offered(MyFunction.FETCH_EXISTING)
def signature_certificate(request: HttpRequest, certificate_id: UUID) -> HttpResponse:
    """The signature certificate of a card from an earlier portal, as a file in DER. Raises NotFound, also for any other card."""
    carrier, certificate = own_certificate(actor_of(request), certificate_id)
    if certificate not in carrier.files:
        raise NotFound("not-found", _("Sidan finns inte."))
    return attachment(certificate.der, media_type="application/pkix-cert", filename="underskriftscertifikat.cer")


def _version(found: Progress) -> str:
    """Returns what changes when the page has something new to show."""
    return f"{found.state.value} {found.transaction.card_report}".strip()


def _way_out(request: HttpRequest, found: Progress) -> Tile | None:
    """Returns the tile that leads on from a blocked code: to unlocking, or to the help where this log-in does not offer it."""
    if found.transaction.card_report != CardReport.CODE_BLOCKED:
        return None
    return next(tile for tile in tiles_of(means_of(request)) if MyFunction.UNLOCK in (tile.function, tile.unless))


def _said(found: Progress) -> str:
    """Returns what the card refused in the app, in words, or "" (empty)."""
    words = {
        CardReport.WRONG_CARD: _("Ett annat kort satt i läsaren. Sätt i kortet som slutar på {last}."),
        CardReport.WRONG_CODE: _("Koden var fel. Försök igen i appen."),
        CardReport.CODE_BLOCKED: _("Koden är spärrad efter 3 felaktiga försök. Kortet måste låsas upp."),
    }
    report = found.transaction.card_report
    return words[CardReport(report)].format(last=found.last) if report in words else ""
