"""Forms of card customisations. The services validate their content."""

from collections.abc import Mapping
from typing import Any, ClassVar, cast

from django import forms
from django.core.validators import MaxLengthValidator
from django.utils.translation import gettext_lazy as _

from issuance.customisations.queries.customisations import STATES
from issuance.customisations.services.customisations import BACK_LINES, BACK_TEXT_TOO_LONG, BACK_WIDTH, CustomisationData
from issuance.records.web.editing import CheckedForm
from issuance.records.web.forms import text_line
from siths_portal.lib.pages.forms import Form


def back_text_field(label: Any, help_text: Any) -> forms.CharField:
    """Returns a field for the text on a card's back, with its lines as typed."""
    widget = forms.Textarea(attrs={"rows": BACK_LINES})
    text = forms.CharField(label=label, help_text=help_text, required=False, strip=False, widget=widget)
    # Browsers submit a line end as two characters.
    text.validators.append(MaxLengthValidator(BACK_LINES * (BACK_WIDTH + 2), BACK_TEXT_TOO_LONG))
    return text


class CustomisationForm(CheckedForm):
    """A card customisation. Its id can be set only for a new one."""

    columns: ClassVar[Mapping[str, str]] = {name: name for name in ("name", "issuer_number", "back_text", "supplier_ref")}

    name = text_line(
        _("Kortanpassning"),
        100,
        required=_("Ange kortanpassningens namn."),
        help_text=_("Namnet trycks inte på kortet. Oftast organisationens namn."),
    )
    customisation_id = text_line(
        _("Kortanpassnings-id"),
        10,
        required=_("Ange kortanpassnings-id."),
        help_text=_("10 siffror, samma som hos kortleverantören. Kan inte ändras senare."),
        inputmode="numeric",
    )
    issuer_number = text_line(_("Utfärdarnummer"), 4, help_text=_("4 siffror. Trycks på kortet."), inputmode="numeric")
    back_text = back_text_field(
        _("Baksidestext"),
        _("Vart ett upphittat kort skickas, och numret till kundservice. Högst 8 rader med 45 tecken i varje."),
    )
    supplier_ref = forms.ChoiceField(
        label=_("Kortleverantör"),
        help_text=_(
            "Bara den leverantör du väljer får tillverka korten. Ett byte gäller nya beställningar. "
            "Kortanpassningen ska sedan verifieras igen."
        ),
        error_messages={"invalid_choice": _("Välj en kortleverantör i listan."), "required": _("Välj kortleverantör.")},
    )

    def __init__(self, *args: Any, suppliers: Mapping[str, str], new: bool = False, **kwargs: Any) -> None:
        """Creates the form. `suppliers` maps the references of the suppliers to choose from to their names."""
        super().__init__(*args, **kwargs)
        field = cast(forms.ChoiceField, self.fields["supplier_ref"])
        field.choices = [("", _("Välj kortleverantör")), *suppliers.items()]
        if not suppliers:
            field.help_text = _("Ingen kortleverantör är registrerad. Driften registrerar en först.")
        if not new:
            del self.fields["customisation_id"]

    @staticmethod
    def data_of(given: Mapping[str, Any]) -> CustomisationData:
        """Returns the form's values as the service expects them."""
        return CustomisationData(**{name: given.get(name, "") for name in CustomisationForm.columns})


class CustomisationChoiceForm(Form):
    """The filter of the list."""

    status = forms.ChoiceField(
        label=_("Status"),
        required=False,
        choices=[("", _("Alla")), *((code, _(text)) for code, text in STATES.items())],
        error_messages={"invalid_choice": _("Välj en status i listan.")},
    )
