"""Pages of deliveries: the list, and one delivery with its calls and what can be done about it."""

from typing import Any

from django import forms
from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext_lazy
from django.views.decorators.http import require_http_methods, require_safe
from django_filters import ChoiceFilter, FilterSet

from billing.delivery.models import ARRIVED, REFUSED, UNDELIVERED, Delivery, DeliveryAttempt, DeliveryState, Notice, NoticeState
from billing.delivery.queries import deliveries as queries
from billing.delivery.queries.deliveries import DeliveryRow, DeliveryView
from billing.delivery.services import handling
from billing.documents.domain.invoices import DocumentType
from billing.records.web.page import actor_of, page
from siths_portal.lib.errors import DomainError
from siths_portal.lib.lists import Column, Empty, Kind, List, Rows, Tag
from siths_portal.lib.pages.forms import Form

_TAGS = {
    DeliveryState.WAITING: "info",
    DeliveryState.SUBMITTED: "info",
    DeliveryState.STOPPED: "failed",
    DeliveryState.DELIVERED: "active",
    DeliveryState.REJECTED: "returned",
    DeliveryState.OUTSIDE: "active",
}
_CHOICES = (
    ("pa-vag", gettext_lazy("På väg")),
    ("nekade", gettext_lazy("Nekade")),
    ("framme", gettext_lazy("Levererade")),
)
_STATES = {
    "pa-vag": UNDELIVERED,
    "nekade": REFUSED,
    "framme": ARRIVED,
}
_CALLS = {"submit": gettext_lazy("Skickade fakturan"), "status": gettext_lazy("Frågade efter svar")}
_VAIN = {("submit", "unavailable"), ("submit", "refused")}
_OUTCOMES = {
    "accepted": gettext_lazy("Accesspunkten har fakturan. Mottagaren har inte svarat."),
    "delivered": gettext_lazy("Mottagaren har tagit emot fakturan."),
    "rejected": gettext_lazy("Mottagaren avvisade fakturan."),
    "unknown": gettext_lazy("Accesspunkten har inte fakturan. Den skickas igen."),
    "unavailable": gettext_lazy("Accesspunkten svarade inte. Nytt försök görs."),
    "refused": gettext_lazy("Accesspunkten tog inte emot fakturan."),
}


class DeliveryFilter(FilterSet):  # type: ignore[misc]
    """The choice of deliveries by how far they have come."""

    status = ChoiceFilter(label=gettext_lazy("Status"), empty_label=gettext_lazy("Alla"), choices=_CHOICES, method="by_state")

    class Meta:
        form = Form

    def by_state(self, rows: QuerySet[Delivery], name: str, value: str) -> QuerySet[Delivery]:
        """Returns the deliveries in the states of the choice."""
        return rows.filter(state__in=_STATES[value])


class DeliveryList(List[DeliveryRow]):
    """Every issued document with its delivery, the newest first."""

    counted_as = ngettext_lazy("{n} leverans", "{n} leveranser")
    columns = (
        Column(
            key="faktura", heading=gettext_lazy("Faktura"), value="number",
            link=lambda row: reverse("invoice_delivery", args=[row.number]),
        ),
        Column(key="kund", heading=gettext_lazy("Kund"), value="customer", css="name"),
        Column(key="utfardad", heading=gettext_lazy("Utfärdad"), value="queued_at", kind=Kind.MOMENT, sort="queued_at"),
        Column(
            key="status", heading=gettext_lazy("Status"), kind=Kind.TAG,
            value=lambda row: Tag(_TAGS[row.state], row.state.label), below=lambda row: [row.reason] if row.reason else [],
        ),
        Column(key="avslutad", heading=gettext_lazy("Avslutad"), value="settled_at", kind=Kind.MOMENT),
    )  # fmt: skip
    caption = gettext_lazy("Leveranser, den senaste först")
    caption_hidden = True
    table_id = "leveranser"
    order = "-utfardad"
    filters = DeliveryFilter
    files = ("csv", "xlsx")
    file_name = gettext_lazy("leveranser")
    empty = Empty(gettext_lazy("Inga leveranser än"), gettext_lazy("Fakturor skickas när de har utfärdats."))
    no_match = Empty(gettext_lazy("Inga fakturor med den statusen"), gettext_lazy("Välj en annan status."))

    def rows(self) -> Rows[Delivery, DeliveryRow]:
        """See `List`."""
        return queries.rows(actor_of(self.request))


class OutsideForm(Form):
    """How the buyer got a document that Peppol does not deliver."""

    reason = forms.CharField(
        label=gettext_lazy("Hur fick kunden fakturan?"),
        max_length=handling.LONGEST_REASON,
        widget=forms.Textarea(attrs={"rows": 3}),
        error_messages={"required": gettext_lazy("Skriv hur kunden fick fakturan.")},
    )


@require_safe
def delivery_list(request: HttpRequest) -> HttpResponseBase:
    """Lists the deliveries."""
    actor = actor_of(request)
    return DeliveryList(request).answer(
        lambda shown: page(
            request,
            "billing/delivery/list.html",
            {"list": shown, "form": shown.form, "totals": queries.totals(actor)},
            here="invoice_deliveries",
            status=shown.status,
        )
    )


@require_http_methods(["GET", "HEAD", "POST"])
def delivery(request: HttpRequest, number: str) -> HttpResponse:
    """Shows one delivery. POST sends the document again, or records that it was sent another way."""
    actor = actor_of(request)
    view = queries.view(actor, number)
    form, status = OutsideForm(), 200
    if request.method == "POST":
        try:
            if "skicka" in request.POST:
                handling.send_again(actor=actor, number=number)
                messages.success(request, _("Fakturan skickas igen om en stund."))
                return redirect("invoice_delivery", number=number)
            form = OutsideForm(request.POST)
            if form.is_valid():
                handling.sent_outside(actor=actor, number=number, reason=form.cleaned_data["reason"])
                messages.success(request, _("Sparat. Portalen skickar inte fakturan mer."))
                return redirect("invoice_delivery", number=number)
            status = 422
        except DomainError as error:
            form = form if form.is_bound else OutsideForm({"reason": ""})
            form.errors.clear()
            form.add_error(None, error.message)
            view, status = queries.view(actor, number), error.http_status
    return page(request, "billing/delivery/delivery.html", _context(view, form), here="invoice_deliveries", status=status)


def _context(view: DeliveryView, form: Form) -> dict[str, Any]:
    row = view.row
    return {
        "view": view,
        "row": row,
        "tag": _TAGS[row.state],
        "form": form,
        "may_send": row.state in (DeliveryState.WAITING, DeliveryState.STOPPED),
        "may_note": row.state in (DeliveryState.WAITING, DeliveryState.STOPPED, DeliveryState.REJECTED),
        "rejected": row.state == DeliveryState.REJECTED,
        "stopped": row.state == DeliveryState.STOPPED,
        "may_credit": row.state == DeliveryState.REJECTED and view.document_type == DocumentType.INVOICE,
        "facts": [
            {"label": _("Mottagarens elektroniska adress"), "value": view.receiver},
            {"label": _("Meddelande-id"), "value": view.message_id},
            *_notice(view.notice),
        ],
        "calls": [_call(each) for each in view.calls],
    }


def _notice(notice: Notice | None) -> list[dict[str, Any]]:
    """Returns the rows about the e-mail to the customer."""
    if notice is None:
        return []
    state = NoticeState(notice.state).label
    return [{"label": _("E-post om fakturan"), "value": f"{notice.recipient}: {state}"}]


def _call(call: DeliveryAttempt) -> dict[str, Any]:
    text = _("Försökte skicka fakturan") if (call.call, call.outcome) in _VAIN else _CALLS[call.call]
    return {"at": call.at, "text": text, "outcome": _OUTCOMES[call.outcome], "reason": call.reason}
