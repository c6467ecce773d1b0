"""Pages of payments: the list, and one payment with what it pays and what finance can do about it."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from billing.payments.queries import payments as queries
from billing.payments.queries.payments import PaymentView
from billing.payments.services import allocating
from billing.payments.web.forms import AllocationForm, PayBackForm, UndoForm
from billing.payments.web.lists import PaymentList, state_tag
from billing.records.domain import money
from billing.records.web.page import actor_of, page
from issuance.authz import Actor
from siths_portal.lib.errors import Conflict, Invalid
from siths_portal.lib.pages.forms import Form


@require_safe
def payments(request: HttpRequest) -> HttpResponseBase:
    """Lists the payments."""
    return PaymentList(request).answer(
        lambda shown: page(
            request,
            "billing/payments/list.html",
            {"list": shown, "form": shown.form, "waiting": queries.unallocated_count()},
            here="payments",
            status=shown.status,
        )
    )


class _Forms:
    """The three forms of the page; the one that was sent is bound. The others keep what was sent with it."""

    def __init__(self, request: HttpRequest, view: PaymentView) -> None:
        data = request.POST if request.method == "POST" else None
        self.sent = next((name for name in ("angra", "aterbetala") if name in request.POST), "fordela")
        self.active = [each for each in view.allocations if not each.undoes and not each.undone]
        self.allocate = AllocationForm(data if self.sent == "fordela" else None, initial=self._start(view))
        typed = {name: request.POST.get(f"{name}-reason", "") for name in ("ater", "angra")}
        self.pay_back = PayBackForm(data if self.sent == "aterbetala" else None, initial={"reason": typed["ater"]})
        self.undo = UndoForm(data if self.sent == "angra" else None, self.active, initial={"reason": typed["angra"]})

    @property
    def bound(self) -> Form:
        """The form that was sent."""
        return {"angra": self.undo, "aterbetala": self.pay_back}.get(self.sent, self.allocate)

    @staticmethod
    def _start(view: PaymentView) -> dict[str, str]:
        one = view.suggested[0][0] if len(view.suggested) == 1 else ""
        return {"amount": money.swedish(view.row.unallocated), "number": one}


@require_http_methods(["GET", "HEAD", "POST"])
def payment(request: HttpRequest, payment_id: UUID) -> HttpResponse:
    """Shows one payment. POST allocates it, records that it is paid back, or takes an allocation back."""
    actor = actor_of(request)
    view = queries.view(actor, payment_id)
    forms, status = _Forms(request, view), 200
    if request.method == "POST":
        status = Invalid.http_status
        if forms.bound.is_valid():
            try:
                messages.success(request, _carry_out(actor, payment_id, forms))
                return redirect("payment", payment_id=payment_id)
            except (Conflict, Invalid) as error:
                forms.bound.take(error)
                view, status = queries.view(actor, payment_id), error.http_status
    return page(request, "billing/payments/payment.html", _context(view, forms), here="payments", status=status)


def _carry_out(actor: Actor, payment_id: UUID, forms: _Forms) -> str:
    """Does what the sent form asks for, and returns the message about it."""
    given = forms.bound.cleaned_data
    if forms.sent == "angra":
        allocating.undo(
            actor=actor, payment_id=payment_id, allocation_id=UUID(given["allocation"]), reason=given["reason"]
        )  # fmt: skip
        return _("Fördelningen är ångrad. Du kan fördela beloppet igen.")
    if forms.sent == "aterbetala":
        allocating.pay_back(actor=actor, payment_id=payment_id, reason=given["reason"])
        return _("Sparat. Betala tillbaka beloppet i banken.")
    number = given["number"].strip()
    allocating.allocate(actor=actor, payment_id=payment_id, number=number, amount=given["amount"], reason=given["reason"])
    return _("Betalningen är fördelad på faktura {number}.").format(number=number)


def _context(view: PaymentView, forms: _Forms) -> dict[str, Any]:
    row = view.row
    facts = (
        (_("Bokförd"), row.booked_on.isoformat()),
        (_("Referens"), row.references),
        (_("Betalare"), row.payer),
        (_("Bankens referens"), view.entry_reference),
    )
    return {
        "view": view,
        "row": row,
        "tag": state_tag(row),
        "facts": [{"label": label, "value": value} for label, value in facts],
        "form": forms.bound,
        "allocation_form": forms.allocate,
        "pay_back_form": forms.pay_back,
        "undo_form": forms.undo,
        "may_undo": bool(forms.active),
    }
