"""The request for a revocation as a form (domain.md 3.6). What it must hold is checked by the service."""

import datetime as dt
from typing import Any, cast

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from issuance.domain.revocation import SWEDISH, SYSTEM_REASONS, RevocationReason
from issuance.queries import words
from siths_portal.lib import clock
from siths_portal.lib.forms import Form

_MOMENT = "%Y-%m-%dT%H:%M"
_BY_THE_CLOCK = dt.timezone(dt.timedelta(0), "by the clock")  # Django refuses the hours of a change itself, where a zone has any


class MomentField(forms.DateTimeField):
    """A moment by the clock in Stockholm. Of the two that bear one name when summer time ends it is the later that has come.

    The hour that is left out when summer time begins is no moment.
    """

    def to_python(self, value: Any) -> dt.datetime | None:
        """The moment with its zone. Raises ValidationError."""
        with timezone.override(_BY_THE_CLOCK):
            read = super().to_python(value)
        if read is None or read.tzinfo is not _BY_THE_CLOCK:
            return read
        first, second = (read.replace(tzinfo=clock.STOCKHOLM, fold=fold) for fold in (0, 1))
        earlier, later = cast(dt.timedelta, first.utcoffset()), cast(dt.timedelta, second.utcoffset())
        if earlier < later:
            raise forms.ValidationError(self.error_messages["invalid"], code="invalid")
        return second if earlier > later and second.astimezone(dt.UTC) <= clock.now() else first


class RevocationForm(Form):
    """Reason, and who asked, how and when. Each choice is made by the clerk: none is filled in for him but the time."""

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
        widget=forms.DateTimeInput(format=_MOMENT, attrs={"type": "datetime-local"}),
        input_formats=[_MOMENT, "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M"],
        error_messages={
            "required": _("Ange datum och klockslag då begäran kom in."),
            "invalid": _("Ange datum och klockslag, till exempel 2026-11-25 13:45."),
        },
    )


def empty_form() -> RevocationForm:
    """The form as it is first shown, with the present minute in Stockholm."""
    return RevocationForm(initial={"received_at": clock.now().astimezone(clock.STOCKHOLM).replace(second=0, microsecond=0)})
