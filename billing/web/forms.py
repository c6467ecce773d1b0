"""Filter forms of the invoice pages. They use GET: organisations are not personal data, so the URL may contain the choice."""

from typing import Any
from uuid import UUID

from django import forms
from django.utils.translation import gettext_lazy as _

from billing.domain.periods import Month
from billing.queries.invoices import Choices
from siths_portal.lib.pages.forms import Form

_UNKNOWN = {"invalid_choice": _("Välj ett av alternativen i listan.")}


class CustomerForm(Form):
    """The choice of one visible customer. A hidden customer gets the same error as an unknown one."""

    kund = forms.ChoiceField(label=_("Kund"), required=False, error_messages=_UNKNOWN)

    def __init__(self, data: Any, customers: tuple[tuple[UUID, str], ...], *, empty_label: Any) -> None:
        super().__init__(data)
        self.fields["kund"].choices = [("", empty_label), *((str(party_id), name) for party_id, name in customers)]  # type: ignore[attr-defined]

    @property
    def party_id(self) -> UUID | None:
        """The chosen customer, or None."""
        chosen = self.cleaned_data.get("kund", "")
        return UUID(chosen) if chosen else None


class FilterForm(CustomerForm):
    """The filter of the invoice list by customer and month."""

    manad = forms.ChoiceField(label=_("Månad"), required=False, error_messages=_UNKNOWN)

    def __init__(self, data: Any, choices: Choices) -> None:
        super().__init__(data, choices.customers, empty_label=_("Alla kunder"))
        months = [(month.code(), str(month).capitalize()) for month in choices.months]
        self.fields["manad"].choices = [("", _("Alla månader")), *months]  # type: ignore[attr-defined]

    @property
    def month(self) -> Month | None:
        """The chosen month, or None."""
        chosen = self.cleaned_data.get("manad", "")
        return Month.parse(chosen) if chosen else None
