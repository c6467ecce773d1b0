"""Forms of prices: the filter of their list, and a request for a price."""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any
from uuid import UUID

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from billing.price_changes.models import LONGEST_REASON
from billing.price_changes.queries.prices import GROSS, STANDINGS
from billing.price_changes.services.changes import VAT_RATES
from billing.prices.services.replacing import NewPrice
from billing.records.domain import money
from billing.records.web.forms import UNKNOWN
from siths_portal.lib.pages.forms import DayInput, Form

_USUAL = ""
GROSS_LIST = "brutto"
_RATES = {money.shortest(rate, decimals=0): rate for rate in VAT_RATES}


class PricesForm(Form):
    """The filter of the list by list, article and status."""

    lista = forms.ChoiceField(label=_("Prislista"), required=False, error_messages=UNKNOWN)
    artikel = forms.ChoiceField(label=_("Artikel"), required=False, error_messages=UNKNOWN)
    status = forms.ChoiceField(
        label=_("Status"),
        required=False,
        choices=[
            (_USUAL, _("Gäller nu och kommande")),
            *((key.value, text) for key, text in STANDINGS.items()),
            ("alla", _("Alla")),
        ],
        error_messages=UNKNOWN,
    )

    def __init__(self, data: Any, owners: Mapping[UUID, str], articles: Mapping[str, str]) -> None:
        super().__init__(data)
        lists = [("", _("Alla")), (GROSS_LIST, GROSS), *((str(key), name) for key, name in owners.items())]
        self.fields["lista"].choices = lists  # type: ignore[attr-defined]
        self.fields["artikel"].choices = [("", _("Alla")), *articles.items()]  # type: ignore[attr-defined]


class PriceField(forms.CharField):
    """A price in kronor, with decimal comma or point and spaces between thousands."""

    def clean(self, value: Any) -> Any:
        """Returns a Decimal with at most four decimals, or None for an empty field. Raises ValidationError."""
        text = "".join(str(super().clean(value)).split()).replace(",", ".")
        if not text:
            return None
        try:
            amount = Decimal(text)
        except InvalidOperation:
            amount = Decimal("NaN")
        if not amount.is_finite() or amount != round(amount, 4):
            raise ValidationError(_("Skriv priset i kronor med högst 4 decimaler, till exempel 95,50."))
        return amount


class PriceForm(Form):
    """A request for a price of an article from a day on."""

    article_code = forms.ChoiceField(label=_("Artikel"), error_messages={"required": _("Välj en artikel.")})
    party_id = forms.ChoiceField(
        label=_("Prislista"),
        required=False,
        help_text=_("Bruttolistan gäller för kunder utan avtalat pris."),
    )
    unit_price = PriceField(
        label=_("Pris exklusive moms"),
        required=False,
        max_length=20,
        help_text=_("Kronor, till exempel 95,50. Lämna tomt bara om du avslutar ett avtalat pris."),
    )
    vat_rate = forms.ChoiceField(
        label=_("Moms"),
        choices=[(key, f"{key} %") for key in _RATES],
        initial="25",
        error_messages={"required": _("Välj momssats.")},
    )
    valid_from = forms.DateField(
        label=_("Gäller från och med"),
        widget=DayInput(),
        error_messages={"required": _("Välj en dag."), "invalid": _("Skriv dagen, till exempel 2026-11-25.")},
    )
    reason = forms.CharField(
        label=_("Skäl"),
        required=False,
        max_length=LONGEST_REASON,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=_("Krävs om dagen har varit. Då rättas också det som inte är fakturerat."),
    )
    end = forms.BooleanField(label=_("Avsluta det avtalade priset, så att bruttolistan gäller"), required=False)

    def __init__(self, data: Any, owners: Mapping[UUID, str], articles: Mapping[str, str], initial: Mapping[str, Any]) -> None:
        super().__init__(data, initial=initial)
        lists = [("", GROSS), *((str(key), name) for key, name in owners.items())]
        self.fields["article_code"].choices = list(articles.items())  # type: ignore[attr-defined]
        self.fields["party_id"].choices = lists  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        """Refuses a price together with an end, and neither of them."""
        values: dict[str, Any] = super().clean() or self.cleaned_data
        if "unit_price" in values and (values["unit_price"] is None) != values.get("end", False):
            text = _("Lämna priset tomt för att avsluta det.") if values.get("end") else _("Skriv priset.")
            self.add_error("unit_price", text)
        return values

    def price(self) -> NewPrice:
        """Returns what was typed."""
        values = self.cleaned_data
        return NewPrice(
            article_code=values["article_code"],
            party_id=UUID(values["party_id"]) if values["party_id"] else None,
            valid_from=values["valid_from"],
            unit_price=values["unit_price"],
            vat_rate=_RATES[values["vat_rate"]],
        )
