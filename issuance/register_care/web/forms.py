"""The form of a work list: what is done with the ticked rows."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from issuance.register_care.domain.kinds import WorkKind
from issuance.register_care.queries.work import View
from siths_portal.lib.pages.forms import DayInput, Form

ROW = "rad"
"""The field with the ids of the ticked rows."""

DECISIONS = {
    "remind": _("Skicka påminnelse till innehavarna"),
    "take_on": _("Ta ansvar för raderna"),
    "postpone": _("Skjut upp raderna"),
    "finish": _("Avsluta raderna utan åtgärd"),
    "reopen": _("Öppna raderna igen"),
}
"""What can be done with rows."""


def decisions_of(kind: WorkKind, view: View) -> list[str]:
    """Returns what can be done with the rows of a view, the usual act first."""
    if view is View.DONE:
        return ["reopen"]
    usual = ["remind"] if kind.reminds and view is not View.POSTPONED else []
    return [*usual, "take_on", "postpone", "finish", *(["reopen"] if view is View.POSTPONED else [])]


class DecisionForm(Form):
    """The decision on the ticked rows of the page's table."""

    rows = forms.CharField(label=_("Rader"), required=False, widget=forms.HiddenInput(attrs={"id": f"{ROW}_1"}))
    """Holds errors about the ticked rows; the error summary links to the first row."""
    decision = forms.ChoiceField(
        label=_("Gör så här med de valda raderna"),
        widget=forms.RadioSelect,
        error_messages={"required": _("Välj vad du vill göra."), "invalid_choice": _("Välj vad du vill göra.")},
    )
    until = forms.DateField(
        label=_("Visa dem igen"),
        help_text=_("Krävs när du skjuter upp rader."),
        required=False,
        widget=DayInput(),
        error_messages={"invalid": _("Välj en dag i kalendern, eller skriv den som 2026-11-30.")},
    )
    reason = forms.CharField(
        label=_("Skäl"),
        help_text=_("Krävs när du skjuter upp eller avslutar rader. Skriv inga uppgifter om personen."),
        required=False,
        widget=forms.Textarea(attrs={"rows": 2}),
    )

    def __init__(self, *args: Any, kind: WorkKind, view: View, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        codes = decisions_of(kind, view)
        self.fields["decision"].choices = [(code, DECISIONS[code]) for code in codes]  # type: ignore[attr-defined]
        self.fields["decision"].initial = codes[0]

    @property
    def decisions(self) -> list[dict[str, Any]]:
        """The choices of the decision, each with the digit that picks it."""
        choices = self.fields["decision"].choices  # type: ignore[attr-defined]
        return [{"value": code, "label": text, "key": number} for number, (code, text) in enumerate(choices, start=1)]
