"""Forms of roles, training and person checks. The services validate their content."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

from django import forms
from django.utils.translation import gettext_lazy as _

from issuance.authz import Role
from issuance.records.web.editing import EditForm
from issuance.roles.domain import SWEDISH, QualificationKind
from issuance.roles.queries import role_words
from siths_portal.lib.pages.forms import DayInput, Form

_DAY = "%Y-%m-%d"


def day_field(label: Any, *, help_text: Any = "", required: bool = False) -> forms.DateField:
    """Returns a date field with the browser's own calendar."""
    wrong = _("Skriv ett datum, till exempel 2026-11-25.")
    return forms.DateField(
        label=label,
        help_text=help_text,
        required=required,
        widget=DayInput(),
        input_formats=[_DAY],
        error_messages={"required": wrong, "invalid": wrong},
    )


class RoleHoldersForm(Form):
    """The filters of the list of role holders. The form is posted, because names must not be in URLs (S22)."""

    visa = forms.ChoiceField(
        label=_("Visa"), required=False, error_messages={"invalid_choice": _("Välj i listan vilka som ska visas.")}
    )
    roll = forms.ChoiceField(
        label=_("Behörighetsroll"),
        required=False,
        choices=lambda: [("", _("Alla")), *((role.value, role_words.name(role.value)) for role in Role)],
        error_messages={"invalid_choice": _("Välj en behörighetsroll i listan.")},
    )
    omrade = forms.ChoiceField(
        label=_("Utgivningsområde"),
        required=False,
        error_messages={"invalid_choice": _("Välj ett utgivningsområde i listan.")},
    )
    name = forms.CharField(
        label=_("Namn, eller början av det"),
        required=False,
        max_length=100,
        widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "words", "spellcheck": "false"}),
    )

    def __init__(self, shown: Iterable[tuple[str, Any]], areas: Sequence[tuple[str, str]], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["visa"].choices = list(shown)  # type: ignore[attr-defined]
        self.fields["omrade"].choices = [("", _("Alla")), *areas]  # type: ignore[attr-defined]
        if len(areas) < 2:
            del self.fields["omrade"]


def ticked_places(label: Any) -> forms.Field:
    """Returns a field for errors about ticked places. The boxes themselves are in the page's tree."""
    return forms.Field(label=label, required=False, widget=forms.HiddenInput(attrs={"id": "platser"}))


def role_field() -> forms.ChoiceField:
    """Returns a choice of roles without a default, so that nobody gives a role by just continuing."""
    return forms.ChoiceField(
        label=_("Behörighetsroll"),
        widget=forms.RadioSelect,
        error_messages={"required": _("Välj en behörighetsroll."), "invalid_choice": _("Välj en behörighetsroll i listan.")},
    )


def role_choices(roles: Iterable[Role]) -> list[tuple[str, str]]:
    """Returns these roles as choices, from the widest to the narrowest."""
    shown = set(roles)
    return [(role.value, role_words.name(role.value)) for role in Role if role in shown]


class PickRoleForm(Form):
    """The choice of a role, the first of two steps. The next page's URL contains it."""

    roll = role_field()

    def __init__(self, roles: Iterable[Role], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["roll"].choices = role_choices(roles)  # type: ignore[attr-defined]


class RoleForm(Form):
    """How a role is given: the role, the add-on, and the period."""

    role = role_field()
    protected_persons = forms.BooleanField(
        label=_("Hantera skyddade personer"),
        required=False,
        help_text=_("Tilläggsrollen Sekretess. Rollen omfattar då även personer med skyddade personuppgifter."),
    )
    valid_from = day_field(_("Gäller från och med"), help_text=_("Lämna tomt om rollen ska gälla från och med nu."))
    valid_to = day_field(_("Gäller till och med"), help_text=_("Lämna tomt om rollen ska gälla tills vidare."))

    def __init__(self, roles: Iterable[Role], *args: Any, may_protect: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["role"].choices = role_choices(roles)  # type: ignore[attr-defined]
        if not may_protect:
            del self.fields["protected_persons"]

    def settle_role(self) -> None:
        """Hides the role field, because the page's URL determines the role."""
        self.fields["role"].widget, self.fields["role"].label = forms.HiddenInput(), None


class PlacedRoleForm(RoleForm):
    """A role given from a person's page."""

    plats = ticked_places(_("Omfång"))


class RequestRoleForm(RoleForm):
    """A global role that a second administrator must approve."""

    valid_from = day_field(_("Gäller från och med"), help_text=_("Lämna tomt om rollen ska gälla från godkännandet."))
    reason = forms.CharField(
        label=_("Skäl"),
        help_text=_("Skriv varför personen behöver rollen. Administratören som godkänner läser skälet. Inga personuppgifter."),
        max_length=500,
        error_messages={
            "required": _("Skriv varför personen behöver rollen."),
            "max_length": _("Texten är för lång. Skriv högst %(limit_value)d tecken."),
        },
        widget=forms.Textarea(attrs={"rows": 3}),
    )


class AddHolderForm(RoleForm):
    """A role for a person found by a search on the same page."""

    text = forms.CharField(
        label=_("Sök person"),
        help_text=_(
            "Skriv efternamn och förnamn, person-id (ååååmmdd-xxxx) eller minst de 3 sista tecknen i tjänste-id:t, varav en "
            "siffra. Är personen ny i portalen behövs hela person-id:t eller hela tjänste-id:t."
        ),
        required=False,
        max_length=100,
        error_messages={"max_length": _("Texten är för lång. Skriv högst %(limit_value)d tecken.")},
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false", "data-searched": ""}),
    )
    plats = ticked_places(_("Organisationer"))


class ChangeRoleForm(EditForm):
    """The changeable parts of a role. Only actors who may give the add-on see its field."""

    columns: ClassVar[Mapping[str, str]] = {name: name for name in ("protected_persons", "valid_to")}

    protected_persons = forms.BooleanField(label=_("Hantera skyddade personer"), required=False)
    valid_to = day_field(_("Gäller till och med"), help_text=_("Lämna tomt om rollen ska gälla tills vidare."))

    def __init__(self, *args: Any, may_protect: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not may_protect:
            del self.fields["protected_persons"]

    @classmethod
    def as_typed(cls, column: str, value: Any) -> str:
        """Returns the value as a browser submits it: "on" for a ticked box, else an empty text."""
        return super().as_typed(column, value) if column != "protected_persons" else "on" if value else ""


class QualificationForm(Form):
    """A training, a person check, or both, passed on one day."""

    BOTH = "both"

    kind = forms.ChoiceField(
        label=_("Vad ska registreras?"),
        widget=forms.RadioSelect,
        choices=[(BOTH, _("Båda")), *((kind.value, SWEDISH[kind]) for kind in QualificationKind)],
        error_messages={
            "required": _("Välj personkontroll, utbildning eller båda."),
            "invalid_choice": _("Välj personkontroll, utbildning eller båda."),
        },
    )
    passed_on = day_field(_("Genomförd och godkänd den"), required=True)

    @property
    def kinds(self) -> tuple[QualificationKind, ...]:
        """The chosen kinds."""
        chosen = self.cleaned_data["kind"]
        return tuple(QualificationKind) if chosen == self.BOTH else (QualificationKind(chosen),)


class SeveralForm(QualificationForm):
    """A record for several role holders."""

    field_order = ("person",)

    person = forms.CharField(label=_("Rollinnehavare"), required=False, widget=forms.HiddenInput(attrs={"id": "person_1"}))
    """The boxes are in the page's table. This field has their errors and links to the first box."""
