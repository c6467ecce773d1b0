"""The questions of a revocation by the holder. The service checks the domain's rules."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from issuance.minasidor.services.revoking import REASONS
from issuance.revocation.domain import RevocationReason
from siths_portal.lib.pages.forms import Form

_WORDS = {
    RevocationReason.LOST_OR_STOLEN: _("Jag har tappat det, eller det är stulet"),
    RevocationReason.SUSPECTED_MISUSE: _("Någon annan kan ha använt det eller kan min kod"),
    RevocationReason.DAMAGED: _("Det är trasigt"),
    RevocationReason.ASSIGNMENT_ENDED: _("Jag har slutat och behöver det inte"),
    RevocationReason.OTHER: _("Något annat"),
}


class OwnRevocationForm(Form):
    """Why the holder revokes. Something else needs a few words."""

    reason = forms.ChoiceField(
        label=_("Varför spärrar du?"),
        widget=forms.RadioSelect,
        choices=[(reason.value, _WORDS[reason]) for reason in REASONS],
        error_messages={"required": _("Välj varför du spärrar."), "invalid_choice": _("Välj varför du spärrar.")},
    )
    justification = forms.CharField(
        label=_("Beskriv med några ord"),
        required=False,
        max_length=1000,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=_("Behövs bara för Något annat. Skriv inga koder."),
    )

    def clean(self) -> dict[str, Any]:
        """Asks for words when none of the reasons fits."""
        data: dict[str, Any] = super().clean() or self.cleaned_data
        if data.get("reason") == RevocationReason.OTHER and not data.get("justification", "").strip():
            self.add_error("justification", str(_("Beskriv varför du spärrar.")))
        return data

    @property
    def reason_in_words(self) -> str:
        """The chosen reason of a valid form."""
        return str(_WORDS[RevocationReason(self.cleaned_data["reason"])])
