"""What the pages of invoices can be filtered by. Organisations' names are no personal data: the choice stands in the address."""

from typing import Any
from uuid import UUID

from django import forms
from django.utils.translation import gettext_lazy as _

from billing.domain.periods import Month
from billing.queries.invoices import Choices
from siths_portal.lib.pages.forms import Form

_UNKNOWN = {"invalid_choice": _("Välj ett av alternativen i listan.")}


class CustomerForm(Form):
    """One of the customers that the reader may see. A hidden one is refused as an unknown one is."""

    kund = forms.ChoiceField(label=_("Kund"), required=False, error_messages=_UNKNOWN)

    def __init__(self, data: Any, customers: tuple[tuple[UUID, str], ...], *, nobody: Any) -> None:
        super().__init__(data)
        self.fields["kund"].choices = [("", nobody), *((str(party_id), name) for party_id, name in customers)]  # type: ignore[attr-defined]

    @property
    def party_id(self) -> UUID | None:
        """The chosen customer, if any."""
        chosen = self.cleaned_data.get("kund", "")
        return UUID(chosen) if chosen else None


class FilterForm(CustomerForm):
    """Customer and month of the list."""

    manad = forms.ChoiceField(label=_("Månad"), required=False, error_messages=_UNKNOWN)

    def __init__(self, data: Any, choices: Choices) -> None:
        super().__init__(data, choices.customers, nobody=_("Alla kunder"))
        months = [(month.code(), str(month).capitalize()) for month in choices.months]
        self.fields["manad"].choices = [("", _("Alla månader")), *months]  # type: ignore[attr-defined]

    @property
    def month(self) -> Month | None:
        """The chosen month, if any."""
        chosen = self.cleaned_data.get("manad", "")
        return Month.parse(chosen) if chosen else None
