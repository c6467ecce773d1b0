"""Kortleverantörer: each supplier's queue, connection and certificates, and its stopped deliveries. No personal data."""

import datetime as dt
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, ngettext_lazy
from django.views.decorators.http import require_http_methods, require_safe

from issuance.authz import Action
from issuance.operators.queries.pki_words import ago, minute, moment, span
from issuance.people.queries import officers
from issuance.records.domain import wording
from issuance.records.web.frame import PKI, actor_of, render_page
from issuance.records.web.values import row
from issuance.suppliers.push.models import PushAttempt, PushDelivery
from issuance.suppliers.push.queries import overview
from issuance.suppliers.push.queries import supplier_words as words
from issuance.suppliers.push.queries.overview import DeliveryLine, SupplierLine, SupplierView
from issuance.suppliers.push.services import handling
from siths_portal.lib import clock
from siths_portal.lib.errors import Conflict
from siths_portal.lib.lists import Column, Empty, Kind, List, Rows


class StoppedList(List[DeliveryLine]):
    """The stopped deliveries of a supplier, the oldest first."""

    counted_as = ngettext_lazy("{n} leverans", "{n} leveranser")
    columns = (
        Column(
            key="leverans", heading=gettext_lazy("Leverans"), value=lambda line: _what(line),
            link=lambda line: reverse("supplier_delivery", args=[line.supplier_ref, line.delivery_id]),
        ),
        Column(key="i-ko", heading=gettext_lazy("I kö sedan"), value="queued_at", kind=Kind.MOMENT),
        Column(key="stoppad", heading=gettext_lazy("Stoppad"), value="settled_at", kind=Kind.MOMENT),
        Column(key="kod", heading=gettext_lazy("Kod"), value="reason"),
        Column(key="forsok", heading=gettext_lazy("Försök"), value="attempts", kind=Kind.NUMBER),
    )  # fmt: skip
    table_id = "stoppade"
    css = "operators-table"
    page_size = 25
    heading_level = "3"
    empty = Empty(gettext_lazy("Inga stoppade leveranser"), gettext_lazy("Leverantören har inte nekat någon leverans."))

    def __init__(self, request: HttpRequest, client_ref: str) -> None:
        super().__init__(request)
        self.client_ref = client_ref

    def rows(self) -> Rows[PushDelivery, DeliveryLine]:
        """See `List`."""
        return overview.stopped(actor_of(self.request), self.client_ref)


@require_safe
@PKI.requires(Action.OPERATE_SUPPLIERS)
def supplier_list(request: HttpRequest) -> HttpResponse:
    """Lists every registered supplier."""
    now = clock.now()
    lines = [_line(each, now) for each in overview.visible(actor_of(request), now)]
    troubled = sum(each["troubled"] for each in lines)
    return render_page(request, PKI, "suppliers/list.html", {"lines": lines, "troubled": troubled}, here="suppliers")


@require_http_methods(["GET", "HEAD", "POST"])
@PKI.requires(Action.OPERATE_SUPPLIERS)
def supplier(request: HttpRequest, client_ref: str) -> HttpResponseBase:
    """Shows one supplier. POST pauses or resumes the calls to it, or sends its stopped deliveries again. Raises NotFound."""
    actor = actor_of(request)
    if request.method == "POST":
        if "pausa" in request.POST:
            handling.pause(actor=actor, client_ref=client_ref)
            messages.success(request, _("Inget skickas till leverantören förrän du återupptar."))
        elif "ateruppta" in request.POST:
            handling.resume(actor=actor, client_ref=client_ref)
            messages.success(request, _("Det som väntar skickas om en stund."))
        else:
            count = handling.replay_all(actor=actor, client_ref=client_ref)
            text = ngettext("{n} leverans skickas igen om en stund.", "{n} leveranser skickas igen om en stund.", count)
            messages.success(request, text.format(n=count))
        return redirect("supplier", client_ref=client_ref)
    found = overview.view(actor, client_ref, clock.now())
    return StoppedList(request, client_ref).answer(
        lambda shown: render_page(
            request,
            PKI,
            "suppliers/supplier.html",
            {"list": shown, **_context(request, found)},
            here="suppliers",
            status=shown.status,
        )
    )


@require_http_methods(["GET", "HEAD", "POST"])
@PKI.requires(Action.OPERATE_SUPPLIERS)
def delivery(request: HttpRequest, client_ref: str, delivery_id: UUID) -> HttpResponse:
    """Shows one delivery with its calls. POST sends a stopped one again. Raises NotFound."""
    actor = actor_of(request)
    found = overview.delivery(actor, client_ref, delivery_id)
    status, problem = 200, ""
    if request.method == "POST":
        try:
            handling.replay(actor=actor, delivery_id=delivery_id)
        except Conflict as error:
            status, problem = error.http_status, error.message
        else:
            messages.success(request, _("Leveransen skickas igen om en stund."))
            return redirect("supplier", client_ref=client_ref)
    context = {
        "found": found,
        "what": _what(found.line),
        "problem": problem,
        "calls": [_call(each) for each in found.calls],
        "facts": [
            row(_("Leverans-id"), str(found.line.delivery_id), copy=True),
            *([row(_("Beställnings-id"), str(found.line.order_id), copy=True)] if found.line.order_id else []),
            row(_("I kö sedan"), minute(found.line.queued_at)),
            row(_("Försök"), found.line.attempts),
        ],
    }
    return render_page(request, PKI, "suppliers/delivery.html", context, here="suppliers", status=status)


def _what(line: DeliveryLine) -> str:
    return _("Beställning") if line.change is None else _("Ändring {number}").format(number=line.change)


def _line(each: SupplierLine, now: dt.datetime) -> dict[str, Any]:
    troubles = each.troubles(now)
    return {
        "line": each,
        "tag": words.tag(each, troubles),
        "troubled": bool(troubles),
        "way": _("Får beställningar skickade") if each.is_pushed_to else _("Hämtar beställningar"),
        "oldest": ago(now - each.oldest_queued_at) if each.oldest_queued_at else "",
        "heard": ago(now - each.heard_at) if each.heard_at else "",
        "ends": words.certificate_end(each),
    }


def _context(request: HttpRequest, found: SupplierView) -> dict[str, Any]:
    line, now = found.line, clock.now()
    troubles = line.troubles(now)
    return {
        "line": line,
        "tag": words.tag(line, troubles),
        "troubles": [
            {"title": wording.label(words.TROUBLES, each), "text": wording.label(words.REMEDIES, each)} for each in troubles
        ],
        "figures": [
            {"name": _("I kö"), "value": line.queued},
            {"name": _("Pågår"), "value": line.working},
            {"name": _("Nekade PUK"), "value": line.refused_puks},
            *([{"name": _("Att skicka"), "value": line.waiting}] if line.is_pushed_to else []),
        ],
        "facts": _facts(line, now),
        "paused": _paused(request, line),
        "calls": [_call(each) for each in found.calls],
        "differences": [
            {**each, "text": wording.label(words.DIFFERENCES, each["kind"])} for each in found.differences
        ],
    }  # fmt: skip


def _paused(request: HttpRequest, line: SupplierLine) -> str:
    if line.paused_at is None:
        return ""
    names = officers.names(actor_of(request), [line.paused_by_ref])
    return _("Pausad {at} av {who}.").format(at=minute(line.paused_at), who=names.get(line.paused_by_ref, _("en operatör")))


def _call(each: PushAttempt) -> dict[str, Any]:
    return {"at": each.at, "text": wording.label(words.OUTCOMES, each.outcome), "code": each.code}


def _facts(line: SupplierLine, now: dt.datetime) -> list[dict[str, Any]]:
    ends = [_("okänt slut") if each is None else minute(each) for each in line.certificate_ends]
    found = [
        row(_("Referens"), line.client_ref, code=True),
        row(_("Beställningar"), _("Får dem skickade") if line.is_pushed_to else _("Hämtar dem")),
        row(_("Äldsta i kö"), span(now - line.oldest_queued_at) if line.oldest_queued_at else _("kön är tom")),
        row(_("Senast hörd"), ago(now - line.heard_at) if line.heard_at else _("aldrig")),
        row(_("Certifikat gäller till"), ", ".join(ends) or _("inget certifikat")),
    ]
    if line.is_pushed_to:
        compared = ago(now - line.reconciled_at) if line.reconciled_at else _("inte än")
        found += [row(_("Senast jämförd"), compared)]
    if line.interrupted_until:
        found += [row(_("Nästa försök"), moment(line.interrupted_until))]
    return found
