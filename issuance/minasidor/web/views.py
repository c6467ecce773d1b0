"""The pages where holders see what is theirs. Those of revocation are in `revoking`."""

from uuid import UUID

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from authn.web import with_login_form
from issuance.activation.queries import receipt_view
from issuance.carriers.domain.kinds import RESERVE_CARD
from issuance.minasidor.domain import Means, MyFunction, offers
from issuance.minasidor.queries import looked, own_card, own_orders
from issuance.minasidor.queries.own_carriers import own_carrier, own_carriers
from issuance.minasidor.queries.todo import tasks_of
from issuance.minasidor.web.frame import Frame, means_of, offered, pdf
from issuance.minasidor.web.tiles import tiles_of
from issuance.records.web.frame import actor_of
from issuance.reserve_cards.services import own_activation

_LATEST = 3
_LATEST_LOOKS = 20
"""The looks whose visits the start page chooses from."""
_PAGE = 50


@login_not_required
@require_safe
@with_login_form
def start(request: HttpRequest) -> HttpResponse:
    """Shows a visitor the log-in, a session of a card that card, and a holder everything that is theirs."""
    if Frame(request).user is None:
        return render(request, "minasidor/welcome.html", {"tab": ""})
    if means_of(request) == Means.CARD:
        return _card(request)
    return _start(request)


@offered(MyFunction.OWN_CARD)
def _card(request: HttpRequest) -> HttpResponse:
    actor = actor_of(request)
    may = own_activation.waiting(actor) is not None
    context = {"card": own_card.own_card(actor), "may_activate": may, "tab": "start", "support": settings.SUPPORT_CONTACT}
    return render(request, "minasidor/card.html", context)


@offered(MyFunction.LIST)
def _start(request: HttpRequest) -> HttpResponse:
    actor, means = actor_of(request), means_of(request)
    carriers, tasks = own_carriers(actor), tasks_of(actor, means)
    context = {
        "tab": "start",
        "first": tasks[0] if tasks else None,
        "later": tasks[1:],
        "valid": [each for each in carriers if each.is_valid],
        "ended": [each for each in carriers if not each.is_valid],
        "receipts": [each for each in carriers if each.signed_at],
        "tiles": tiles_of(means),
        "looks": looked.looks(actor, most=_LATEST_LOOKS)[0][:_LATEST],
        "level_two": means == Means.LOA2,
        "places": sorted({each.organisation for each in carriers if each.is_valid}),
        "support": settings.SUPPORT_CONTACT,
    }
    return render(request, "minasidor/start.html", context)


@require_safe
@offered(MyFunction.LIST)
def carrier(request: HttpRequest, carrier_id: UUID) -> HttpResponse:
    """A carrier of the holder's with its eIDs. Raises NotFound, Forbidden."""
    actor = actor_of(request)
    found = own_carrier(actor, carrier_id)
    may_extend = found.kind == RESERVE_CARD.code and offers(means_of(request), MyFunction.EXTEND_RESERVE_CARD)
    extendable = own_orders.extendable(actor, found.id) if may_extend else None
    return render(request, "minasidor/carrier.html", {"carrier": found, "extendable": extendable, "tab": "start"})


@require_safe
@offered(MyFunction.ACCESS_LOG)
def access_log(request: HttpRequest) -> HttpResponse:
    """Everybody who has looked at the holder's data, the newest first, in pages of 50 looks by the number of an event."""
    given = request.GET.get("fore", "")
    before = int(given) if given.isdecimal() and len(given) <= 18 else None
    found, more = looked.looks(actor_of(request), most=_PAGE, before=before)
    context = {"looks": found, "older": found[-1].id if more else None, "newest": before is None}
    return render(request, "minasidor/access_log.html", {**context, "tab": "my_access_log"})


@require_safe
@offered(MyFunction.RECEIPTS)
def receipt(request: HttpRequest, carrier_id: UUID) -> HttpResponse:
    """The signed receipt of one of the holder's cards, as the PDF that the holder signed. Raises NotFound, Forbidden."""
    return pdf(receipt_view.receipt_document(actor=actor_of(request), carrier_id=carrier_id).content, "kvittens")


@login_not_required
@require_safe
def help_page(request: HttpRequest) -> HttpResponse:
    """What to do when a card is lost or a code forgotten, and whom to ask. Also for those who cannot log in."""
    return render(request, "minasidor/help.html", {"tab": "", "support": settings.SUPPORT_CONTACT})
