"""Beställ PUK-brev: a letter with the PUK of a card in use to its holder, and an ordered one's state (rules/issuance 3.12)."""

import datetime as dt
import secrets
from typing import Any
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from authn.web import require_recent_login
from issuance.articles.ports import ArticlePrices
from issuance.authz import Action, policy
from issuance.carriers.models import Carrier
from issuance.orders.domain.items import LETTER
from issuance.orders.domain.order_states import OrderState
from issuance.orders.domain.rules import DeliveryMethod, delivery_method
from issuance.orders.models.orders import CardOrder
from issuance.orders.queries import order_draft
from issuance.orders.services import letters, order_checks
from issuance.orders.web.choices import kronor
from issuance.orders.web.forms import LetterForm
from issuance.people.services import disclosures
from issuance.person_page.queries import person_view
from issuance.records.domain import wording
from issuance.records.queries import words
from issuance.records.web.frame import SEARCH, actor_of, render_page
from issuance.records.web.persons import photo_url
from siths_portal.lib import ports
from siths_portal.lib.errors import Conflict, Invalid, Unavailable

_KEYS = 9


@require_http_methods(["GET", "HEAD", "POST"])
def puk_letter(request: HttpRequest, carrier_id: UUID) -> HttpResponse:
    """Shows what is ordered, how it is sent and its price; a post orders. Raises NotFound, Forbidden."""
    if request.method != "POST":
        return _page(request, carrier_id)
    _card, reason = letters.to_order(actor=actor_of(request), carrier_id=carrier_id)
    form = LetterForm(request.POST)
    if not form.is_valid():
        return _page(request, carrier_id, *(() if reason else (form,)), status=(Conflict if reason else Invalid).http_status)
    if step_up := require_recent_login(request, dt.timedelta(seconds=settings.ACTIVATION_LOGIN_MAX_AGE)):
        return step_up
    wanted = letters.Letter(carrier_id, form.cleaned_data["office"])
    try:
        order = letters.order_letter(actor=actor_of(request), letter=wanted, idempotency_key=form.cleaned_data["key"])
    except (Invalid, Conflict, Unavailable) as error:
        return _page(request, carrier_id, form, status=error.http_status, refusal=error.message)
    return redirect("puk_letter_ordered", order.pk)


def _page(
    request: HttpRequest, carrier_id: UUID, form: LetterForm | None = None, *, status: int = 200, refusal: str = ""
) -> HttpResponse:
    actor = actor_of(request)
    card, reason = letters.to_order(actor=actor, carrier_id=carrier_id)
    head = person_view.person_head(actor=actor, person_id=card.holder_id)
    disclosures.record(actor=actor, person_id=head.id, shown=disclosures.Shown.ORDER, subject=card.pk)
    form = form or LetterForm(initial={"key": secrets.token_hex(16)})
    price, registered = _price(card), card.card_article.registered_mail
    context = {
        "form": form,
        "key": form["key"].value(),
        "options": _offices(request, card, form),
        "head": head,
        "photo_url": photo_url(head),
        "reason": "" if refusal else reason,
        "refusal": refusal,
        "last_sent": letters.last_sent(card),
        "rows": [
            {"label": _("Kort"), "value": wording.card_serial(card.card_serial)},
            {"label": _("Organisation"), "value": card.organisation.name},
            {"label": _("Skickas"), "value": _delivery(registered=registered, protected=head.is_protected)},
            {"label": _("Pris"), "value": _("%(price)s utan moms") % {"price": price} if price else ""},
        ],
        "act_text": _("PUK-brev, %(price)s") % {"price": price} if price else _("PUK-brev"),
        "person_url": f"{reverse('person', args=[head.id])}?barare={card.pk}",
    }
    return render_page(request, SEARCH, "orders/letter.html", context, status=status)


def _offices(request: HttpRequest, card: Carrier, form: LetterForm) -> list[dict[str, Any]]:
    """Returns the options of Kontor. Proposes the only one, or what the clerk chose last for the organisation."""
    offices = order_checks.open_offices(card.organisation_id)
    last = order_draft.last_choice(actor=actor_of(request), organisation_id=card.organisation_id)
    proposed = offices[0].pk if len(offices) == 1 else last.office_id if last else None
    chosen = str(form["office"].value() or proposed or "")
    found = []
    for number, office in enumerate(offices, 1):
        option = {"value": str(office.pk), "label": office.name, "hint": office.invoice_comment}
        found.append(option | {"checked": str(office.pk) == chosen} | ({"key": number} if number <= _KEYS else {}))
    return found


def _price(card: Carrier) -> str:
    party_id = card.organisation.area.issuing_organisation_id
    return kronor(ports.get(ArticlePrices).letter_price(party_id)) if party_id is not None else ""


def _delivery(*, registered: bool, protected: bool) -> str:
    """Returns how the letter is sent, in words. No page shows an address, and the portal stores none."""
    return {
        DeliveryMethod.TAX_AGENCY_FORWARDING: _("Genom Skatteverkets förmedlingsuppdrag"),
        DeliveryMethod.REGISTERED_MAIL: _("Rekommenderat brev (REK) till folkbokföringsadressen"),
        DeliveryMethod.LETTER: _("Vanligt brev till folkbokföringsadressen"),
    }[delivery_method(is_protected=protected, registered_mail=registered)]


@require_safe
def ordered(request: HttpRequest, order_id: UUID) -> HttpResponse:
    """Shows an ordered letter and how far it has come. Raises NotFound."""
    actor = actor_of(request)
    rows = CardOrder.objects.filter(items__kind=LETTER.code).select_related("article", "organisation", "office", "person")
    order = policy.get(actor, Action.VIEW, rows.distinct(), order_id)
    card_id = order.items.values_list("puk_of", flat=True)[0]
    head = person_view.person_head(actor=actor, person_id=order.person_id or "")
    disclosures.record(actor=actor, person_id=head.id, shown=disclosures.Shown.ORDER, subject=order.pk)
    context = {
        "order": order,
        "head": head,
        "state_text": wording.label(words.ORDER_STATE, order.state),
        "stages": _stages(order),
        "rows": [
            {"label": _("Status"), "value": wording.label(words.ORDER_STATE, order.state)},
            {"label": _("Skickas"), "value": _delivery(registered=order.article.registered_mail, protected=head.is_protected)},
            {"label": _("REK-id"), "value": order.registered_mail_id, "code": True},
            {"label": _("Kontor"), "value": order.office.name},
            {"label": _("Beställd"), "value": date_format(timezone.localtime(order.ordered_at), "Y-m-d H:i")},
            {"label": _("Beställnings-id"), "value": str(order.pk), "code": True},
        ],
        "removable": order.state == OrderState.QUEUED and policy.may(actor, Action.REMOVE_ORDER, order),
        "person_url": f"{reverse('person', args=[head.id])}?barare={card_id}",
    }
    return render_page(request, SEARCH, "orders/letter_ordered.html", context)


def _stages(order: CardOrder) -> list[dict[str, str]]:
    """Returns the errand from the order to the new code, as far as it has come; only the order if nothing will be sent."""
    if order.state in (OrderState.CANCELLED, OrderState.FAILED, OrderState.RETURNED):
        return [{"state": "stop", "text": wording.label(words.ORDER_STATE, order.state)}]
    sent = order.sent_at is not None
    return [
        {"state": "done", "text": _("Beställt")},
        {"state": "done" if sent else "now", "text": _("Skickat till innehavaren")},
        {
            "state": "now" if sent else "later",
            "text": _("Innehavaren låser upp kortet med brevet, i SITHS eID-appen"),
        },
    ]
