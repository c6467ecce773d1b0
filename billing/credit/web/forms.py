"""The form in which a person chooses what to credit: the whole invoice or lines, what happens then, and why."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django import forms
from django.forms.boundfield import BoundField
from django.utils.translation import gettext_lazy as _

from billing.credit.models import Treatment
from billing.credit.services.crediting import LONGEST_REASON, Choice, Creditable
from siths_portal.lib.errors import DomainError
from siths_portal.lib.pages.forms import Form

WHOLE, LINES = "hela", "rader"
LINES_ON_PAGE = 200
"""A browser sends at most 1,000 fields. A longer invoice shows its lines on several pages; the whole invoice has no fields."""
_SEPARATORS = re.compile(r"[\s\u00a0.]")
_QUANTITY = re.compile(r"[0-9]{1,10}(,[0-9]{1,2})?")
AFTERWARDS = ((Treatment.RELEASE.value, _("Fakturera igen")), (Treatment.WRITE_OFF.value, _("Skriv av")))


@dataclass(frozen=True)
class LineFields:
    """A line of the invoice with its two fields."""

    line: Creditable
    quantity: BoundField
    afterwards: BoundField


class CreditForm(Form):
    """What to credit. Lines without a quantity are left as they are."""

    omfattning = forms.ChoiceField(
        label=_("Vad ska krediteras?"),
        choices=((WHOLE, _("Hela fakturan")), (LINES, _("Valda rader"))),
        widget=forms.RadioSelect,
        initial=LINES,
        error_messages={"required": _("Välj hela fakturan eller rader.")},
    )
    sedan = forms.ChoiceField(
        label=_("Vad händer sedan?"),
        choices=AFTERWARDS,
        widget=forms.RadioSelect,
        error_messages={"required": _("Välj om det ska faktureras igen eller skrivas av.")},
    )
    skal = forms.CharField(
        label=_("Skäl"),
        help_text=_("Skälet syns bara för ekonomi. Skriv inget om personer."),
        max_length=LONGEST_REASON,
        widget=forms.Textarea(attrs={"rows": 3}),
        error_messages={"required": _("Skriv varför fakturan krediteras.")},
    )

    def __init__(self, data: Any, lines: Sequence[Creditable], shown: Sequence[Creditable]) -> None:
        super().__init__(data)
        self._lines, self._shown = lines, [line for line in shown if line.remaining]
        for line in self._shown:
            position = line.content.position
            what = line.content.description or line.content.text
            quantity = forms.CharField(
                label=_("Antal att kreditera, {what}").format(what=what),
                required=False,
                max_length=20,
                error_messages={"max_length": _("Skriv antalet med högst 20 siffror.")},
            )
            quantity.widget.attrs |= {"inputmode": "decimal", "aria-label": quantity.label}
            quantity.widget.attrs["class"] = "ds-input"
            afterwards = forms.ChoiceField(
                label=_("Vad händer sedan, {what}").format(what=what),
                required=False,
                choices=(("", _("Som valt ovan")), *AFTERWARDS),
                error_messages={"invalid_choice": _("Välj ett av alternativen i listan.")},
            )
            afterwards.widget.attrs |= {"class": "ds-input", "aria-label": afterwards.label}
            self.fields[f"antal_{position}"], self.fields[f"efterat_{position}"] = quantity, afterwards

    def line_fields(self) -> Iterator[LineFields]:
        """Yields the lines of this page that can be credited, with their fields."""
        for line in self._shown:
            position = line.content.position
            yield LineFields(line, self[f"antal_{position}"], self[f"efterat_{position}"])

    def clean(self) -> dict[str, Any]:
        """Requires a quantity on a line, unless the whole invoice is credited."""
        cleaned = super().clean() or self.cleaned_data
        if cleaned.get("omfattning") != LINES:
            return cleaned
        for line in self._shown:
            name = f"antal_{line.content.position}"
            text = _SEPARATORS.sub("", cleaned.get(name, ""))
            if text and not _QUANTITY.fullmatch(text):
                self.add_error(name, _("Skriv antalet med siffror."))
            cleaned[name] = text.replace(",", ".")
        if not self.errors and not any(cleaned[f"antal_{line.content.position}"] for line in self._shown):
            self.add_error("omfattning", _("Skriv antal på minst en rad, eller välj hela fakturan."))
        return cleaned

    def choices(self) -> dict[int, Choice]:
        """Returns the choices of a valid form."""
        usual = Treatment(self.cleaned_data["sedan"])
        if self.cleaned_data["omfattning"] == WHOLE:
            return {line.content.position: Choice(line.remaining, usual) for line in self._lines if line.remaining}
        found = {}
        for line in self._shown:
            position = line.content.position
            if quantity := self.cleaned_data[f"antal_{position}"]:
                treatment = self.cleaned_data[f"efterat_{position}"]
                found[position] = Choice(Decimal(quantity), Treatment(treatment) if treatment else usual)
        return found

    def take_lines(self, error: DomainError) -> None:
        """Adds an error of the service, whose fields are the positions of lines."""
        known = {f"antal_{name}": messages for name, messages in error.fields.items() if f"antal_{name}" in self.fields}
        for name, messages in known.items():
            self.add_error(name, list(messages))
        if "reason" in error.fields:
            self.add_error("skal", list(error.fields["reason"]))
        elif not known:
            self.add_error(None, error.message)

    def hidden(self) -> list[tuple[str, str]]:
        """Returns the names and values that the form was sent with, for the page that asks for the confirmation."""
        return [(name, self.data[name]) for name in self.fields if self.data.get(name)]
