"""Forms on the stock of reserve cards."""

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms
from django.utils.text import format_lazy
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from issuance.stock.domain import LostPart, StockAction
from issuance.stock.services.cards import REASONS
from issuance.stock.services.counting import HIGHEST_LEVEL
from siths_portal.lib.pages.forms import Form

LONGEST_TEXT = 60_000
"""The characters of as many serial numbers as one act takes, with spaces."""

_LEVEL = format_lazy(_("Ange ett antal från 0 till {most}, eller lämna fältet tomt."), most=HIGHEST_LEVEL)

ACTIONS = {
    StockAction.MISS: _("Saknas: det finns inte där det ska vara"),
    StockAction.FIND: _("Finns: det har kommit till rätta"),
    StockAction.DAMAGE: _("Skadat: kortet eller kuvertet är trasigt"),
    StockAction.LOSE: _("Förlorat eller stulet"),
}
"""The labels of what a clerk reports about a card."""


class SerialsForm(Form):
    """Serial numbers, one a line. An empty list is the service's to judge."""

    serials = forms.CharField(
        label=_("Skannade kort"),
        help_text=_("Ett kortserienummer på varje rad. Skannern byter rad själv."),
        required=False,
        max_length=LONGEST_TEXT,
        error_messages={"max_length": _("Listan är för lång. Skanna i två omgångar.")},
        widget=forms.Textarea(
            attrs={"rows": 8, "class": "ds-input number", "inputmode": "numeric", "spellcheck": "false", "data-scans": True}
        ),
    )


class CardSearchForm(Form):
    """The serial number of a card in the office's stock."""

    serial = forms.CharField(label=_("Kortserienummer"), max_length=40, required=False)


class CardForm(Form):
    """What has happened to a card. What writes it off is confirmed by its last four digits."""

    action = forms.ChoiceField(
        label=_("Vad har hänt med kortet?"),
        widget=forms.RadioSelect,
        error_messages={"required": _("Välj vad som har hänt med kortet.")},
    )
    confirm = forms.CharField(
        label=_("Kortets 4 sista siffror"),
        help_text=_("Krävs för ett skadat eller förlorat kort, som spärras och inte kan tas tillbaka."),
        required=False,
        max_length=10,
        widget=forms.TextInput(
            attrs={"class": "ds-input digits", "inputmode": "numeric", "autocomplete": "off", "data-confirm": True}
        ),
    )

    def __init__(self, *args: Any, actions: Sequence[str], last: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.last = last
        self.fields["action"].choices = [(code, ACTIONS[StockAction(code)]) for code in actions]  # type: ignore[attr-defined]
        self.options = [
            {"value": code, "label": ACTIONS[StockAction(code)], "key": number} for number, code in enumerate(actions, start=1)
        ]

    def clean(self) -> dict[str, Any]:
        """Refuses to write off a card whose last digits differ."""
        data: dict[str, Any] = super().clean() or self.cleaned_data
        if data.get("action") in REASONS and "".join(data.get("confirm", "").split()) != self.last:
            self.add_error("confirm", _now("Siffrorna är inte kortets 4 sista. Läs dem på kortet eller kuvertet."))
        return data


PARTS = {
    LostPart.NOT_ARRIVED: _("De som inte är mottagna ({n})"),
    LostPart.EVERYTHING: _("Alla i bunten som inte är utlämnade ({n})"),
    LostPart.SCANNED: _("De kort vars nummer jag skriver här under"),
}
"""The labels of what is lost of a bundle. `n` is the number of cards."""


class LostForm(SerialsForm):
    """The part of a bundle that is lost, confirmed by its number of cards. The service judges the number."""

    part = forms.ChoiceField(
        label=_("Vilka kort är förlorade?"),
        widget=forms.RadioSelect,
        error_messages=dict.fromkeys(("required", "invalid_choice"), _("Välj vilka kort som är förlorade.")),
    )
    justification = forms.CharField(
        label=_("Vad har hänt?"),
        help_text=_("Till exempel när paketet skulle ha kommit, eller polisanmälans nummer."),
        required=False,
        max_length=1000,
        widget=forms.Textarea(attrs={"rows": 2}),
    )
    confirm = forms.IntegerField(
        label=_("Antal kort som spärras"),
        help_text=_("Skriv antalet för att bekräfta. Spärren kan inte hävas."),
        min_value=1,
        error_messages=dict.fromkeys(("required", "invalid", "min_value"), _("Skriv hur många kort som spärras.")),
        widget=forms.TextInput(attrs={"class": "ds-input digits", "inputmode": "numeric", "autocomplete": "off"}),
    )
    field_order = ("part", "serials", "justification", "confirm")

    def __init__(self, *args: Any, counts: Mapping[LostPart, int], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["serials"].help_text = _now("Ett kortserienummer på varje rad. Fylls bara i om du väljer enskilda kort.")
        offered = [part for part in LostPart if counts.get(part, 1)]
        texts = {part: str(PARTS[part]).format(n=counts.get(part, "")) for part in offered}
        self.fields["part"].choices = [(part.value, text) for part, text in texts.items()]  # type: ignore[attr-defined]
        self.options = [
            {"value": part.value, "label": text, "key": number} for number, (part, text) in enumerate(texts.items(), start=1)
        ]


class LevelForm(Form):
    """The number of cards below which the office is short."""

    least = forms.IntegerField(
        label=_("Larma när lagret har färre kort än"),
        help_text=_("Lämna fältet tomt om kontoret inte ska ha något larm."),
        required=False,
        min_value=0,
        max_value=HIGHEST_LEVEL,
        error_messages=dict.fromkeys(("invalid", "min_value", "max_value"), _LEVEL),
        widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off"}),
    )
