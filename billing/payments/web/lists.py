"""The list of payments."""

from typing import Any

from django.db.models import QuerySet
from django.urls import reverse, reverse_lazy
from django.utils.translation import gettext as translated
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy
from django_filters import ChoiceFilter, FilterSet

from billing.payments.models import Payment
from billing.payments.queries import payments
from billing.payments.queries.payments import PaymentRow
from billing.records.web.columns import amount_column
from billing.records.web.page import actor_of
from siths_portal.lib.lists import Column, Empty, Kind, List, Rows, Tag
from siths_portal.lib.pages.forms import Form

_CHOICES = (("att-fordela", _("Att fördela")), ("fordelade", _("Fördelade")))


def state_tag(row: PaymentRow) -> Tag:
    """Returns the tag of a payment: whether all of it is allocated."""
    if row.unallocated > 0:
        return Tag("due", translated("Att fördela"))
    if row.paid_back and not row.numbers:
        return Tag("info", translated("Betalas tillbaka"))
    return Tag("active", translated("Fördelad"))


class PaymentFilter(FilterSet):  # type: ignore[misc]
    """The choice of payments by whether they wait to be allocated."""

    status = ChoiceFilter(label=_("Status"), empty_label=_("Alla"), choices=_CHOICES, method="by_state")

    class Meta:
        form = Form

    def by_state(self, rows: QuerySet[Any], name: str, value: str) -> QuerySet[Any]:
        """Returns the payments of the choice."""
        return rows.filter(unallocated__gt=0) if value == "att-fordela" else rows.filter(unallocated__lte=0)


class PaymentList(List[PaymentRow]):
    """Every payment, the newest first."""

    counted_as = ngettext_lazy("{n} betalning", "{n} betalningar")
    columns = (
        Column(
            key="bokford", heading=_("Bokförd"), value="booked_on", kind=Kind.DAY,
            link=lambda row: reverse("payment", args=[row.id]), sort=("booked_on", "id"),
        ),
        Column(
            key="referens", heading=_("Referens"), value="references", css="code",
            below=lambda row: [row.payer] if row.payer else [],
        ),
        amount_column("belopp", _("Belopp"), "amount"),
        amount_column("kvar", _("Att fördela"), "unallocated"),
        Column(key="faktura", heading=_("Faktura"), value=lambda row: ", ".join(row.numbers)),
        Column(key="status", heading=_("Status"), kind=Kind.TAG, value=state_tag),
    )  # fmt: skip
    caption = _("Betalningar, den senaste först. Belopp i svenska kronor.")
    caption_hidden = True
    table_id = "betalningar"
    css = "amounts"
    order = "-bokford"
    filters = PaymentFilter
    files = ("csv", "xlsx")
    file_name = _("betalningar")
    empty = Empty(
        _("Inga betalningar än"), _("Läs in bankens fil camt.054 för att se vilka fakturor som är betalda."),
        reverse_lazy("payment_file"), _("Läs in betalningar"),
    )  # fmt: skip
    no_match = Empty(_("Inga betalningar med den statusen"), _("Välj en annan status."))

    def rows(self) -> Rows[Payment, PaymentRow]:
        """See `List`."""
        return payments.rows(actor_of(self.request))
