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


class MobileTermsForm(Form):
    """Who uses the device, and the holder's acceptance of the terms of Mobilt SITHS."""

    OWN, SHARED = "own", "shared"

    use = forms.ChoiceField(
        label=_("Vem använder telefonen eller surfplattan?"),
        widget=forms.RadioSelect,
        choices=[(OWN, _("Bara jag")), (SHARED, _("Flera använder den"))],
        error_messages={"required": _("Välj vem som använder enheten."), "invalid_choice": _("Välj vem som använder enheten.")},
    )
    accept = forms.BooleanField(label=_("Jag har läst villkoren och godkänner dem"), required=False)

    @property
    def is_shared(self) -> bool:
        """Whether a valid form says that others use the device too."""
        return bool(self.cleaned_data["use"] == self.SHARED)

    def clean(self) -> dict[str, Any]:
        """Asks for the acceptance, unless the device cannot be used anyway."""
        data: dict[str, Any] = super().clean() or self.cleaned_data
        if data.get("use") != self.SHARED and not data.get("accept"):
            self.add_error("accept", str(_("Godkänn villkoren för att fortsätta.")))
        return data


class DeviceNameForm(Form):
    """The holder's name of a device."""

    device = forms.CharField(
        label=_("Namn på enheten"),
        max_length=60,
        help_text=_("Till exempel Min telefon. Du känner igen enheten på namnet."),
        error_messages={"required": _("Skriv ett namn på enheten med högst 60 tecken.")},
    )
