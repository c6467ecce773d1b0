"""The filter of the invoice list."""

from typing import Any
from uuid import UUID

from django import forms
from django.utils.translation import gettext_lazy as _

from billing.invoices.queries.invoices import Choice, Choices
from billing.invoices.queries.settlement import Paid
from billing.records.domain.periods import Month
from billing.records.web.forms import UNKNOWN, CustomerForm

_PAID = {"betalda": Paid.PAID, "obetalda": Paid.UNPAID, "forfallna": Paid.OVERDUE, "tvist": Paid.DISPUTED}
_PAID_CHOICES = (
    ("", _("Alla")),
    ("betalda", _("Betalda")),
    ("obetalda", _("Obetalda")),
    ("forfallna", _("Förfallna")),
    ("tvist", _("Tvist")),
)


class FilterForm(CustomerForm):
    """The filter of the invoice list by customer, month, what is paid, and order. An order's id is not personal data."""

    manad = forms.ChoiceField(label=_("Månad"), required=False, error_messages=UNKNOWN)
    betalning = forms.ChoiceField(label=_("Betalning"), required=False, choices=_PAID_CHOICES, error_messages=UNKNOWN)
    bestallning = forms.UUIDField(
        label=_("Beställnings-id"),
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
        error_messages={"invalid": _("Klistra in hela beställnings-id:t, till exempel från kortets sida.")},
    )

    def __init__(self, data: Any, choices: Choices) -> None:
        super().__init__(data, choices.customers, empty_label=_("Alla kunder"))
        months = [(month.code(), str(month).capitalize()) for month in choices.months]
        self.fields["manad"].choices = [("", _("Alla månader")), *months]  # type: ignore[attr-defined]

    @property
    def month(self) -> Month | None:
        """The chosen month, or None."""
        chosen = self.cleaned_data.get("manad", "")
        return Month.parse(chosen) if chosen else None

    @property
    def paid(self) -> Paid | None:
        """The chosen state of payment, or None."""
        return _PAID.get(self.cleaned_data.get("betalning", ""))

    @property
    def order_id(self) -> UUID | None:
        """The id of the order, or None."""
        chosen: UUID | None = self.cleaned_data.get("bestallning")
        return chosen

    @property
    def choice(self) -> Choice:
        """The chosen filters."""
        return Choice(self.party_id, self.month, self.paid, self.order_id)
