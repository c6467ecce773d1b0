"""The forms with which finance allocates a payment by hand."""

import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from billing.payments.queries.payments import AllocationRow
from billing.payments.services.notes import LONGEST
from billing.records.domain import money
from siths_portal.lib.pages.forms import Form

_SEPARATORS = re.compile(r"[\s\u00a0.]")
_AMOUNT = re.compile(r"[0-9]{1,10}(,[0-9]{1,2})?")


def reason_field() -> forms.CharField:
    """Returns the field for the reason of a decision."""
    return forms.CharField(
        label=_("Skäl"),
        help_text=_("Skälet syns bara för ekonomi. Skriv inget om personer."),
        max_length=LONGEST,
        widget=forms.Textarea(attrs={"rows": 2}),
        error_messages={"required": _("Skriv varför.")},
    )


class AllocationForm(Form):
    """An amount of the payment for an invoice."""

    number = forms.CharField(
        label=_("Fakturanummer"),
        max_length=20,
        error_messages={"required": _("Skriv fakturans nummer, till exempel 2026-000012.")},
    )
    amount = forms.CharField(
        label=_("Belopp i kronor"), max_length=20, error_messages={"required": _("Skriv ett belopp, till exempel 1 250,50.")}
    )
    reason = reason_field()

    def clean_amount(self) -> Decimal:
        """Returns the amount as a number."""
        text = _SEPARATORS.sub("", self.cleaned_data["amount"])
        if not _AMOUNT.fullmatch(text):
            raise forms.ValidationError(_("Skriv beloppet med siffror, till exempel 1 250,50."))
        return Decimal(text.replace(",", "."))


class PayBackForm(Form):
    """Why the rest of the payment goes back to the payer."""

    prefix = "ater"
    reason = reason_field()


class UndoForm(Form):
    """Which allocation is taken back, and why."""

    prefix = "angra"
    allocation = forms.ChoiceField(
        label=_("Vad ska ångras?"), widget=forms.RadioSelect, error_messages={"required": _("Välj vad som ska ångras.")}
    )
    reason = reason_field()

    def __init__(self, data: Any, allocations: Sequence[AllocationRow], **kwargs: Any) -> None:
        super().__init__(data, **kwargs)
        self.fields["allocation"].choices = [(str(each.id), _what(each)) for each in allocations]  # type: ignore[attr-defined]


def _what(row: AllocationRow) -> str:
    text = _("{amount} kr till faktura {number}") if row.number else _("{amount} kr som betalas tillbaka")
    return str(text).format(amount=money.swedish(row.amount), number=row.number)
