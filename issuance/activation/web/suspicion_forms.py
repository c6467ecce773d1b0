"""The forms of a suspected false document."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from issuance.activation.domain.identity_documents import FALSE, GENUINE, IDENTITY_DOCUMENT
from issuance.activation.services import suspicions
from issuance.records.domain import wording
from siths_portal.lib.pages.forms import Form


class ReportForm(Form):
    """What the officer saw. The service checks the length of the text."""

    identity_document = forms.ChoiceField(
        label=_("Vilken id-handling visade personen?"),
        widget=forms.RadioSelect,
        error_messages=dict.fromkeys(("required", "invalid_choice"), _("Välj den id-handling som personen visade.")),
    )
    observed = forms.CharField(
        label=_("Vad såg du?"),
        help_text=_("Till exempel: lösa skikt vid fotot, fel tryck eller en annan person på fotot. Texten visas i historiken."),
        required=False,
        max_length=suspicions.LONGEST,
        widget=forms.Textarea(attrs={"rows": 4}),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [(code, wording.label(IDENTITY_DOCUMENT, code)) for code in suspicions.CODES]
        self.fields["identity_document"].choices = choices  # type: ignore[attr-defined]
        self.options = _with_keys(choices)


class JudgementForm(Form):
    """What the responsible issuer found, and why."""

    judgement = forms.ChoiceField(
        label=_("Vad har du kommit fram till?"),
        choices=[
            (GENUINE, _("Handlingen var inte falsk. Personens kort kan aktiveras och låsas upp igen")),
            (FALSE, _("Handlingen var falsk. Kortet får inte aktiveras eller låsas upp")),
        ],
        widget=forms.RadioSelect,
        error_messages=dict.fromkeys(("required", "invalid_choice"), _("Välj vad du har kommit fram till.")),
    )
    reason = forms.CharField(
        label=_("Skäl"),
        help_text=_("Skriv vad du har kontrollerat, och med vem. Texten visas i historiken."),
        required=False,
        max_length=suspicions.LONGEST,
        widget=forms.Textarea(attrs={"rows": 3}),
    )

    @property
    def options(self) -> list[dict[str, Any]]:
        """The choices, each with the digit that picks it."""
        return _with_keys(self.fields["judgement"].choices)  # type: ignore[attr-defined]


def _with_keys(choices: Any) -> list[dict[str, Any]]:
    return [{"value": code, "label": text, "key": number} for number, (code, text) in enumerate(choices, start=1)]
