"""Rapportera bunten förlorad: cards of a bundle are revoked in one act."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods

from issuance.records.web.forms import tried
from issuance.records.web.frame import actor_of
from issuance.stock.domain import LostPart
from issuance.stock.queries import stock as query
from issuance.stock.services import losing, receiving
from issuance.stock.services.losing import Lost
from issuance.stock.web.forms import LostForm
from issuance.stock.web.frame import stock_page


@require_http_methods(["GET", "HEAD", "POST"])
def stock_lost(request: HttpRequest, order_id: UUID) -> HttpResponse:
    """Reports cards of a bundle lost, and revokes them. Raises NotFound, Forbidden."""
    actor = actor_of(request)
    order = receiving.bundle_of(actor, order_id)
    counts = query.losable(actor=actor, order_id=order_id)
    form, status = LostForm(counts=counts), 200
    if request.method == "POST":
        form = LostForm(request.POST, counts=counts)
        done, status = tried(form, lambda: _lose(request, order_id, form))
        if done is not None:
            (messages.warning if done.waits else messages.success)(request, _told(done))
            return redirect("office_stock", order.office_id)
    head = query.stock_head(actor=actor, office_id=order.office_id)
    cancel_url = reverse("office_stock", args=[order.office_id])
    context = {"form": form, "possible": counts[LostPart.EVERYTHING], "cancel_url": cancel_url}
    return stock_page(request, "stock/lost.html", head, context, step=_("Rapportera bunten förlorad"), status=status)


def _lose(request: HttpRequest, order_id: UUID, form: LostForm) -> Lost:
    given = form.cleaned_data
    return losing.lose_bundle(
        actor=actor_of(request),
        order_id=order_id,
        part=given["part"],
        serials=given["serials"],
        expected=given["confirm"],
        justification=given["justification"],
    )


def _told(done: Lost) -> str:
    if done.waits:
        waits = ngettext(
            "{n} kort är borttaget ur lagret. Spärren väntar på att en kollega beslutar.",
            "{n} kort är borttagna ur lagret. Spärren väntar på att en kollega beslutar.",
            done.cards,
        )
        return waits.format(n=done.cards)
    return ngettext("{n} kort är förlorat och spärrat.", "{n} kort är förlorade och spärrade.", done.cards).format(n=done.cards)
