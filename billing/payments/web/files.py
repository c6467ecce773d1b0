"""Pages that take in the bank's file: the form, and the preview of what becomes of each payment."""

from decimal import Decimal
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy
from django.utils.translation import ngettext, ngettext_lazy
from django.views.decorators.http import require_http_methods

from billing.payments.domain.camt054 import MAX_BYTES, MAX_PAYMENTS
from billing.payments.models import PaymentFile
from billing.payments.services import receiving
from billing.payments.services.matching import Outcome, Plan, Planned
from billing.records.domain import money
from billing.records.web.columns import amount_column
from billing.records.web.page import actor_of, page
from issuance.authz import policy
from siths_portal.lib.errors import Conflict, Invalid
from siths_portal.lib.files.uploads import takes_files
from siths_portal.lib.http.answer_times import in_step
from siths_portal.lib.lists import Column, Empty, Kind, Lines, List, Source, Tag
from siths_portal.lib.pages.forms import Form

_TAGS = {
    Outcome.KNOWN: ("info", lazy("Redan inläst")),
    Outcome.FULL: ("active", lazy("Betalar fakturan")),
    Outcome.PART: ("info", lazy("Betalar en del")),
    Outcome.OVER: ("due", lazy("Större än fakturan")),
    Outcome.DOUBLE: ("due", lazy("Fakturan är redan betald")),
    Outcome.UNKNOWN: ("due", lazy("Ingen faktura hittad")),
}


def _outcome(row: Planned) -> Tag:
    kind, text = _TAGS[row.outcome]
    return Tag(kind, str(text))


class PaymentFileForm(Form):
    """The form for the bank's file."""

    file = forms.FileField(
        label=lazy("Fil"),
        help_text=lazy("Bankens fil camt.054 (XML). Högst %(size)d MB och %(payments)s betalningar.")
        % {"size": MAX_BYTES // 1024 // 1024, "payments": money.swedish(Decimal(MAX_PAYMENTS), decimals=0)},
        error_messages={"required": lazy("Välj en fil att läsa in."), "empty": lazy("Filen är tom. Välj en annan.")},
        widget=forms.FileInput(attrs={"accept": ".xml"}),
    )


class PlannedList(List[Planned]):
    """The payments of a file, in its order."""

    counted_as = ngettext_lazy("{n} betalning", "{n} betalningar")
    columns = (
        Column(key="dag", heading=lazy("Bokförd"), value=lambda row: row.payment.booked_on, kind=Kind.DAY),
        Column(
            key="referens", heading=lazy("Referens"), value=lambda row: " ".join(row.payment.references), css="code",
            below=lambda row: [row.payment.payer] if row.payment.payer else [],
        ),
        amount_column("belopp", lazy("Belopp"), "whole"),
        Column(key="faktura", heading=lazy("Faktura"), value="number", css="nowrap"),
        amount_column("betalar", lazy("Betalar"), "pays"),
        Column(key="utfall", heading=lazy("Vad som händer"), value=_outcome, kind=Kind.TAG),
    )  # fmt: skip
    caption = lazy("Betalningar i filen, i svenska kronor")
    caption_hidden = True
    table_id = "rader"
    css = "amounts"
    empty = Empty(lazy("Inga inbetalningar i filen"), lazy("Filen innehåller inga bokförda inbetalningar."))

    def __init__(self, request: HttpRequest, plan: Plan) -> None:
        super().__init__(request)
        self.plan = plan

    def rows(self) -> Source[Planned]:
        """See `List`."""
        return Lines(self.plan.rows, paged=True)


@takes_files
@require_http_methods(["GET", "HEAD", "POST"])
def payment_file(request: HttpRequest) -> HttpResponse:
    """Reads the bank's file and redirects to its preview. A GET shows the form."""
    actor = actor_of(request)
    policy.require_global(actor, receiving.ACTION)
    form, status = PaymentFileForm(), 200
    if request.method == "POST":
        form, status = PaymentFileForm(request.POST, request.FILES), Invalid.http_status
        if form.is_valid():
            try:
                kept = receiving.keep(actor=actor, content=form.cleaned_data["file"].read())
            except Invalid as error:
                form.take(error)
            else:
                return in_step(redirect("payment_file_preview", kept.pk))
    return page(request, "billing/import_start.html", _names() | {"form": form}, here="payments", status=status)


@require_http_methods(["GET", "HEAD", "POST"])
def payment_file_preview(request: HttpRequest, file_id: UUID) -> HttpResponse:
    """Shows what becomes of each payment. POST books them, or deletes the file."""
    actor = actor_of(request)
    kept = receiving.own(actor=actor, file_id=file_id)
    if kept.booked_at is not None:
        return redirect("payments")
    refusal, status = "", 200
    if request.method == "POST":
        try:
            if "avbryt" in request.POST:
                receiving.give_up(actor=actor, file_id=file_id)
                messages.success(request, _("Filen är borttagen. Inget har lästs in."))
                return redirect("payment_file")
            booked = receiving.book(actor=actor, file_id=file_id, sha256=request.POST.get("plan", ""))
            messages.success(request, _read_in(booked))
            return redirect("payments")
        except (Conflict, Invalid) as error:
            refusal, status = error.message, error.http_status
    return _preview(request, kept, refusal, status)


def _preview(request: HttpRequest, kept: PaymentFile, refusal: str, status: int) -> HttpResponse:
    plan = Plan(())
    try:
        plan = receiving.planned(kept)
    except Invalid as error:
        refusal, status = error.message, error.http_status
    context = {
        "list": PlannedList(request, plan).shown(),
        "plan": plan,
        "figures": _figures(plan),
        "skipped": kept.skipped,
        "ends": kept.expires_at,
        "refusal": refusal,
        "waiting": plan.total - plan.allocated,
    }
    return page(request, "billing/payments/preview.html", _names() | context, here="payments", status=status)


def _figures(plan: Plan) -> list[dict[str, str]]:
    sums = ((plan.total, _("kronor läses in")), (plan.allocated, _("kronor betalar fakturor")))
    left = (plan.total - plan.allocated, _("kronor att fördela för hand"))
    count = {"value": str(len(plan.new)), "name": ngettext("ny betalning", "nya betalningar", len(plan.new))}
    return [count, *({"value": money.swedish(value), "name": name} for value, name in (*sums, left))]


def _read_in(file: PaymentFile) -> str:
    text = ngettext("{n} betalning på {total} kr är inläst.", "{n} betalningar på {total} kr är inlästa.", file.payments)
    return text.format(n=file.payments, total=money.swedish(file.total))


def _names() -> dict[str, Any]:
    """Returns what the pages say about themselves, and where they lead."""
    return {
        "heading": _("Läs in betalningar"),
        "lead": _("Portalen läser bankens fil och hittar fakturan på OCR-numret. Inget sparas förrän du har granskat filen."),
        "above": _("Betalningar"),
        "above_url": reverse("payments"),
        "start_url": reverse("payment_file"),
    }
