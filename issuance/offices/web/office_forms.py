"""Forms of offices. The services validate their content."""

from collections.abc import Mapping
from typing import Any, ClassVar

from django import forms
from django.utils.translation import gettext_lazy as _

from issuance.offices.queries import OrganisationChoices
from issuance.offices.services import OfficeAddress, OfficeData
from issuance.records.web.editing import CheckedForm
from issuance.records.web.forms import text_line

LONGEST_COMMENT = 100
"""The maximum length of an invoice comment."""
ADDRESS = ("recipient_organisation", "internal_recipient", "street_address", "postal_code", "city")


class OfficeForm(CheckedForm):
    """An office, with an address if it receives bundles of cards.

    The form of a new office also has the organisations to connect.
    """

    columns: ClassVar[Mapping[str, str]] = {name: name for name in ("name", "invoice_comment", *ADDRESS)}

    name = text_line(
        _("Kontorets namn"),
        100,
        required=_("Ange kontorets namn."),
        help_text=_(
            "Rekommenderat: namnet, och inom parentes det nummer som kontoret redan har hos er, till exempel Borås stad (15). "
            "Om kontoret inte har något nummer skriver du bara namnet."
        ),
    )
    invoice_comment = text_line(
        _("Fakturakommentar"),
        LONGEST_COMMENT,
        required=_("Skriv den text som ska stå på fakturan."),
        help_text=_("Skrivs efter artikelns nummer på fakturaraden för de kort som beställs genom kontoret."),
    )
    recipient_organisation = text_line(_("Mottagande organisation"), 100)
    internal_recipient = text_line(_("Intern mottagare"), 100, help_text=_("En avdelning eller enhet, inte en person."))
    street_address = text_line(_("Gatuadress"), 100)
    postal_code = text_line(_("Postnummer"), 10, inputmode="numeric")
    city = text_line(_("Postort"), 60)
    organisation = forms.MultipleChoiceField(
        label=_("Organisationer som ska kunna välja kontoret"),
        required=False,
        error_messages={"invalid_choice": _("En av organisationerna kan inte väljas längre. Välj igen.")},
    )

    def __init__(self, *args: Any, organisations: OrganisationChoices | None = None, **kwargs: Any) -> None:
        """Creates the form. `organisations` are those to which a new office may be connected."""
        super().__init__(*args, **kwargs)
        self.organisations = organisations
        if organisations is None:
            del self.fields["organisation"]
        else:
            choices = [(str(each.id), each.name) for each in organisations.all]
            self.fields["organisation"].choices = choices  # type: ignore[attr-defined]

    @staticmethod
    def data_of(given: Mapping[str, Any]) -> OfficeData:
        """Returns the form's values as the service expects them."""
        address = OfficeAddress(**{name: given.get(name, "") for name in ADDRESS})
        return OfficeData(given.get("name", ""), given.get("invoice_comment", ""), address)

    @property
    def picked(self) -> list[str]:
        """The ticked organisations. If there is only one to choose, it is ticked from the start."""
        if not self.is_bound and self.organisations and "organisation" not in self.initial and len(self.organisations.all) == 1:
            return [str(self.organisations.all[0].id)]
        return [str(value) for value in self["organisation"].value() or ()]

    @property
    def own_fields(self) -> list[forms.BoundField]:
        """The fields that every office has."""
        return [self["name"], self["invoice_comment"]]

    @property
    def address_fields(self) -> list[forms.BoundField]:
        """The fields of the delivery address."""
        return [self[name] for name in ADDRESS]

    @property
    def address_open(self) -> bool:
        """True if the delivery address is unfolded, because it has a value or an error."""
        return any(field.value() or field.errors for field in self.address_fields)
