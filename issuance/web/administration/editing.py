"""Forms that edit a row against the version that was read. Who comes second is told, and loses nothing typed (ADR 0180)."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.utils.translation import gettext as _

from issuance.authz import Actor
from issuance.queries.administration import change_words, history
from issuance.queries.administration.history import ToldChange
from issuance.services.configuration import Outdated
from siths_portal.lib.forms import Form

_NO_VERSION = 0
"""No row has it: a form without its version is told what stands now."""


class EditForm(Form):
    """A form on a row with a version, which stands in a hidden field. `columns` maps fields to the columns they write.

    `others` is what others changed meanwhile, for `administration/others.html`.
    """

    version = forms.IntegerField(required=False, min_value=0, widget=forms.HiddenInput())
    columns: Mapping[str, str] = {}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.others: list[ToldChange] = []

    def clean_version(self) -> int:
        """The version that the page showed."""
        return self.cleaned_data.get("version") or _NO_VERSION

    def take_outdated(self, error: Outdated, actor: Actor) -> None:
        """Makes the form ready to be saved over what others did: the new version, what was typed, and beside it what stands now.

        A field that was sent as it stood before the others' change was not typed in, so it takes what they wrote.
        """
        self.others = history.told(actor, error.changes)
        self.data = self.data.copy()
        self.data[self.add_prefix("version")] = str(error.version)
        first = {change.field: change.before for change in reversed(error.changes)}
        names = change_words.names_in(actor, error.now.items())
        for field, column in self.columns.items():
            if column not in first or column not in error.now:
                continue
            now = "" if error.now[column] is None else str(error.now[column])
            typed = self.data.get(self.add_prefix(field), "")
            if typed == ("" if first[column] is None else str(first[column])):
                self.data[self.add_prefix(field)] = now
            elif typed != now:
                self.add_error(field, _("Nu står det: {now}").format(now=change_words.value(column, error.now[column], names)))
        self.add_error(None, error.message)
