"""Ta emot bunt: a bundle that was sent becomes the office's stock, whole or card by card."""

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
from issuance.stock.queries import stock as query
from issuance.stock.services import receiving
from issuance.stock.web.forms import SerialsForm
from issuance.stock.web.frame import stock_page

_SCANNED, _MISSING = "lagg_till", "bekrafta"
"""Buttons: receive the scanned cards, and report the others missing. The main button receives the whole bundle."""


@require_http_methods(["GET", "HEAD", "POST"])
def stock_receive(request: HttpRequest, order_id: UUID) -> HttpResponse:
    """Receives a bundle, all of it or the scanned cards, or reports what did not come. Raises NotFound, Forbidden, Conflict."""
    actor = actor_of(request)
    order = receiving.bundle_of(actor, order_id)
    form, status = SerialsForm(), 200
    if request.method == "POST":
        form = SerialsForm(request.POST)
        count, status = tried(form, lambda: _act(request, order_id, form))
        if count is not None:
            messages.success(request, _told(request, count))
            left = _SCANNED in request.POST and query.awaited_bundle(actor=actor, order_id=order_id)
            return redirect("stock_receive", order_id) if left else redirect("office_stock", order.office_id)
    head = query.stock_head(actor=actor, office_id=order.office_id)
    bundle = query.awaited_bundle(actor=actor, order_id=order_id)
    context = {
        "form": form,
        "bundle": bundle,
        "cancel_url": reverse("office_stock", args=[order.office_id]),
        "lost_url": reverse("stock_lost", args=[order_id]),
    }
    return stock_page(request, "stock/receive.html", head, context, step=_("Ta emot bunt"), status=status)


def _act(request: HttpRequest, order_id: UUID, form: SerialsForm) -> int:
    actor = actor_of(request)
    if _SCANNED in request.POST:
        return receiving.receive_scanned(actor=actor, order_id=order_id, serials=form.cleaned_data["serials"])
    if _MISSING in request.POST:
        return receiving.report_missing(actor=actor, order_id=order_id)
    return receiving.receive_bundle(actor=actor, order_id=order_id)


def _told(request: HttpRequest, count: int) -> str:
    if _MISSING in request.POST:
        return ngettext("{n} kort är rapporterat saknat.", "{n} kort är rapporterade saknade.", count).format(n=count)
    if not count:
        return _("Bunten är redan mottagen.")
    return ngettext("{n} kort är mottaget till lagret.", "{n} kort är mottagna till lagret.", count).format(n=count)
