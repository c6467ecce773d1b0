"""The forms of an activation's first step."""

from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from issuance.activation.domain import identity_documents
from issuance.records.domain import wording
from siths_portal.lib.pages.forms import Form


class IdentificationForm(Form):
    """The identity document that the clerk compared with the holder (rules/issuance 5.2)."""

    identity_document = forms.ChoiceField(widget=forms.RadioSelect)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field: Any = self.fields["identity_document"]
        field.label = _("Identifiering med")
        field.choices = [
            (code, wording.label(identity_documents.IDENTITY_DOCUMENT, code)) for code in identity_documents.IDENTITY_DOCUMENT
        ]
        missing = _("Välj den id-handling som innehavaren visade.")
        field.error_messages |= {"required": missing, "invalid_choice": missing}

    @property
    def options(self) -> list[dict[str, str]]:
        """Returns the choices, each with the digit key that selects it."""
        choices = enumerate(identity_documents.IDENTITY_DOCUMENT, 1)
        return [
            {"value": code, "label": wording.label(identity_documents.IDENTITY_DOCUMENT, code), "key": str(number)}
            for number, code in choices
        ]


class CardCheckForm(Form):
    """The number of the card that the holder brought: scanned, or its last four digits."""

    serial = forms.CharField(required=False, max_length=40, label=gettext_lazy("Är det rätt kort?"))
