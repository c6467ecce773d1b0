"""Pages that start, set aside and restart a draft, and the rules of photos."""

import datetime as dt
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from issuance.authz import policy
from issuance.carriers import services as carriers
from issuance.carriers.domain.kinds import Function
from issuance.carriers.models import Carrier
from issuance.orders.services import drafts, replacements
from issuance.orders.services.draft_steps import DraftClosed
from issuance.orders.web import order
from issuance.orders.web.page import address, closed
from issuance.records.web.frame import SEARCH, actor_of, render_page
from siths_portal.lib.errors import Conflict
from siths_portal.lib.ids import id_of

_OLD_STEPS = {"organisation", "artikel", "foto", "kontor", "granska"}
_answered = require_http_methods(["GET", "HEAD", "POST"])


@_answered
def start(request: HttpRequest, person_id: UUID) -> HttpResponse:
    """Nytt SITHS eID ordinarie kort: continues the clerk's draft, or starts a new one. A GET, as after a login, shows the
    person.
    """
    if request.method != "POST":
        return redirect("person", person_id)
    actor = actor_of(request)
    draft = drafts.start(actor=actor, person_id=person_id)
    return redirect(address(draft.pk) + ("?fortsatt=1" if draft.post_id is not None else ""))


@_answered
def replace(request: HttpRequest, carrier_id: UUID) -> HttpResponse:
    """Ersätt kort: fills the clerk's draft with what replaces the card, and shows it. A GET, as after a login, shows the card on
    the person's page, as does a card that cannot be replaced.
    """
    actor = actor_of(request)
    rows = Carrier.objects.only("id", "person_id", "kind")
    card_page = (
        f"{reverse('person', args=[carriers.get(actor, Function.REPLACE, rows, carrier_id).holder_id])}?barare={carrier_id}"
    )
    if request.method != "POST":
        return redirect(card_page)
    try:
        draft = replacements.start(actor=actor, carrier_id=carrier_id)
    except Conflict as error:
        messages.error(request, error.message)
        return redirect(card_page)
    return redirect(address(draft.pk))


@_answered
def abandon(request: HttpRequest, draft_id: UUID) -> HttpResponse:
    """Avbryt: stores the answers and sets the draft aside. It needs no confirmation, because the draft is kept for some days."""
    if request.method != "POST":
        return redirect(address(draft_id))
    try:
        order.store_what_fits(request, draft_id)
        draft = drafts.abandon(actor=actor_of(request), draft_id=draft_id)
    except DraftClosed as error:
        return closed(request, error.draft)
    until = timezone.localtime(draft.updated_at + dt.timedelta(days=settings.ORDER_DRAFT_DAYS))
    text = _("Beställningen är avbruten. Ångrar du dig, välj Nytt SITHS eID ordinarie kort: det du valt är sparat till %(day)s.")
    messages.info(request, text % {"day": date_format(until, "Y-m-d")})
    return redirect("person", draft.person_id)


@_answered
def restart(request: HttpRequest, draft_id: UUID) -> HttpResponse:
    """Börja om från början."""
    if request.method == "POST":
        try:
            drafts.restart(actor=actor_of(request), draft_id=draft_id)
        except DraftClosed as error:
            return closed(request, error.draft)
    return redirect(address(draft_id))


@require_safe
def photo_rules(request: HttpRequest) -> HttpResponse:
    """Fotoregler, with a link back to the order in the URL; the order's page checks its own permission."""
    draft_id = id_of(request.GET.get("bestallning", ""))
    return render_page(request, SEARCH, "orders/photo_rules.html", {"back_url": address(draft_id) if draft_id else ""})


@_answered
def step_of_old(request: HttpRequest, draft_id: UUID, step: str) -> HttpResponse:
    """Redirects from the addresses that the steps of an order had when each was a page."""
    if step not in _OLD_STEPS:
        raise policy.not_found()
    return redirect(address(draft_id))
