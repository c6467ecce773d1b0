"""The filter of a list by office."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from siths_portal.lib.pages.forms import Form


class OfficeFilterForm(Form):
    """Through which office the listed cards were ordered."""

    kontor = forms.ChoiceField(
        label=_("Kontor"), required=False, error_messages={"invalid_choice": _("Välj ett kontor i listan.")}
    )

    def __init__(self, offices: Sequence[tuple[str, str]], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["kontor"].choices = [("", _("Alla")), *offices]  # type: ignore[attr-defined]
