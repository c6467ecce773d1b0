"""The filter of the invoice list."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from billing.invoices.queries.invoices import Choices
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
    """The filter of the invoice list by customer, month and what is paid."""

    manad = forms.ChoiceField(label=_("Månad"), required=False, error_messages=UNKNOWN)
    betalning = forms.ChoiceField(label=_("Betalning"), required=False, choices=_PAID_CHOICES, error_messages=UNKNOWN)

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
