"""The page of overdue invoices, from which finance sends reminders."""

from collections.abc import Collection, Sequence

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy
from django.utils.translation import ngettext, ngettext_lazy
from django.views.decorators.http import require_http_methods

from billing.invoices.models import Invoice
from billing.payments.queries import overdue as queries
from billing.payments.queries.overdue import OverdueRow
from billing.payments.services import reminding
from billing.records.web.columns import amount_column
from billing.records.web.page import actor_of, page
from issuance.authz import Actor
from siths_portal.lib.errors import Conflict
from siths_portal.lib.lists import Column, Empty, FormChoice, Key, Kind, List, Rows, Shown, Tag

FIELD = "faktura"


def _state(row: OverdueRow) -> Tag:
    return Tag("due", _("Tvist")) if row.disputed else Tag("expired", _("Förfallen"))


class OverdueList(List[OverdueRow]):
    """The overdue invoices, the longest overdue first."""

    counted_as = ngettext_lazy("{n} faktura", "{n} fakturor")
    columns = (
        Column(
            key="faktura", heading=lazy("Faktura"), value="number", css="name",
            choice=FormChoice(field=FIELD, sent="number", off=lambda row: row.hindrance),
        ),
        Column(
            key="kund", heading=lazy("Kund"), value="customer", css="name",
            link=lambda row: reverse("customer", args=[row.party_id]),
        ),
        Column(key="forfoll", heading=lazy("Förföll"), value="due_date", kind=Kind.DAY),
        Column(key="dagar", heading=lazy("Dagar"), value="days", kind=Kind.NUMBER),
        amount_column("kvar", lazy("Kvar att betala"), "remaining"),
        Column(
            key="paminnelse", heading=lazy("Påminnelse"),
            value=lambda row: queries.reminder_text(row.reminder) if row.reminder else "",
        ),
        Column(key="status", heading=lazy("Status"), kind=Kind.TAG, value=_state),
        Column(
            key="visa", heading=lazy("Visa"), heading_hidden=True, css="nowrap", in_file=False,
            value=lambda row: _("Visa {number}").format(number=row.number),
            link=lambda row: reverse("invoice", args=[row.number]),
        ),
    )  # fmt: skip
    caption = lazy("Förfallna fakturor")
    caption_hidden = True
    table_id = "forfallna"
    css = "amounts"
    by = (Key("due_date", nullable=False, indexed=False),)
    files = ("csv", "xlsx")
    file_name = lazy("förfallna fakturor")
    empty = Empty(lazy("Inga förfallna fakturor"), lazy("Alla fakturor är betalda, eller ska betalas senare."))

    def __init__(self, request: HttpRequest, picked: Collection[str]) -> None:
        super().__init__(request)
        self.picked = picked

    def rows(self) -> Rows[Invoice, OverdueRow]:
        """See `List`."""
        return queries.rows(actor_of(self.request))


@require_http_methods(["GET", "HEAD", "POST"])
def invoices_overdue(request: HttpRequest) -> HttpResponseBase:
    """Lists the overdue invoices. POST sends a reminder of each that is ticked."""
    actor, picked, refusal, status = actor_of(request), request.POST.getlist(FIELD), "", 200
    if request.method == "POST":
        queries.rows(actor)  # raises Forbidden before anything of the form is looked at
        refusal, status = _("Kryssa i fakturorna som ska få en påminnelse."), 422
        if picked:
            refusal, status = _remind(request, actor, picked), 409
        if not refusal:
            return redirect("invoices_overdue")

    def draw(shown: Shown[OverdueRow]) -> HttpResponse:
        context = {"list": shown, "refusal": refusal, "may_send": any(not row.hindrance for row in shown.lines)}
        return page(request, "billing/payments/overdue.html", context, here="invoices_overdue", status=status)

    return OverdueList(request, picked).answer(draw)


def _remind(request: HttpRequest, actor: Actor, picked: Sequence[str]) -> str:
    """Asks for a reminder of each invoice. Returns why some of them can get none."""
    asked, refused = 0, []
    for number in dict.fromkeys(picked[:50]):
        try:
            reminding.remind(actor=actor, number=number)
            asked += 1
        except Conflict as error:
            refused.append(error.message)
    if asked:
        text = ngettext("{n} påminnelse skickas om en stund.", "{n} påminnelser skickas om en stund.", asked)
        messages.success(request, text.format(n=asked))
    return " ".join(refused)
