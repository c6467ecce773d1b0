"""Forms of the operators' pages. The services check the domain's rules."""

import datetime as dt
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from issuance.operators.queries import pki_words
from pki import ceremonies
from pki.authorities import target_states
from pki.operators.authorities import authority_lines
from pki.operators.certificate_search import profile_names
from siths_portal.lib import clock
from siths_portal.lib.errors import DomainError
from siths_portal.lib.pages.forms import DayInput, Form

_DAY = {"required": _("Ange en dag."), "invalid": _("Skriv dagen som ÅÅÅÅ-MM-DD.")}


def ca_choices() -> list[tuple[str, str]]:
    """Returns every generation of every CA, as the value `<slug>:<generation>`."""
    return [(f"{line.slug}:{line.generation}", f"{line.common_name} ({line.generation})") for line in authority_lines()]


def justification_field(help_text: Any, *, required: Any = None) -> forms.CharField:
    """Returns a field for a justification, which others read and the log keeps. `required` is the message for an empty field;
    without it the field is optional.
    """
    messages = {"max_length": _("Motiveringen får ha högst %(limit_value)d tecken.")}
    return forms.CharField(
        label=_("Motivering"),
        help_text=help_text,
        required=required is not None,
        max_length=1000,
        error_messages=messages | ({"required": required} if required is not None else {}),
        widget=forms.Textarea(attrs={"rows": 3}),
    )


class CertificateSearchForm(Form):
    """A search for certificates: one field that accepts several kinds of numbers, and filters."""

    text = forms.CharField(
        label=_("Serienummer, fingeravtryck eller referens"),
        help_text=_(
            "Serienummer hexadecimalt i båda byteordningarna, med eller utan mellanslag och kolon, eller decimalt. SHA-256 av "
            "certifikatet eller nyckeln. Du kan också klistra in ett helt certifikat (PEM), ett certifikat-id eller en referens."
        ),
        required=False,
        max_length=16_000,
        error_messages={"max_length": _("Texten är för lång. Skriv högst %(limit_value)d tecken.")},
        widget=forms.TextInput(
            attrs={"autocomplete": "off", "autocapitalize": "off", "spellcheck": "false", "autofocus": True, "data-scan": True}
        ),
    )
    ca = forms.ChoiceField(
        label=_("Utfärdare"), required=False, error_messages={"invalid_choice": _("Välj en utfärdare i listan.")}
    )
    profile = forms.ChoiceField(
        label=_("Profil"), required=False, error_messages={"invalid_choice": _("Välj en profil i listan.")}
    )
    status = forms.ChoiceField(
        label=_("Status"),
        required=False,
        choices=[("", _("Alla")), *((code, _(text)) for code, text in pki_words.STATUS_COUNTED.items())],
        error_messages={"invalid_choice": _("Välj en status i listan.")},
    )
    expires_from = forms.DateField(label=_("Går ut tidigast"), required=False, widget=DayInput(), error_messages=_DAY)
    expires_to = forms.DateField(label=_("Går ut senast"), required=False, widget=DayInput(), error_messages=_DAY)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["ca"].choices = [("", _("Alla")), *ca_choices()]  # type: ignore[attr-defined]
        self.fields["profile"].choices = [("", _("Alla")), *pki_words.profile_choices(profile_names())]  # type: ignore[attr-defined]

    def criteria(self) -> dict[str, Any]:
        """Returns the valid form's values as arguments of `certificate_searches.search`. Days are days in Stockholm."""
        given = self.cleaned_data
        slug, _colon, generation = given["ca"].partition(":")
        last = given["expires_to"]
        return {
            "text": given["text"],
            "ca": (slug, int(generation)) if slug else None,
            "profile": given["profile"],
            "status": given["status"],
            "expires_from": _start(given["expires_from"]) if given["expires_from"] else None,
            "expires_before": clock.end_of_day(last) if last else None,
        }


def _start(day: dt.date) -> dt.datetime:
    return dt.datetime.combine(day, dt.time(), clock.STOCKHOLM)


class CaStateForm(Form):
    """A new state of a CA, and the justification."""

    state = forms.ChoiceField(
        label=_("Nytt tillstånd"),
        widget=forms.RadioSelect,
        error_messages={"required": _("Välj det nya tillståndet."), "invalid_choice": _("Välj ett av tillstånden.")},
    )
    justification = justification_field(
        _("Visas för godkännaren. Sparas i ärendet och i loggen. Skriv inga personuppgifter."),
        required=_("Skriv varför utfärdaren ska få ett annat tillstånd."),
    )

    def __init__(self, state: str, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [(target, pki_words.label(pki_words.CA_STATES, target)) for target in target_states(state)]
        self.fields["state"].choices = choices  # type: ignore[attr-defined]


class FileForm(Form):
    """A form with a file. Every error appears at the file."""

    def content(self) -> bytes:
        """Returns the valid form's file, read only one byte past the limit so that the service refuses a larger one."""
        return bytes(self.cleaned_data["file"].read(ceremonies.LONGEST_FILE + 1))

    def take(self, error: DomainError) -> None:
        """Adds a domain error to the file field."""
        self.retry_after = getattr(error, "retry_after", None)
        self.add_error("file", error.message)


class CeremonyFileForm(FileForm):
    """A ceremony file to be signed."""

    file = forms.FileField(
        label=_("Ceremonifil (YAML)"),
        help_text=_("Ladda upp den granskade filen exakt som den är. Filen ska innehålla godkännarnas certifikat."),
        error_messages={"required": _("Välj ceremonifilen."), "empty": _("Filen är tom. Välj en annan.")},
        widget=forms.FileInput(attrs={"accept": ".yaml,.yml"}),
    )


class SignatureForm(FileForm):
    """An approver's signature over a ceremony file."""

    file = forms.FileField(
        label=_("Underskrift (.p7s)"),
        help_text=_("Filen som openssl cms skrev. Den innehåller underskriften, aldrig nyckeln."),
        error_messages={"required": _("Välj filen med underskriften."), "empty": _("Filen är tom. Välj en annan.")},
        widget=forms.FileInput(attrs={"accept": ".p7s,.pem,.cms"}),
    )


class DecisionForm(Form):
    """An approver's decision on a document that the page showed with its hash."""

    document_sha256 = forms.CharField(required=False, max_length=64, widget=forms.HiddenInput())
    decision = forms.ChoiceField(
        label=_("Ditt beslut"),
        choices=[("approved", _("Godkänn")), ("rejected", _("Avslå"))],
        widget=forms.RadioSelect,
        error_messages={"required": _("Välj om du godkänner eller avslår."), "invalid_choice": _("Välj godkänn eller avslå.")},
    )
    justification = justification_field(_("Krävs när du avslår. Sparas i loggen. Skriv inga personuppgifter."))
