"""The form of a work list and of a row's page: what is done with the ticked rows, or with the row."""

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

_OF_ONE = {
    "remind": _("Skicka påminnelse till innehavaren"),
    "take_on": _("Ta ansvar för raden"),
    "postpone": _("Skjut upp raden"),
    "finish": _("Avsluta raden utan åtgärd"),
    "reopen": _("Öppna raden igen"),
}
"""The same on the page of a row."""


def decisions_of(kind: WorkKind, view: View) -> list[str]:
    """Returns what can be done with the rows of a view, the usual act first."""
    if view is View.DONE:
        return ["reopen"]
    usual = ["remind"] if kind.reminds and view is not View.POSTPONED else []
    return [*usual, "take_on", "postpone", "finish", *(["reopen"] if view is View.POSTPONED else [])]


class DecisionForm(Form):
    """The decision on the ticked rows of the page's table, or on the only row of its page (`one`)."""

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

    def __init__(self, *args: Any, kind: WorkKind, view: View, one: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        codes, texts = decisions_of(kind, view), _OF_ONE if one else DECISIONS
        self.fields["decision"].choices = [(code, texts[code]) for code in codes]  # type: ignore[attr-defined]
        if one:
            self.fields["decision"].label, self.fields["until"].label = _("Gör så här med raden"), _("Visa den igen")
            self.fields["until"].help_text = _("Krävs när du skjuter upp raden.")
            self.fields["reason"].help_text = _(
                "Krävs när du skjuter upp eller avslutar raden. Skriv inga uppgifter om personen."
            )
        self.fields["decision"].initial = codes[0]

    @property
    def decisions(self) -> list[dict[str, Any]]:
        """The choices of the decision, each with the digit that picks it."""
        choices = self.fields["decision"].choices  # type: ignore[attr-defined]
        return [{"value": code, "label": text, "key": number} for number, (code, text) in enumerate(choices, start=1)]
