"""The form that orders a bundle of reserve cards, and the list of an organisation's bundles."""

from typing import Any

from django import forms
from django.http import HttpRequest
from django.urls import reverse
from django.utils.text import format_lazy
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext_lazy

from issuance.offices.models import Office
from issuance.orders.domain.order_states import OrderState
from issuance.orders.models.orders import CardOrder
from issuance.orders.queries.bundles import BundleChoices, BundleLine
from issuance.orders.services.bundles import LARGEST, Bundle
from issuance.orders.web.choices import kronor, with_keys
from siths_portal.lib.ids import new_id
from siths_portal.lib.lists import Column, Empty, Kind, List, Rows, Tag
from siths_portal.lib.pages.forms import Form

_QUANTITY = format_lazy(gettext_lazy("Ange ett antal från 1 till {most}."), most=LARGEST)


class BundleForm(Form):
    """What is ordered. `key` makes the order one order, however often the form is sent."""

    article = forms.ChoiceField(
        label=gettext_lazy("Artikel"),
        widget=forms.RadioSelect,
        error_messages={"required": gettext_lazy("Välj vilken artikel som ska beställas.")},
    )
    quantity = forms.IntegerField(
        label=gettext_lazy("Antal kort"),
        min_value=1,
        max_value=LARGEST,
        error_messages=dict.fromkeys(("required", "invalid", "min_value", "max_value"), _QUANTITY),
        widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off"}),
    )
    office = forms.ChoiceField(
        label=gettext_lazy("Kontor som tar emot bunten"),
        error_messages={"required": gettext_lazy("Välj vilket kontor bunten ska skickas till.")},
    )
    key = forms.UUIDField(widget=forms.HiddenInput, required=False)

    def __init__(self, *args: Any, choices: BundleChoices, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        alone = len(choices.offices) == 1
        listed = [(str(office.pk), f"{office.name}, {office.street_address}, {office.city}") for office in choices.offices]
        self.fields["office"].choices = listed if alone else [("", _("Välj kontor")), *listed]  # type: ignore[attr-defined]
        self.fields["article"].choices = [(article.code, article.title) for article in choices.articles]  # type: ignore[attr-defined]
        if len(choices.articles) == 1:
            self.initial.setdefault("article", choices.articles[0].code)
        self.initial.setdefault("key", str(new_id()))
        picked = str(self["article"].value() or "")
        self.articles = with_keys(
            [
                {
                    "value": article.code,
                    "label": article.title,
                    "hint": ", ".join(
                        filter(
                            None,
                            (
                                kronor(choices.prices.get(article.code)),
                                _("artikel {number}").format(number=article.number),
                                _("tillitsnivå {level}").format(level=article.assurance_level),
                            ),
                        )
                    ),
                    "checked": article.code == picked,
                    "disabled": False,
                    "lines": None,
                }
                for article in choices.articles
            ]
        )

    def bundle(self, organisation_id: Any) -> Bundle:
        """Returns what a valid form orders."""
        given = self.cleaned_data
        return Bundle(organisation_id, given["article"], given["office"], given["quantity"])


def address_of(office: Office) -> str:
    """Returns the delivery address of an office on one line."""
    parts = (office.recipient_organisation, office.internal_recipient, office.street_address)
    return ", ".join(part for part in (*parts, f"{office.postal_code} {office.city}") if part)


_WORDS = {
    OrderState.QUEUED.value: gettext_lazy("I kö till kortleverantören"),
    OrderState.SENT.value: gettext_lazy("Skickad"),
    OrderState.CANCELLED.value: gettext_lazy("Borttagen"),
}


def state_of(line: BundleLine) -> Tag:
    """Returns the state of a bundle's order as a tag."""
    return Tag(line.state, str(_WORDS.get(line.state, "")))


class BundleList(List[BundleLine]):
    """The bundles of an organisation, the newest first."""

    counted_as = ngettext_lazy("{n} bunt", "{n} buntar")
    columns = (
        Column(
            key="bestalld",
            heading=gettext_lazy("Beställd"),
            value="ordered_on",
            kind=Kind.DAY,
            link=lambda line: reverse("bundle", args=[line.id]),
        ),
        Column(key="artikel", heading=gettext_lazy("Artikel"), value="article"),
        Column(key="antal", heading=gettext_lazy("Antal"), value="quantity", kind=Kind.NUMBER),
        Column(key="kontor", heading=gettext_lazy("Kontor"), value="office"),
        Column(key="status", heading=gettext_lazy("Status"), kind=Kind.TAG, value=state_of),
        Column(key="senast", heading=gettext_lazy("Skickas senast"), value="last_day", kind=Kind.DAY),
        Column(key="skickad", heading=gettext_lazy("Skickad"), value="sent_on", kind=Kind.DAY, hide_empty=True),
    )
    table_id = "buntar"
    empty = Empty(
        gettext_lazy("Ingen bunt är beställd"), gettext_lazy("Reservkort beställs i buntar till ett kontor, som lämnar ut dem.")
    )
    css = "table-close"
    order = "-"
    files = ("csv", "xlsx")

    def __init__(self, request: HttpRequest, found: Rows[CardOrder, BundleLine], *, organisation: str) -> None:
        super().__init__(request)
        self.found = found
        self.file_name = f"buntar med reservkort {organisation}"

    def rows(self) -> Rows[CardOrder, BundleLine]:
        """See `List`."""
        return self.found
