"""The forms of an activation's first step."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from issuance.activation.domain.identity_documents import ATTESTATION, DOCUMENTS, FULL, IDENTITY_DOCUMENT, RELATION, Relation
from issuance.activation.queries.identifying import Ways
from issuance.activation.services.attesting import Attested
from issuance.records.domain import wording
from siths_portal.lib.pages.forms import Form

_ATTESTED = ("attestor_name", "attestor_number", "relation", "attestor_document", "stated")


class IdentificationForm(Form):
    """The document that the clerk compared with the holder (rules/issuance 5.2), or what another person attested (5.8).

    `ways` are those that are enough for the card. The fields of an attestation exist only where one is.
    """

    identity_document = forms.ChoiceField(widget=forms.RadioSelect, label=gettext_lazy("Identifiering med"))
    attestor_name = forms.CharField(
        required=False,
        max_length=200,
        label=gettext_lazy("Namn på den som intygar"),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    attestor_number = forms.CharField(
        required=False,
        max_length=20,
        label=gettext_lazy("Personnummer för den som intygar"),
        widget=forms.TextInput(attrs={"autocomplete": "off", "inputmode": "numeric"}),
        help_text=gettext_lazy("Skriv ååååmmdd-xxxx."),
    )
    relation = forms.ChoiceField(
        required=False, widget=forms.RadioSelect, label=gettext_lazy("Vem är den som intygar för innehavaren?")
    )
    attestor_document = forms.ChoiceField(
        required=False, widget=forms.RadioSelect, label=gettext_lazy("Vilken id-handling visade den som intygar?")
    )
    stated = forms.BooleanField(
        required=False,
        label=gettext_lazy(
            "Den som intygar är på plats, vet att ett falskt intyg är ett brott och har skrivit under. Intyget är arkiverat."
        ),
    )

    def __init__(self, *args: Any, ways: Ways, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.ways = ways
        missing = _("Välj den id-handling som innehavaren visade.")
        _choices(self.fields["identity_document"], IDENTITY_DOCUMENT, ways.documents, missing)
        if ATTESTATION not in ways.documents:
            for name in _ATTESTED:
                del self.fields[name]
            return
        _choices(self.fields["relation"], RELATION, ways.relations, _("Välj vem som intygar."))
        _choices(self.fields["attestor_document"], IDENTITY_DOCUMENT, FULL, _("Välj den id-handling som den visade."))

    @property
    def options(self) -> list[dict[str, str]]:
        """Returns the choices, each with the digit key that selects it, and what the document must be."""
        return [
            {
                "value": code,
                "label": _(DOCUMENTS[code].label),
                "hint": _(DOCUMENTS[code].hint) if DOCUMENTS[code].hint else "",
                "key": str(number),
            }
            for number, code in enumerate(self.ways.documents, 1)
        ]

    def identified(self) -> dict[str, Any]:
        """Returns the answers of a valid form as arguments of the service."""
        given = self.cleaned_data
        document = given["identity_document"]
        if document != ATTESTATION:
            return {"identity_document": document}
        return {"identity_document": document, "attested": Attested(**{name: given[name] for name in _ATTESTED})}


def _choices(field: Any, labels: Any, codes: Sequence[str | Relation], missing: str) -> None:
    field.choices = [(code, wording.label(labels, code)) for code in codes]
    field.error_messages |= {"required": missing, "invalid_choice": missing}


class CardCheckForm(Form):
    """The number of the card that the holder brought: scanned, or its last four digits."""

    serial = forms.CharField(required=False, max_length=40, label=gettext_lazy("Är det rätt kort?"))
