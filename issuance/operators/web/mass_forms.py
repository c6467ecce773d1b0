"""Forms of mass revocation: the selection and the grounds. `pki` checks the domain's rules."""

from typing import Any

from django import forms
from django.core.validators import MaxLengthValidator
from django.utils.translation import gettext_lazy as _

from issuance.operators.queries import pki_words
from issuance.operators.web.forms import ca_choices, justification_field
from issuance.records.web.moments import MomentField, this_minute
from pki import service as pki
from pki.mass_revocation import MassRevocationGrounds, MassSelection
from pki.operators.certificate_search import profile_names
from siths_portal.lib import clock
from siths_portal.lib.pages.forms import Form

LONGEST_LIST = 1_000_000
"""The longest list, in characters. Two such lists stay below DATA_UPLOAD_MAX_MEMORY_SIZE, because the form is sent as
multipart.
"""

_REF = {"autocomplete": "off", "autocapitalize": "off", "spellcheck": "false"}


def _values(label: Any, help_text: Any) -> forms.CharField:
    return forms.CharField(
        label=label,
        help_text=help_text,
        required=False,
        # No max_length: browsers would silently truncate a pasted list.
        validators=[MaxLengthValidator(LONGEST_LIST, _("Listan är för lång för sidan. Använd kommandot pki_mass_revoke."))],
        widget=forms.Textarea(attrs=_REF | {"rows": 4}),
    )


def _reference(label: Any, help_text: Any = "", *, longest: int = 200, **attributes: Any) -> forms.CharField:
    return forms.CharField(
        label=label,
        help_text=help_text,
        required=False,
        max_length=longest,
        error_messages={"max_length": _("Högst %(limit_value)d tecken.")},
        widget=forms.TextInput(attrs=_REF | attributes),
    )


class MassSelectionForm(Form):
    """Criteria of a selection. A certificate must meet all of them; empty ones do not restrict."""

    cas = forms.MultipleChoiceField(
        label=_("Utfärdare"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        error_messages={"invalid_choice": _("Välj bland utfärdarna i listan.")},
    )
    profiles = forms.MultipleChoiceField(
        label=_("Profiler"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        error_messages={"invalid_choice": _("Välj bland profilerna i listan.")},
    )
    issued_from = MomentField(label=_("Utfärdade från och med"), required=False)
    issued_until = MomentField(label=_("Utfärdade före"), required=False)
    serials = _values(_("Serienummer"), _("Hexadecimalt, ett på varje rad."))
    key_hashes = _values(_("Nycklar"), _("SHA-256 av den publika nyckeln (SubjectPublicKeyInfo), en på varje rad."))
    unit_ref = _reference(_("Enhetens referens"), longest=80, size=40)
    client_ref = _reference(_("Beställarens referens"), longest=80, size=40)
    include_expired = forms.BooleanField(
        label=_("Ta även med certifikat som har gått ut"), required=False, widget=forms.CheckboxInput()
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["cas"].choices = ca_choices()  # type: ignore[attr-defined]
        self.fields["profiles"].choices = pki_words.profile_choices(profile_names())  # type: ignore[attr-defined]

    def selection(self) -> MassSelection:
        """Returns the valid form's criteria."""
        given = self.cleaned_data
        return MassSelection(
            cas=tuple(given["cas"]),
            profiles=tuple(given["profiles"]),
            issued_from=given["issued_from"],
            issued_until=given["issued_until"],
            serials=given["serials"],
            key_hashes=given["key_hashes"],
            unit_ref=given["unit_ref"],
            client_ref=given["client_ref"],
            include_expired=given["include_expired"],
        )

    def clean_serials(self) -> tuple[str, ...]:
        """Returns the values, one per line, without empty lines."""
        return _lines(self.cleaned_data["serials"])

    def clean_key_hashes(self) -> tuple[str, ...]:
        """Returns the values, one per line, without empty lines."""
        return _lines(self.cleaned_data["key_hashes"])


def _lines(text: str) -> tuple[str, ...]:
    return tuple(line.strip() for line in text.splitlines() if line.strip())


def as_typed(selection: MassSelection) -> dict[str, Any]:
    """Returns a selection as initial values of the form."""
    values = {name: getattr(selection, name) for name in MassSelectionForm.base_fields}
    for name in ("issued_from", "issued_until"):
        values[name] = values[name] and values[name].astimezone(clock.STOCKHOLM)
    return values | {name: "\n".join(values[name]) for name in ("serials", "key_hashes")}


class MassGroundsForm(Form):
    """The grounds of a mass revocation: reason, requester and dates. The form begins with the present minute and no other
    requester.
    """

    reason = forms.ChoiceField(
        label=_("Spärrorsak"),
        widget=forms.RadioSelect,
        choices=[(code, text) for code, text in pki_words.REASON.items() if code != pki.RevocationReason.CA_COMPROMISE],
        error_messages={"required": _("Välj en spärrorsak."), "invalid_choice": _("Välj en spärrorsak i listan.")},
    )
    justification = justification_field(
        _("Visas för godkännarna. Sparas i loggen. Skriv inga personuppgifter."),
        required=_("Skriv varför certifikaten ska spärras."),
    )
    invalidity_date = MomentField(
        label=_("Ogiltiga sedan"),
        required=False,
        help_text=_("Fyll i om nycklarna kan ha kommit i orätta händer tidigare än nu. Visas i spärrlistan."),
    )
    received_at = MomentField(label=_("När kom begäran in?"), help_text=_("Ändra om den kom in tidigare än nu."))
    channel = forms.ChoiceField(
        label=_("Hur kom begäran in?"),
        choices=[(code, _(text)) for code, text in pki_words.REVOCATION_CHANNEL.items() if code != pki.RevocationChannel.API],
        error_messages={"required": _("Välj hur begäran kom in."), "invalid_choice": _("Välj hur begäran kom in i listan.")},
    )
    requester = _reference(_("Begärd av"), _("Ärendenummer eller annan referens, om det inte är du. Skriv aldrig ett namn."))
    registered_by = _reference(_("Nedskriven av"), _("Referens, aldrig ett namn."))
    kept_at = _reference(_("Var papperet finns"))
    publish_crls = forms.BooleanField(
        label=_("Gör nya spärrlistor genast när allt är spärrat"), required=False, widget=forms.CheckboxInput()
    )

    def grounds(self) -> MassRevocationGrounds:
        """Returns the valid form's values."""
        given = self.cleaned_data
        paper = given["registered_by"], given["kept_at"]
        return MassRevocationGrounds(
            reason=given["reason"],
            justification=given["justification"],
            received_at=given["received_at"],
            channel=given["channel"],
            invalidity_date=given["invalidity_date"],
            requester=given["requester"],
            source_record=pki.SourceRecord(*paper) if any(paper) else None,
            publish_crls=given["publish_crls"],
        )


def empty_grounds() -> dict[str, Any]:
    """Returns the initial values of the form."""
    return {"received_at": this_minute(), "publish_crls": True}


class MassStopForm(Form):
    """The reason for stopping a mass revocation."""

    justification = justification_field(_("Sparas i loggen. Skriv inga personuppgifter."))
