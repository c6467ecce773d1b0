"""Forms of articles. The services validate their content."""

import datetime as dt
from collections.abc import Mapping
from typing import Any, ClassVar

from django import forms
from django.utils.translation import gettext_lazy as _

from issuance.articles.queries.articles import KINDS, ORIENTATIONS, STATES, Choice
from issuance.articles.services.articles import ArticleData
from issuance.records.web.editing import EditForm
from issuance.records.web.forms import text_line
from siths_portal.lib.errors import Invalid
from siths_portal.lib.pages.forms import DayInput, Form

_PICK = {"invalid_choice": _("Välj ett alternativ i listan.")}
_YES_NO: list[tuple[str, Any]] = [("yes", _("Ja")), ("no", _("Nej"))]
NUMBERED = ("number", "registered_mail")
"""The parts of an article's code."""
MADE = ("kind", "orientation", "photo", "assurance_level")
"""The properties of the card, which are fixed after the first order."""


_SECTIONS = (
    (_("Artikel"), ("number", "name", "registered_mail")),
    (_("Kortet"), (*MADE, "generation")),
    (_("Giltighet"), ("valid_from", "valid_to")),
)


def _radios(label: Any, choices: list[tuple[str, Any]], *, required: Any, help_text: Any = "") -> forms.ChoiceField:
    errors = {**_PICK, "required": required}
    return forms.ChoiceField(label=label, choices=choices, help_text=help_text, widget=forms.RadioSelect, error_messages=errors)


def _day(label: Any, *, required: Any = None, help_text: Any = "") -> forms.DateField:
    return forms.DateField(
        label=label,
        help_text=help_text,
        required=required is not None,
        widget=DayInput(),
        error_messages={"invalid": _("Skriv dagen som ÅÅÅÅ-MM-DD.")} | ({"required": required} if required else {}),
    )


class ArticleForm(EditForm):
    """An article. `fixed` maps fields that cannot change, and that the form lacks, to their values."""

    side_by_side = True
    columns: ClassVar[Mapping[str, str]] = {name: name for name in ("name", *MADE, "generation", "valid_from", "valid_to")}

    number = text_line(
        _("Artikelnummer"),
        8,
        required=_("Ange artikelnumret."),
        help_text=_("Siffror. Kan inte ändras senare."),
        inputmode="numeric",
    )
    name = text_line(
        _("Namn"), 100, required=_("Ange artikelns namn."), help_text=_("Utan REK, till exempel Stående kort med foto.")
    )
    registered_mail = _radios(
        _("Leverans"),
        [("no", _("Ordinarie")), ("yes", _("REK"))],
        required=_("Välj leverans."),
        help_text=_("En REK-variant är en egen artikel med samma nummer. Kan inte ändras senare."),
    )
    kind = forms.ChoiceField(label=_("Slag"), error_messages={**_PICK, "required": _("Välj slag.")})
    orientation = _radios(_("Utförande"), [(code, _(text)) for code, text in ORIENTATIONS.items()], required=_("Välj utförande."))
    photo = _radios(_("Foto på kortet"), _YES_NO, required=_("Välj om kortet har foto."))
    assurance_level = _radios(_("Tillitsnivå"), [("3", "3"), ("2", "2")], required=_("Välj tillitsnivå."))
    generation = text_line(_("Produktgeneration"), 20, help_text=_("Som kortleverantören kallar den."))
    valid_from = _day(_("Gäller från och med"), required=_("Ange den första dagen."))
    valid_to = _day(
        _("Gäller till och med"),
        help_text=_("Sista dagen för beställning. Lämna tomt om artikeln ska gälla tills vidare."),
    )

    def __init__(self, *args: Any, fixed: Mapping[str, Any] | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fixed = dict(fixed or {})
        self.fields["kind"].choices = [("", _("Välj")), *((code, _(text)) for code, text in KINDS.items())]  # type: ignore[attr-defined]
        for name in self.fixed:
            del self.fields[name]

    @property
    def sections(self) -> list[tuple[Any, list[forms.BoundField]]]:
        """The visible fields in parts with a legend, for `components/form.html`."""
        return [
            (legend, fields) for legend, names in _SECTIONS if (fields := [self[name] for name in names if name in self.fields])
        ]

    def clean(self) -> dict[str, Any]:
        """Adds the errors that the service would raise, so the user sees all errors at once.

        Sets `article` to the complete data.
        """
        super().clean()
        if not self.errors:
            self.cleaned_data["article"] = self._article()
            try:
                self.cleaned_data["article"].checked()
            except Invalid as error:
                self.take_beside(error)
        return self.cleaned_data

    def _article(self) -> ArticleData:
        """Returns the article's data from the form and `fixed`."""
        given = self.cleaned_data
        values: dict[str, Any] = {name: given.get(name, "") for name in ("number", "name", "kind", "orientation", "generation")}
        values |= {name: given.get(name) == "yes" for name in ("photo", "registered_mail")}
        values |= {"valid_from": given.get("valid_from") or dt.date.min, "valid_to": given.get("valid_to")}
        values |= {"assurance_level": int(given.get("assurance_level") or 0)}
        return ArticleData(**values | self.fixed)

    @classmethod
    def as_typed(cls, column: str, value: Any) -> str:
        """Returns a column's value as its field shows it."""
        if isinstance(value, bool):
            return "yes" if value else "no"
        return super().as_typed(column, value)


class ArticleChoiceForm(Form):
    """The filters of the catalogue."""

    slag = forms.ChoiceField(label=_("Slag"), required=False, error_messages=_PICK)
    leverans = forms.ChoiceField(
        label=_("Leverans"),
        required=False,
        choices=[("", _("Alla")), ("ordinary", _("Ordinarie")), ("registered", _("REK"))],
        error_messages=_PICK,
    )
    status = forms.ChoiceField(label=_("Status"), required=False, error_messages=_PICK)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field, words in (("slag", KINDS), ("status", STATES)):
            choices = [("", _("Alla")), *((code, _(text)) for code, text in words.items())]
            self.fields[field].choices = choices  # type: ignore[attr-defined]

    @property
    def chosen(self) -> dict[str, str]:
        """The valid filters as query parameters."""
        if not self.is_valid():
            return {}
        return {name: value for name, value in self.cleaned_data.items() if value}

    @property
    def choice(self) -> Choice:
        """The filters for the query."""
        chosen = self.chosen
        return Choice(chosen.get("slag", ""), chosen.get("status", ""), chosen.get("leverans", ""))
