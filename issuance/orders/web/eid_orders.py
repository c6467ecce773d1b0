"""Beställ extra SITHS eID, Uppdatera SITHS eID, and the withdrawal of orders that wait for the holder (rules/issuance 3.6).

Each is one page. The order is shown on the person's page, at its card.
"""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from issuance.authz import Action, policy
from issuance.carriers.models import Carrier, Eid
from issuance.orders.domain.eid_order_states import EidOrderState
from issuance.orders.models.eid_orders import EidOrder
from issuance.orders.queries import eid_choices
from issuance.orders.services import eid_orders
from issuance.orders.web.choices import with_keys
from issuance.orders.web.forms import EidOrderForm
from issuance.people.services import disclosures
from issuance.person_page.queries import person_view
from issuance.records.domain import wording
from issuance.records.web.frame import SEARCH, actor_of, render_page
from issuance.records.web.persons import photo_url
from siths_portal.lib.errors import Conflict, IllegalTransition, Invalid, Unavailable

_answered = require_http_methods(["GET", "HEAD", "POST"])


@_answered
def additional(request: HttpRequest, carrier_id: UUID) -> HttpResponse:
    """Asks for which assignment the extra eID is; a post orders it. Raises NotFound, Forbidden."""
    found = eid_choices.addition(actor=actor_of(request), carrier_id=carrier_id)
    if request.method != "POST":
        return _addition(request, found, EidOrderForm())
    form = EidOrderForm(request.POST)
    if not form.is_valid():
        if found.reason:  # the page has no field that an error could lead to
            return _addition(request, found, EidOrderForm(), status=Conflict.http_status, refusal=found.reason)
        return _addition(request, found, form, status=Invalid.http_status)
    post_id = form.cleaned_data["post"]
    return _ordered(
        request,
        lambda: eid_orders.order_additional_eid(actor=actor_of(request), carrier_id=carrier_id, post_id=post_id),
        lambda status, refusal: _addition(request, found, form, status=status, refusal=refusal),
        _person_page(found.carrier),
    )


@_answered
def renew(request: HttpRequest, eid_id: UUID) -> HttpResponse:
    """Shows which eID is renewed, and with what; a post orders it. Raises NotFound, Forbidden."""
    eid, reason = eid_choices.renewal(actor=actor_of(request), eid_id=eid_id)
    if request.method != "POST":
        return _renewal(request, eid, reason)
    return _ordered(
        request,
        lambda: eid_orders.order_renewed_eid(actor=actor_of(request), eid_id=eid_id),
        lambda status, refusal: _renewal(request, eid, reason, status=status, refusal=refusal),
        _person_page(eid.carrier),
    )


@_answered
def withdraw(request: HttpRequest, order_id: UUID) -> HttpResponse:
    """Withdraws an order that waits for its holder, after confirmation. Leads to the person's page if it no longer waits. Raises
    NotFound, Forbidden.
    """
    actor = actor_of(request)
    rows = EidOrder.objects.select_related("carrier", "organisation").defer("carrier__card_key_spki")
    order = policy.get(actor, Action.WITHDRAW_EID_ORDER, rows, order_id)
    person_url = _person_page(order.carrier)
    if request.method == "POST" and order.state == EidOrderState.ORDERED:
        try:
            eid_orders.withdraw_eid_order(actor=actor, order_id=order_id)
        except IllegalTransition:
            order.refresh_from_db(fields=["state"])
        else:
            messages.success(request, _("Beställningen är borttagen. Innehavaren kan inte hämta SITHS eID:t."))
            return redirect(person_url)
    if order.state != EidOrderState.ORDERED:
        messages.info(request, _ENDED[EidOrderState(order.state)])
        return redirect(person_url)
    context = {
        "rows": [
            {"label": _("Beställning"), "value": _(order.rule.name)},
            {"label": _("Organisation"), "value": order.organisation.name},
            {"label": _("Tjänste-id"), "value": order.hsa_id, "code": True},
            {"label": _("Kort"), "value": wording.card_serial(order.carrier.card_serial), "code": True},
            {"label": _("Beställd"), "value": date_format(timezone.localtime(order.ordered_at), "Y-m-d H:i")},
        ],
    }
    return _page(request, "orders/eid_order_withdraw.html", order.carrier, context, subject=order.pk)


_ENDED = {
    EidOrderState.CANCELLED: "Beställningen är redan borttagen.",
    EidOrderState.FETCHED: "Innehavaren har redan hämtat SITHS eID:t. Spärra det om det inte ska användas.",
    EidOrderState.EXPIRED: "Tiden för att hämta SITHS eID:t har redan gått ut.",
}


def _ordered(
    request: HttpRequest, order: Callable[[], EidOrder], refused: Callable[[int, str], HttpResponse], person_url: str
) -> HttpResponse:
    """Orders and leads to the order on the person's page, as does a second click (S33)."""
    try:
        made = order()
    except (Invalid, Conflict, Unavailable) as error:
        if error.code == "eid-ordered-already":
            messages.info(request, error.message)
            return redirect(person_url)
        texts = [text for found in error.fields.values() for text in found]
        return refused(error.http_status, " ".join(texts) or error.message)
    last = wording.last_day(made.expires_at)
    text = _("SITHS eID är beställt. Innehavaren hämtar det med kortet på Mina sidor, senast %(day)s.")
    messages.success(request, text % {"day": date_format(last, "Y-m-d") if last else ""})
    return redirect(person_url)


def _addition(
    request: HttpRequest, found: eid_choices.Addition, form: EidOrderForm, *, status: int = 200, refusal: str = ""
) -> HttpResponse:
    chosen = str(form["post"].value() or (found.posts[0].pk if len(found.posts) == 1 else ""))
    options = [
        {
            "value": str(post.pk),
            "label": post.organisation.name,
            "hint": " · ".join(filter(None, (post.hsa_id, post.mail, post.upn))),
            "checked": str(post.pk) == chosen,
            "disabled": False,
        }
        for post in found.posts
    ]
    context = {
        "form": form,
        "options": with_keys(options),
        "reason": found.reason,
        "refusal": refusal,
        "rows": _of_card(found.carrier),
        "act_text": _("Extra SITHS eID på kortet som slutar på %(last)s") % {"last": found.carrier.card_serial[-4:]},
    }
    return _page(request, "orders/eid_order.html", found.carrier, context, subject=found.carrier.pk, status=status)


def _renewal(request: HttpRequest, eid: Eid, reason: str, *, status: int = 200, refusal: str = "") -> HttpResponse:
    post, last = eid.post, wording.last_day(eid.valid_to)
    context = {
        "reason": reason,
        "refusal": refusal,
        "rows": [
            {"label": _("Organisation"), "value": eid.organisation.name},
            {"label": _("Tjänste-id"), "value": eid.hsa_id, "code": True},
            {"label": _("Gäller till"), "value": date_format(last, "Y-m-d") if last else ""},
            *_changed(_("E-post"), eid.mail, post.mail),
            *_changed(_("UPN"), eid.upn, post.upn),
            *_changed(_("Titel"), eid.title, post.title),
            *_of_card(eid.carrier),
        ],
        "act_text": _("Uppdatera SITHS eID för %(organisation)s") % {"organisation": eid.organisation.name},
    }
    return _page(request, "orders/eid_renew.html", eid.carrier, context, subject=eid.pk, status=status)


def _changed(label: str, before: str, now: str) -> list[dict[str, Any]]:
    """Returns the row of a value of the assignment; it says so if the renewed eID gets another one than the present."""
    if before == now:
        return [{"label": label, "value": now}]
    return [{"label": label, "value": _("%(now)s (nu %(before)s)") % {"now": now or "–", "before": before or "–"}}]


def _of_card(carrier: Carrier) -> list[dict[str, Any]]:
    last = wording.last_day(carrier.valid_to)
    return [
        {"label": _("Kort"), "value": wording.card_serial(carrier.card_serial), "code": True},
        {"label": _("Kortet gäller till"), "value": date_format(last, "Y-m-d") if last else ""},
        {"label": _("Tillitsnivå"), "value": str(carrier.assurance_level)},
    ]


def _page(
    request: HttpRequest, template: str, carrier: Carrier, context: dict[str, Any], *, subject: UUID, status: int = 200
) -> HttpResponse:
    actor = actor_of(request)
    head = person_view.person_head(actor=actor, person_id=carrier.holder_id)
    disclosures.record(actor=actor, person_id=head.id, shown=disclosures.Shown.ORDER, subject=subject)
    shown = context | {"head": head, "photo_url": photo_url(head), "person_url": _person_page(carrier)}
    return render_page(request, SEARCH, template, shown, status=status)


def _person_page(carrier: Carrier) -> str:
    return f"{reverse('person', args=[carrier.holder_id])}?barare={carrier.pk}"
