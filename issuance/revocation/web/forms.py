"""The request for a revocation as a form (rules/issuance 6.2). The service checks the domain's rules."""

from collections.abc import Mapping

from django import forms
from django.utils.translation import gettext_lazy as _

from issuance.records.queries import words
from issuance.records.web.moments import MomentField, this_minute
from issuance.revocation.domain import SWEDISH, SYSTEM_REASONS, RevocationReason
from siths_portal.lib.pages.forms import Form


class RevocationForm(Form):
    """Reason, requester, channel and time. The clerk makes each choice unless the portal knows it; the time is prefilled."""

    reason = forms.ChoiceField(
        label=_("Spärrorsak"),
        widget=forms.RadioSelect,
        choices=[(reason.value, SWEDISH[reason]) for reason in RevocationReason if reason not in SYSTEM_REASONS],
        error_messages={"required": _("Välj en spärrorsak i listan."), "invalid_choice": _("Välj en spärrorsak i listan.")},
    )
    justification = forms.CharField(
        label=_("Beskrivning"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("Krävs för Annan orsak. Skriv inga koder."),
    )
    requester = forms.ChoiceField(
        label=_("Vem begärde spärren?"),
        widget=forms.RadioSelect,
        choices=list(words.REQUESTER.items()),
        error_messages={"required": _("Välj vem som begärde spärren."), "invalid_choice": _("Välj vem som begärde spärren.")},
    )
    requester_name = forms.CharField(
        label=_("Namn på den som begärde spärren"),
        required=False,
        help_text=_("Fylls i om det varken var innehavaren eller du själv."),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    channel = forms.ChoiceField(
        label=_("Hur kom begäran in?"),
        widget=forms.RadioSelect,
        choices=list(words.REQUEST_CHANNEL.items()),
        error_messages={"required": _("Välj hur begäran kom in."), "invalid_choice": _("Välj hur begäran kom in.")},
    )
    received_at = MomentField(
        label=_("När kom begäran in?"),
        help_text=_("Ändra om den kom in tidigare än nu."),
        missing=_("Ange datum och klockslag då begäran kom in."),
    )


def empty_form(proposed: Mapping[str, str] | None = None) -> RevocationForm:
    """Returns the form as first shown, with the present minute in Stockholm and the `proposed` values."""
    return RevocationForm(initial={"received_at": this_minute(), **(proposed or {})})
