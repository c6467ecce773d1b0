"""The search form: a field for numbers, a field for names, and the extended search."""

from django import forms
from django.utils.translation import gettext_lazy as _

from issuance.search.services.searching import LONGEST_REASON
from siths_portal.lib.pages.forms import Form


class SearchForm(Form):
    """The search form. The service validates the values; the page shows `extended` to users who may use it."""

    text = forms.CharField(
        label=_("Person-id, tjänste-id eller kortserienummer"),
        help_text=_(
            "Person-id som ååååmmdd-xxxx, minst de 3 sista tecknen i tjänste-id:t (HSA-id), kortets 19 siffror, MIFARE-id eller "
            "beställnings-id. Du kan också skanna eller klistra in."
        ),
        required=False,
        max_length=100,
        error_messages={"max_length": _("Texten är för lång. Skriv högst %(limit_value)d tecken.")},
    )
    name = forms.CharField(
        label=_("Namn"),
        help_text=_("Början av efternamnet, eller efternamn och förnamn. Söker bara inom din behörighet."),
        required=False,
        max_length=100,
        error_messages={"max_length": _("Texten är för lång. Skriv högst %(limit_value)d tecken.")},
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    extended = forms.BooleanField(label=_("Utökat sökomfång"), required=False)
    reason = forms.CharField(
        label=_("Skäl till utökat sökomfång"),
        help_text=_(
            "Till exempel: spärr på begäran av innehavaren, som arbetar i en annan region. Skriv inga uppgifter om hälsa. "
            "Skälet sparas i loggen."
        ),
        required=False,
        max_length=LONGEST_REASON,
        error_messages={"max_length": _("Skälet får ha högst %(limit_value)d tecken.")},
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )

    def clean(self) -> dict[str, object]:
        """Clears the first field if it holds a name from an earlier search and the name field has a new one."""
        data: dict[str, object] = super().clean() or self.cleaned_data
        if data.get("name") and not any(letter.isdigit() for letter in str(data.get("text", ""))):
            data["text"] = ""
        return data
