"""The form of an order's page. What the page offers determines the choices; the services check the answers."""

from django import forms
from django.utils.translation import gettext_lazy as _

from issuance.orders.domain.items import Fault
from issuance.records.queries import words
from siths_portal.lib.pages.forms import Form

OTHER_OFFICE = "annat"
"""The value of the choice that refers to the list of further offices."""
NEW_FILE = "ny"
"""The value of the choice that asks for a new photo."""


class LetterForm(Form):
    """The office that is invoiced for a PUK letter. `key` is the same however often one page is sent."""

    key = forms.RegexField(r"[0-9a-f]{32}", widget=forms.HiddenInput)
    office = forms.UUIDField(
        label=_("Kontor"),
        widget=forms.RadioSelect,
        error_messages={"required": _("Välj kontor."), "invalid": _("Välj kontor.")},
    )


class EidOrderForm(Form):
    """The assignment that an extra eID is for."""

    post = forms.UUIDField(
        label=_("Uppdrag"),
        widget=forms.RadioSelect,
        error_messages={"required": _("Välj uppdrag."), "invalid": _("Välj uppdrag.")},
    )


class RemakeForm(Form):
    """Whose fault it was that a card came back."""

    fault = forms.ChoiceField(
        label=_("Varför kom kortet i retur?"),
        widget=forms.RadioSelect,
        choices=[
            (Fault.SUPPLIER.value, _("Kortleverantören gjorde fel, till exempel skrev fel adress")),
            (Fault.OTHER.value, _("Annat, till exempel inte hämtat eller fel adress i folkbokföringen")),
        ],
        error_messages={
            "required": _("Välj varför kortet kom i retur."),
            "invalid_choice": _("Välj varför kortet kom i retur."),
        },
    )


class OrderForm(Form):
    """The answers of the page, and the file of Hämta fotografi. `version` is that of the draft that the page showed. The fields
    before `post` are about a card that the new one replaces.
    """

    version = forms.IntegerField(required=False, widget=forms.HiddenInput)
    replacement_reason = forms.CharField(
        required=False, max_length=20, label=_("Varför ersätts kortet?"), widget=forms.RadioSelect
    )
    confirm = forms.CharField(
        required=False,
        max_length=20,
        label=_("Det gamla kortets 4 sista siffror"),
        widget=forms.TextInput(
            attrs={"class": "ds-input digits", "inputmode": "numeric", "autocomplete": "off", "data-confirm": True}
        ),
        help_text=_("Skriv dem för hand, så vet du att det är rätt kort som spärras."),
    )
    requester = forms.ChoiceField(
        required=False,
        label=_("Vem begärde spärren?"),
        widget=forms.RadioSelect,
        choices=list(words.REQUESTER_CHOICES.items()),
        error_messages={"invalid_choice": _("Välj vem som begärde spärren.")},
    )
    requester_name = forms.CharField(
        required=False,
        max_length=200,
        label=_("Namn på den som begärde spärren"),
        help_text=_("Fylls i om det varken var innehavaren eller du själv."),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    channel = forms.ChoiceField(
        required=False,
        label=_("Hur kom begäran in?"),
        widget=forms.RadioSelect,
        choices=list(words.REQUEST_CHANNEL.items()),
        error_messages={"invalid_choice": _("Välj hur begäran kom in.")},
    )
    post = forms.UUIDField(
        label=_("Uppdrag"),
        widget=forms.RadioSelect,
        error_messages={"required": _("Välj uppdrag."), "invalid": _("Välj uppdrag.")},
    )
    article = forms.CharField(
        label=_("Kort"),
        max_length=12,
        widget=forms.RadioSelect,
        error_messages={"required": _("Välj kort."), "max_length": _("Välj kort.")},
    )
    delivery = forms.CharField(required=False, max_length=30, label=_("Så skickas kortet"), widget=forms.RadioSelect)
    photo = forms.CharField(
        required=False, max_length=40, label=_("Foto"), widget=forms.RadioSelect, error_messages={"max_length": _("Välj foto.")}
    )
    office = forms.CharField(
        label=_("Kontor"),
        max_length=40,
        widget=forms.RadioSelect,
        error_messages={"required": _("Välj kontor."), "max_length": _("Välj kontor.")},
    )
    other_office = forms.CharField(required=False, max_length=40, label=_("Annat kontor"), widget=forms.Select)
    another_card = forms.BooleanField(required=False, label=_("Personen ska ha ett kort till"))
    file = forms.FileField(
        required=False,
        label=_("Fil med fotografiet"),
        help_text=_(
            "JPEG i färg, minst 400\N{NO-BREAK SPACE}×\N{NO-BREAK SPACE}533 bildpunkter och högst 5\N{NO-BREAK SPACE}MB. "
            "Du kan dra filen hit."
        ),
        error_messages={"empty": _("Filen är tom. Välj en annan.")},
        widget=forms.FileInput(attrs={"accept": "image/jpeg", "data-fetch": "hamta", "hx-preserve": "true"}),
    )
