"""Gör om kortet: has a card that came back made again by the same order (rules/issuance 3.8)."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from issuance.articles.ports import ArticlePrices
from issuance.authz import Action, policy
from issuance.orders.domain.items import Fault, ItemState
from issuance.orders.models.orders import CardOrder
from issuance.orders.services import draft_reading, remaking
from issuance.orders.web.choices import kronor, with_keys
from issuance.orders.web.forms import RemakeForm
from issuance.orders.web.summary import article_name, delivery_text
from issuance.people.services import disclosures
from issuance.person_page.queries import person_view
from issuance.records.domain import wording
from issuance.records.web.frame import SEARCH, actor_of, render_page
from issuance.records.web.persons import photo_url
from siths_portal.lib import ports
from siths_portal.lib.errors import Conflict, Invalid, Unavailable


@require_http_methods(["GET", "HEAD", "POST"])
def remake(request: HttpRequest, order_id: UUID) -> HttpResponse:
    """Asks whose fault the return was, which decides the price; a post has the card made again. Leads to the person's page if the
    card has not come back, or is made again already. Raises NotFound, Forbidden.
    """
    rows = CardOrder.objects.with_card().select_related("article", "organisation__area", "office")
    order = policy.get(actor_of(request), Action.REMOVE_ORDER, rows, order_id)
    if order.card.state != ItemState.RETURNED:
        again = order.card.replaces_id is not None
        messages.info(request, _("Kortet görs redan om.") if again else _("Kortet har inte kommit i retur."))
        return redirect(_person_page(order))
    if request.method != "POST":
        return _page(request, order, RemakeForm())
    form = RemakeForm(request.POST)
    if not form.is_valid():
        return _page(request, order, form, status=Invalid.http_status)
    fault = Fault(form.cleaned_data["fault"])
    try:
        remaking.remake_returned(actor=actor_of(request), order_id=order_id, number=order.card.number, fault=fault)
    except (Invalid, Conflict, Unavailable) as error:
        refused = next(iter(error.fields.values()))[0] if error.fields else error.message
        return _page(request, order, form, status=error.http_status, refusal=refused)
    messages.success(request, _("Kortet görs om. Beställningen ligger i kö till kortleverantören."))
    return redirect(_person_page(order))


def _page(request: HttpRequest, order: CardOrder, form: RemakeForm, *, status: int = 200, refusal: str = "") -> HttpResponse:
    actor = actor_of(request)
    head = person_view.person_head(actor=actor, person_id=order.carrier.holder_id)
    disclosures.record(actor=actor, person_id=head.id, shown=disclosures.Shown.ORDER, subject=order.pk)
    context = {
        "form": form,
        "options": _options(order, form),
        "head": head,
        "photo_url": photo_url(head),
        "refusal": refusal,
        "rows": [
            {"label": _("Skickas till"), "value": delivery_text(*draft_reading.address_now(order.carrier.holder))},
            {"label": _("Kort"), "value": wording.card_serial(order.carrier.card_serial), "code": True},
            {"label": _("Artikel"), "value": article_name(order.article)},
            {"label": _("Organisation"), "value": order.organisation.name},
            {"label": _("Kontor"), "value": order.office.name},
        ],
        "act_text": _("Gör om kortet till %(name)s") % {"name": head.name},
        "person_url": _person_page(order),
    }
    return render_page(request, SEARCH, "orders/remake.html", context, status=status)


def _options(order: CardOrder, form: RemakeForm) -> list[dict[str, Any]]:
    """Returns the choices of the fault, each with what it costs."""
    party_id = order.organisation.area.issuing_organisation_id
    found = ports.get(ArticlePrices).prices(party_id, [order.article_id]) if party_id is not None else {}
    price = kronor(found.get(order.article_id))
    charged = _("Faktureras som ett nytt kort, %(price)s utan moms") % {"price": price}
    hints = {Fault.SUPPLIER: _("Kostar inget"), Fault.OTHER: charged if price else _("Faktureras som ett nytt kort")}
    chosen = str(form["fault"].value() or "")
    choices: list[tuple[str, Any]] = form.fields["fault"].choices  # type: ignore[attr-defined]
    return with_keys(
        [
            {"value": code, "label": label, "hint": hints[Fault(code)], "checked": code == chosen, "disabled": False}
            for code, label in choices
        ]
    )


def _person_page(order: CardOrder) -> str:
    return f"{reverse('person', args=[order.carrier.holder_id])}?barare={order.carrier_id}"
