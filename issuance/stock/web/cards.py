"""A card in stock: its state, what can be reported about it, and its history."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from issuance.carriers.models import Carrier
from issuance.records.domain.wording import card_serial
from issuance.records.web.forms import DONE, tried
from issuance.records.web.frame import actor_of
from issuance.revocation.models import HeldRevocation
from issuance.stock.domain import StockAction
from issuance.stock.queries import stock as query
from issuance.stock.services import cards
from issuance.stock.web.forms import CardForm
from issuance.stock.web.frame import stock_page
from issuance.stock.web.lists import state_tag

_TOLD = {
    StockAction.MISS: gettext_lazy("Kortet är rapporterat saknat."),
    StockAction.FIND: gettext_lazy("Kortet är i lager igen."),
    StockAction.DAMAGE: gettext_lazy("Kortet är skadat och spärrat."),
    StockAction.LOSE: gettext_lazy("Kortet är förlorat och spärrat."),
}


@require_http_methods(["GET", "HEAD", "POST"])
def stock_card(request: HttpRequest, card_id: UUID) -> HttpResponse:
    """Shows a card in stock, and reports it missing, found, damaged or lost. Raises NotFound, Forbidden."""
    actor = actor_of(request)
    line, card = query.card_line(actor=actor, card_id=card_id)
    form, status = CardForm(actions=line.actions, last=line.serial[-4:]), 200
    if request.method == "POST":
        form = CardForm(request.POST, actions=line.actions, last=line.serial[-4:])
        done, status = tried(form, lambda: cards.change_card(actor=actor, card_id=card_id, action=form.cleaned_data["action"]))
        if status == DONE:
            if isinstance(done, HeldRevocation):
                messages.warning(request, _("Du har spärrat många kort. Spärren väntar på att en kollega beslutar."))
            else:
                messages.success(request, _TOLD[StockAction(form.cleaned_data["action"])])
            return redirect("stock_card", card_id)
    head = query.stock_head(actor=actor, office_id=card.office_id)
    context = {
        "form": form,
        "line": line,
        "tag": state_tag(line),
        "rows": [
            {"label": _("Kortserienummer"), "value": card_serial(line.serial), "code": True},
            {"label": _("Artikel"), "value": line.article},
            *([{"label": _("Tillitsnivå"), "value": line.level}] if line.level else []),
            {"label": _("Giltigt till"), "value": str(line.last_day)},
            {"label": _("Mottaget"), "value": str(line.received_on or "")},
        ],
        "events": query.events_of(actor=actor, card=card),
        "cancel_url": reverse("office_stock", args=[card.office_id]),
        "lost_url": _lost_url(card.carrier),
    }
    step = _("Reservkort som slutar på {last}").format(last=line.serial[-4:])
    return stock_page(request, "stock/card.html", head, context, step=step, status=status)


def _lost_url(carrier: Carrier) -> str:
    """Returns the URL that reports the card's bundle lost, empty for a card that came from before this portal."""
    item = getattr(carrier, "item", None)
    return reverse("stock_lost", args=[item.order_id]) if item else ""
