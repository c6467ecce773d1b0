"""The request for a revocation as a form (rules/issuance 6.2). The service checks the domain's rules."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django import forms
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from issuance.records.queries import words
from issuance.records.web.moments import MomentField, this_minute
from issuance.revocation.domain import NAMED_REQUESTERS, SWEDISH, SYSTEM_REASONS, RevocationReason
from siths_portal.lib import clock
from siths_portal.lib.pages.forms import Form

REQUEST = ("reason", "justification", "requester", "requester_name", "channel", "received_at")
"""The fields of the request; the others are the page's own."""
_NO_NUMBER_HELP = _("Kortet har inget nummer. Skriv tecknen, så vet du att det är rätt person. Enter spärrar.")
_WHOLE_HELP = _("Skriv dem för hand, så vet du att det är rätt person. Enter spärrar allt.")


@dataclass(frozen=True)
class Proof:
    """Four characters that the clerk types to show that the page is about the right card.

    They are the last ones of the card's serial number, or of the holder's person-id if the carrier has no number or everything
    of the person is revoked (`whole`).
    """

    last: str
    of_card: bool
    whole: bool = False


class RevocationForm(Form):
    """Reason, requester, channel and time, with the proof if there is one. The clerk makes each choice unless the portal knows
    it; the time is prefilled.
    """

    reason = forms.ChoiceField(
        label=_("Spärrorsak"),
        widget=forms.RadioSelect,
        choices=[(reason.value, SWEDISH[reason]) for reason in RevocationReason if reason not in SYSTEM_REASONS],
        error_messages={"required": _("Välj en spärrorsak."), "invalid_choice": _("Välj en spärrorsak.")},
    )
    justification = forms.CharField(
        label=_("Beskrivning"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=_("Krävs för Annan orsak. Skriv inga koder."),
    )
    requester = forms.ChoiceField(
        label=_("Vem begärde spärren?"),
        widget=forms.RadioSelect,
        choices=list(words.REQUESTER_CHOICES.items()),
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
    confirm = forms.CharField(
        label=_("Kortets 4 sista siffror"),
        widget=forms.TextInput(
            attrs={"class": "ds-input digits", "inputmode": "numeric", "autocomplete": "off", "data-confirm": True}
        ),
        help_text=_("Skriv dem för hand, så vet du att det är rätt kort. Enter spärrar."),
        error_messages={"required": _("Skriv kortets 4 sista siffror.")},
    )

    def __init__(self, *args: Any, proof: Proof | None = None, **options: Any) -> None:
        super().__init__(*args, **options)
        self.proof = proof
        if proof is None:
            del self.fields["confirm"]
        elif not proof.of_card:
            field = self.fields["confirm"]
            field.label = _("De 4 sista tecknen i personens person-id")
            field.help_text = _WHOLE_HELP if proof.whole else _NO_NUMBER_HELP
            field.error_messages["required"] = _("Skriv de 4 sista tecknen i person-id:t.")
            field.widget.attrs.pop("inputmode")

    def clean_confirm(self) -> str:
        """Compares what was typed with the card. Raises ValidationError."""
        typed = "".join(self.cleaned_data["confirm"].split()).upper()
        if self.proof is not None and typed != self.proof.last:
            raise forms.ValidationError(
                _now("Siffrorna stämmer inte. Du är på väg att spärra kortet som slutar på {last}.").format(last=self.proof.last)
                if self.proof.of_card
                else _now("Tecknen stämmer inte med personens person-id.")
            )
        return typed

    def request(self) -> dict[str, Any]:
        """Returns the request as far as it is valid. The name counts only for requesters that need one: its field is out of
        sight for the others.
        """
        given = {name: self.cleaned_data.get(name, "") for name in REQUEST}
        given["received_at"] = given["received_at"] or None
        if given["requester"] not in NAMED_REQUESTERS:
            given["requester_name"] = ""
        return given

    @property
    def answers(self) -> list[tuple[str, str]]:
        """The questions of a valid form with their answers in words, without those that were left open."""
        given, received = self.cleaned_data, self.cleaned_data["received_at"].astimezone(clock.STOCKHOLM)
        chosen = {name: dict(self.fields[name].choices).get(given[name], "") for name in ("reason", "requester", "channel")}  # type: ignore[attr-defined]
        texts = {**self.request(), **chosen, "received_at": f"{received:%Y-%m-%d %H:%M}"}
        return [(str(self.fields[name].label), str(texts[name])) for name in REQUEST if texts[name]]

    @property
    def received(self) -> str:
        """The time of the request that a form with errors holds, with its day unless that is today; empty if it is wrong."""
        given = self.cleaned_data.get("received_at") if self.is_bound else None
        if given is None:
            return ""
        moment = given.astimezone(clock.STOCKHOLM)
        return f"{moment:%H:%M}" if moment.date() == clock.today() else f"{moment:%H:%M, %Y-%m-%d}"

    @property
    def reasons(self) -> list[dict[str, str]]:
        """The choices of the reason, each with the digit that picks it; likewise below."""
        return with_keys(self.fields["reason"])

    @property
    def requesters(self) -> list[dict[str, str]]:
        """See `reasons`."""
        return with_keys(self.fields["requester"])

    @property
    def channels(self) -> list[dict[str, str]]:
        """See `reasons`."""
        return with_keys(self.fields["channel"])


def with_keys(field: forms.Field) -> list[dict[str, str]]:
    """Returns the choices of `field`, each with the digit that picks it."""
    choices: Sequence[tuple[str, str]] = field.choices  # type: ignore[attr-defined]
    return [{"value": value, "label": label, "key": str(number)} for number, (value, label) in enumerate(choices, 1)]


def empty_form(proposed: Mapping[str, str] | None = None, *, proof: Proof | None = None) -> RevocationForm:
    """Returns the form as first shown, with the present minute in Stockholm and the `proposed` values."""
    return RevocationForm(initial={"received_at": this_minute(), **(proposed or {})}, proof=proof)


def end_of_person_id(written: str) -> str:
    """Returns the last four characters of a person-id as the clerk types them, or an empty text if there is no person-id."""
    return "".join(sign for sign in written if sign.isalnum())[-4:].upper()
