"""Forms of customers: the filter of their list, and the data with which a customer is invoiced."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from django import forms
from django.forms import BoundField
from django.utils.translation import gettext_lazy as _

from billing.customers.models import BillingCustomer
from billing.customers.queries.customers import STANDINGS, CustomerView
from billing.customers.services.changes import SCHEMES
from billing.customers.services.customers import LONGEST_TERMS, CustomerTerms
from billing.records.domain import identifiers
from billing.records.web.forms import UNKNOWN, CustomerForm
from siths_portal.lib.pages.forms import DayInput, Form

_PATTERN = _("Skriv till exempel DLL\\d{7}|P\\d{12}. \\d är en siffra, [A-Z] en bokstav, {7} antalet och | betyder eller.")


class CustomersForm(CustomerForm):
    """The filter of the list by customer and status."""

    status = forms.ChoiceField(
        label=_("Status"),
        required=False,
        choices=[("", _("Alla")), *((key.value, text) for key, text in STANDINGS.items())],
        error_messages=UNKNOWN,
    )


def _text(label: Any, name: str, **options: Any) -> forms.CharField:
    """Returns a field as long as the table's column."""
    length = BillingCustomer._meta.get_field(name).max_length  # type: ignore[union-attr]
    return forms.CharField(label=label, max_length=length, **options)


def _optional(label: Any, name: str, **options: Any) -> forms.CharField:
    return _text(label, name, required=False, **options)


class CustomerDataForm(Form):
    """The data of a customer. `version` is the version that the page showed."""

    version = forms.UUIDField(required=False, widget=forms.HiddenInput())
    name = _text(_("Kundens namn"), "name", error_messages={"required": _("Skriv kundens namn.")})
    organisation_number = forms.CharField(
        label=_("Organisationsnummer"), max_length=20, error_messages={"required": _("Skriv organisationsnumret.")}
    )
    street = _optional(_("Gatuadress eller box"), "street")
    postal_code = _text(_("Postnummer"), "postal_code", error_messages={"required": _("Skriv postnumret.")})
    city = _text(_("Ort"), "city", error_messages={"required": _("Skriv orten.")})
    endpoint_scheme = forms.ChoiceField(
        label=_("Typ av elektronisk adress"), error_messages={"required": _("Välj typ av elektronisk adress.")}
    )
    endpoint_id = _optional(
        _("Elektronisk adress"),
        "endpoint_id",
        help_text=_(
            "Lämna tomt om den är organisationsnumret. Du kan klistra in hela adressen, till exempel 0007:2321000016. "
            "Då läses typen ur den. En annan adress gäller först när en kollega har godkänt den."
        ),
    )
    notice_email = forms.EmailField(
        label=_("E-post för avisering"),
        required=False,
        help_text=_("Dit skickas ett meddelande när en faktura är utfärdad."),
        error_messages={"invalid": _("Skriv en e-postadress, till exempel faktura@kommun.se.")},
    )
    buyer_reference = _optional(
        _("Fakturareferens"), "buyer_reference", help_text=_("Kundens egen referens. Den eller ordernumret krävs.")
    )
    reference_pattern = _optional(_("Fakturareferensens form"), "reference_pattern", help_text=_PATTERN)
    order_number = _optional(_("Ordernummer"), "order_number")
    order_pattern = _optional(_("Ordernumrets form"), "order_pattern", help_text=_PATTERN)
    contract = _optional(_("Avtalsnummer"), "contract")
    invoiced_object = _optional(_("Fakturerat objekt"), "invoiced_object", help_text=_("Bara om kunden har bett om det."))
    contact_name = _optional(_("Kontaktperson"), "contact_name")
    contact_email = forms.EmailField(
        label=_("Kontaktpersonens e-post"),
        required=False,
        error_messages={"invalid": _("Skriv en e-postadress, till exempel anna@kommun.se.")},
    )
    contact_phone = _optional(_("Kontaktpersonens telefon"), "contact_phone")
    attestant = _optional(_("Attestant"), "attestant", help_text=_("Den hos kunden som godkänner beställningen av tjänsten."))
    approved_on = forms.DateField(
        label=_("Attestanten godkände"),
        required=False,
        widget=DayInput(),
        help_text=_("Faktureringen börjar när dagen är ifylld."),
        error_messages={"invalid": _("Skriv dagen, till exempel 2026-11-25.")},
    )
    terms_accepted_on = forms.DateField(
        label=_("Kunden godkände villkoren"),
        required=False,
        widget=DayInput(),
        error_messages={"invalid": _("Skriv dagen, till exempel 2026-11-25.")},
    )
    payment_terms_days = forms.IntegerField(
        label=_("Dagar att betala"),
        min_value=1,
        max_value=LONGEST_TERMS,
        initial=30,
        error_messages={
            "required": _("Skriv antalet dagar."),
            "invalid": _("Skriv antalet dagar med siffror."),
            "min_value": _("Skriv minst %(limit_value)s dag."),
            "max_value": _("Skriv högst %(limit_value)s dagar."),
        },
    )
    round_to_krona = forms.BooleanField(label=_("Avrunda fakturan till hela kronor"), required=False)
    cost_centre = _optional(
        _("Kostnadsställe"), "cost_centre", help_text=_("Vårt eget, för bokföringsfilen. Det står inte på fakturan.")
    )

    _PARTS = (
        (_("Kund"), ("name", "organisation_number", "street", "postal_code", "city")),
        (_("E-faktura"), ("endpoint_scheme", "endpoint_id", "notice_email")),
        (
            _("Referenser"),
            ("buyer_reference", "reference_pattern", "order_number", "order_pattern", "contract", "invoiced_object"),
        ),
        (_("Kontakt"), ("contact_name", "contact_email", "contact_phone")),
        (_("Avtal"), ("attestant", "approved_on", "terms_accepted_on", "payment_terms_days", "round_to_krona", "cost_centre")),
    )

    def __init__(self, data: Any, customer: CustomerView) -> None:
        super().__init__(data, initial=_initial(customer))
        current = customer.current
        schemes = dict(SCHEMES)
        if current and current.endpoint_scheme not in schemes:
            schemes[current.endpoint_scheme] = current.endpoint_scheme
        self.fields["endpoint_scheme"].choices = list(schemes.items())  # type: ignore[attr-defined]
        self.country = current.country if current else "SE"
        self.divided: dict[str, str] = {}
        """The type, in words, and the identifier of an electronic address that was typed with its type; else empty."""

    def clean(self) -> dict[str, Any]:
        """Reads the type out of an electronic address that was typed whole, such as 0007:2321000016."""
        values: dict[str, Any] = super().clean() or self.cleaned_data
        scheme, identifier = identifiers.endpoint_parts(values.get("endpoint_id", ""))
        if not scheme:
            return values
        known = dict(self.fields["endpoint_scheme"].choices)  # type: ignore[attr-defined]
        if scheme not in known:
            types = " eller ".join(known.values())
            self.add_error("endpoint_id", _("Adressens typ går inte att använda. Den kan vara {types}.").format(types=types))
            return values
        self.divided = {"scheme": known[scheme], "identifier": identifier}
        return values | {"endpoint_scheme": scheme, "endpoint_id": identifier}

    @property
    def sections(self) -> Iterator[tuple[Any, list[BoundField]]]:
        """The parts of the form: a legend and the bound fields."""
        return ((legend, [self[name] for name in names]) for legend, names in self._PARTS)

    @property
    def seen(self) -> UUID | None:
        """The version that the page showed; None for a new customer."""
        version: UUID | None = self.cleaned_data["version"]
        return version

    def terms(self) -> CustomerTerms:
        """Returns what was typed."""
        values = {name: value for name, value in self.cleaned_data.items() if name != "version"}
        return CustomerTerms(**values, country=self.country)


def _initial(customer: CustomerView) -> dict[str, Any]:
    current, party = customer.current, customer.party
    if current is None:
        known = {"name": party.name, "organisation_number": party.organisation_number} if party else {}
        return {**known, "buyer_reference": party.invoice_reference if party else "", "payment_terms_days": 30}
    waiting = customer.waiting
    address = {"endpoint_scheme": waiting.endpoint_scheme, "endpoint_id": waiting.endpoint_id} if waiting else {}
    names = [name for _legend, part in CustomerDataForm._PARTS for name in part]
    return {name: getattr(current, name) for name in names} | address | {"version": current.pk}
