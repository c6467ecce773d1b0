"""The filter of the invoice list."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from billing.invoices.queries.invoices import Choices
from billing.records.domain.periods import Month
from billing.records.web.forms import UNKNOWN, CustomerForm


class FilterForm(CustomerForm):
    """The filter of the invoice list by customer and month."""

    manad = forms.ChoiceField(label=_("Månad"), required=False, error_messages=UNKNOWN)

    def __init__(self, data: Any, choices: Choices) -> None:
        super().__init__(data, choices.customers, empty_label=_("Alla kunder"))
        months = [(month.code(), str(month).capitalize()) for month in choices.months]
        self.fields["manad"].choices = [("", _("Alla månader")), *months]  # type: ignore[attr-defined]

    @property
    def month(self) -> Month | None:
        """The chosen month, or None."""
        chosen = self.cleaned_data.get("manad", "")
        return Month.parse(chosen) if chosen else None
