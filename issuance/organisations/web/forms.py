"""Forms of areas and organisations. The services validate their content."""

from collections.abc import Mapping
from typing import Any, ClassVar

from django import forms
from django.utils.translation import gettext_lazy as _

from issuance.administration.queries.change_words import organisation_number
from issuance.authz import Actor
from issuance.organisations.domain.counties import COUNTIES
from issuance.organisations.services.organisation_catalogue import Differs
from issuance.organisations.services.organisations import OrganisationData, hsa_id_taken
from issuance.records.web.editing import CheckedForm, EditForm
from issuance.records.web.forms import text_line
from siths_portal.lib.errors import DomainError
from siths_portal.lib.pages.forms import DayInput, Form


class AreaForm(EditForm):
    """An issuing area."""

    columns: ClassVar[Mapping[str, str]] = {
        "name": "name",
        "invoice_reference": "invoice_reference",
        "issuing_organisation": "issuing_organisation_id",
    }

    name = text_line(_("Namn på utgivningsområde"), 100, required=_("Ange utgivningsområdets namn."))
    invoice_reference = text_line(_("Fakturareferens"), 50, help_text=_("Skrivs på samlingsfakturan."))
    issuing_organisation = forms.ChoiceField(
        label=_("Utgivande organisation"),
        help_text=_(
            "Välj en direktansluten organisation. Den blir utgivare och får samlingsfakturan för hela området från och med nu. "
            "Månader som är slut faktureras som förut."
        ),
        required=False,
        error_messages={"invalid_choice": _("Välj en organisation i listan.")},
    )

    def __init__(self, *args: Any, issuers: list[tuple[str, str]] | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if issuers is None:
            del self.fields["issuing_organisation"]
        else:
            self.fields["issuing_organisation"].choices = [("", _("Ingen än")), *issuers]  # type: ignore[attr-defined]


_SECTIONS = (
    (_("Namn och nummer"), ("name", "hsa_id", "organisation_number")),
    (_("Plats"), ("country", "county")),
    (_("Kort"), ("customisation", "same_articles")),
    (_("Fakturering"), ("charged", "issuing")),
)
_OWN = ("name", "hsa_id", "organisation_number", "country", "county")


class OrganisationForm(CheckedForm):
    """An organisation's own data, and for a new organisation its configuration."""

    columns: ClassVar[Mapping[str, str]] = {**{name: name for name in _OWN}, "customisation": "customisation_id"}

    name = text_line(
        _("Organisationsnamn"),
        64,
        required=_("Ange organisationens namn."),
        help_text=_("Som i HSA-katalogen. Namnet på den översta organisationen skrivs i nya certifikat."),
    )
    hsa_id = text_line(
        _("Organisations-id i användarkatalog (HSA-id)"),
        31,
        required=_("Ange organisationens HSA-id."),
        help_text=_("Som i HSA-katalogen, till exempel SE2321000131-1000."),
        autocapitalize="characters",
        spellcheck="false",
    )
    organisation_number = text_line(
        _("Organisationsnummer"),
        13,
        required=_("Ange organisationsnumret, 10 siffror."),
        help_text=_("10 siffror, med eller utan bindestreck."),
        inputmode="numeric",
    )
    country = text_line(_("Land"), 2, required=_("Skriv landet som 2 bokstäver, till exempel SE."), autocapitalize="characters")
    county = forms.ChoiceField(
        label=_("Län"),
        required=False,
        choices=[("", _("Inget valt")), *((county, county) for county in COUNTIES)],
        error_messages={"invalid_choice": _("Välj ett län i listan.")},
    )
    customisation = forms.ChoiceField(
        label=_("Kortanpassning"),
        choices=[
            ("above", _("Samma som organisationen ovanför")),
            ("generic", _("Den generella, med SITHS eID:s logotyp")),
        ],
        widget=forms.RadioSelect,
        error_messages={"required": _("Välj kortanpassning."), "invalid_choice": _("Välj en kortanpassning i listan.")},
    )
    charged = forms.ChoiceField(
        label=_("Abonnemangsavgift"),
        help_text=_("Ja, om avgiften ska stå på samlingsfakturan. Gäller från och med i dag. Kan ändras senare."),
        choices=[("yes", _("Ja")), ("no", _("Nej"))],
        widget=forms.RadioSelect,
        error_messages={"required": _("Välj om abonnemangsavgift tas ut."), "invalid_choice": _("Välj ja eller nej.")},
    )
    issuing = forms.BooleanField(
        label=_("Organisationen är utgivande i området"),
        help_text=_("Organisationen är direktansluten och får samlingsfakturan för allt i området."),
        required=False,
    )

    same_articles = forms.BooleanField(required=False)

    def __init__(
        self, *args: Any, extra_fields: frozenset[str] = frozenset(), above: str = "", maker: Actor | None = None, **kwargs: Any
    ) -> None:
        """Of customisation, charged, issuing and same_articles, the form has only `extra_fields`. `above` is the parent's name.

        With `maker`, who creates a new organisation, validation also reports an HSA-id that is already taken.
        """
        super().__init__(*args, **kwargs)
        self._maker = maker
        self.fields["same_articles"].label = _("Samma artiklar som {name}").format(name=above)
        self.fields["same_articles"].help_text = _(
            "Organisationen får beställa samma artiklar som {name} har nu. Du kan ändra det senare."
        ).format(name=above)
        if above:
            self.fields["organisation_number"].help_text = _(
                "10 siffror, med eller utan bindestreck. Numret för {name} är ifyllt. Ändra det om organisationen är en privat "
                "utförare med ett eget nummer."
            ).format(name=above)
        for name in {"customisation", "charged", "issuing", "same_articles"} - extra_fields:
            del self.fields[name]

    @property
    def sections(self) -> list[tuple[Any, list[forms.BoundField]]]:
        """The visible fields in parts with a legend, for `components/form.html`."""
        return [
            (legend, fields) for legend, names in _SECTIONS if (fields := [self[name] for name in names if name in self.fields])
        ]

    def clean(self) -> dict[str, Any]:
        """Adds the errors that the service would raise, and an HSA-id that is already taken."""
        given = super().clean()
        typed = given.get("hsa_id", "")
        if self._maker and self.errors and "hsa_id" not in self.errors and (taken := hsa_id_taken(typed, actor=self._maker)):
            self.add_error("hsa_id", taken)
        return self.cleaned_data

    def take(self, error: DomainError) -> None:
        """Adds an error. If the HSA directory differs, also explains how to save anyway."""
        super().take(error)
        if isinstance(error, Differs):
            self.add_error(None, error.message)

    @staticmethod
    def data_of(given: Mapping[str, Any]) -> OrganisationData:
        """Returns the organisation's own data from the form's values."""
        return OrganisationData(**{name: given.get(name, "") for name in _OWN})

    @classmethod
    def as_typed(cls, column: str, value: Any) -> str:
        """Returns a column's value as its field shows it."""
        if column == "organisation_number" and value:
            return organisation_number(value)
        if column == "customisation_id":
            return "generic" if value else "above"
        return super().as_typed(column, value)


class FeeForm(EditForm):
    """A value of the subscription fee from a date. Its version identifies the fees that the page showed."""

    charged = forms.ChoiceField(
        label=_("Ta ut abonnemangsavgift"),
        choices=[("yes", _("Ja")), ("no", _("Nej"))],
        widget=forms.RadioSelect,
        error_messages={"required": _("Välj ja eller nej."), "invalid_choice": _("Välj ja eller nej.")},
    )
    valid_from = forms.DateField(
        label=_("Gäller från och med"),
        help_text=_(
            "Tidigast den första i månaden som pågår. Avgiften räknas vid månadens slut. En dag i listan får det nya värdet."
        ),
        widget=DayInput(),
        error_messages={"required": _("Ange en dag."), "invalid": _("Skriv dagen som ÅÅÅÅ-MM-DD.")},
    )


class PlaceSearchForm(Form):
    """A search for the new place of an organisation, by a part of its name."""

    text = text_line(
        _("Sök ny plats"),
        100,
        required=_("Skriv en del av namnet, eller början av ett HSA-id."),
        help_text=_("En del av namnet på organisationen ovanför den nya platsen, eller början av organisationens HSA-id."),
    )
