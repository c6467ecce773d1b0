"""The choice of a customer. It uses GET: organisations are not personal data, so the URL may contain the choice."""

from typing import Any
from uuid import UUID

from django import forms
from django.utils.translation import gettext_lazy as _

from siths_portal.lib.pages.forms import Form

UNKNOWN = {"invalid_choice": _("Välj ett av alternativen i listan.")}


class CustomerForm(Form):
    """The choice of one visible customer. A hidden customer gets the same error as an unknown one."""

    kund = forms.ChoiceField(label=_("Kund"), required=False, error_messages=UNKNOWN)

    def __init__(self, data: Any, customers: tuple[tuple[UUID, str], ...], *, empty_label: Any) -> None:
        super().__init__(data)
        self.fields["kund"].choices = [("", empty_label), *((str(party_id), name) for party_id, name in customers)]  # type: ignore[attr-defined]

    @property
    def party_id(self) -> UUID | None:
        """The chosen customer, or None."""
        chosen = self.cleaned_data.get("kund", "")
        return UUID(chosen) if chosen else None
