"""Forms that edit a row against the version that the user read.

The second editor sees the conflict and keeps what they typed (ADR 0180).
"""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Protocol, cast

from django import forms
from django.http import HttpRequest, QueryDict
from django.utils.translation import gettext as _

from issuance.administration.queries import change_words, history
from issuance.administration.queries.history import OtherChange
from issuance.authz import Actor
from issuance.records.services.editing import Outdated
from issuance.records.web.frame import actor_of
from siths_portal.lib.errors import Conflict, Invalid
from siths_portal.lib.pages.forms import Form

LARGEST_VERSION = 2**31 - 1
"""The largest value of a version column."""

_NO_VERSION = 0
"""A version that no row has. A form without a version always gets the conflict page with the current values."""


class Checkable(Protocol):
    """Values for a service."""

    def checked(self) -> object:
        """Returns them in normal form. Raises Invalid at their fields."""
        ...


class EditForm(Form):
    """A form on a versioned row, with the version in a hidden field. `columns` maps fields to columns.

    `others` holds the changes by other users since that version, for `components/others.html`.
    """

    columns: ClassVar[Mapping[str, str]] = {}

    version = forms.IntegerField(required=False, min_value=0, max_value=LARGEST_VERSION, widget=forms.HiddenInput())

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.others: list[OtherChange] = []

    def clean_version(self) -> int:
        """Returns the version that the page showed."""
        return self.cleaned_data.get("version") or _NO_VERSION

    @classmethod
    def as_typed(cls, column: str, value: Any) -> str:
        """Returns a column's value as its field shows it."""
        return "" if value is None else str(value)

    def take_outdated(self, error: Outdated, actor: Actor) -> None:
        """Prepares the form for saving over another user's edit: it gets the new version and keeps what the user typed.

        Each field that both changed shows the current value as an error. A field that the user did not change takes the other
        user's value.
        """
        self.others = history.changes_of_others(actor, error.changes)
        data = cast(QueryDict, self.data).copy()
        data[self.add_prefix("version")] = str(error.version)
        self.data = data
        first = {change.field: change.before for change in reversed(error.changes)}
        names = change_words.names_in(actor, error.now.items())
        for field, column in self.columns.items():
            if field not in self.fields or column not in first or column not in error.now:
                continue
            # Browsers submit CRLF line endings.
            now, typed = self.as_typed(column, error.now[column]), data.get(self.add_prefix(field), "").replace("\r\n", "\n")
            if typed == self.as_typed(column, first[column]):
                data[self.add_prefix(field)] = now
            elif typed != now:
                self.add_error(field, _("Nu står det: {now}").format(now=change_words.value(column, error.now[column], names)))
        self.add_error(None, error.message)


def version_sent(request: HttpRequest) -> int:
    """Returns the version that a form without fields submitted, or `_NO_VERSION` if it submitted no valid number."""
    text = request.POST.get("version", "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 11 and int(text) <= LARGEST_VERSION else _NO_VERSION


def initial(form: type[EditForm], row: object) -> dict[str, Any]:
    """Returns the initial data of a form on `row`: its columns and its version."""
    values = {field: form.as_typed(column, getattr(row, column)) for field, column in form.columns.items()}
    return {**values, "version": row.version}  # type: ignore[attr-defined]  # models and frozen views both have a version


def saved[T](form: Form, actor: Actor, act: Callable[[dict[str, Any]], T]) -> tuple[T | None, int]:
    """Returns what `act` returned for the form's values, and the HTTP status.

    If `act` refuses, returns None, and the form has the error.
    """
    if not form.is_valid():
        return None, Invalid.http_status
    try:
        return act(form.cleaned_data), 200
    except Outdated as error:
        if not isinstance(form, EditForm):
            raise
        form.take_outdated(error, actor)
        return None, error.http_status
    except (Invalid, Conflict) as error:
        form.take(error)
        return None, error.http_status


class CheckedForm(EditForm):
    """A form whose values the service checks as a whole, so that the user sees the errors of form and service at once."""

    @staticmethod
    def data_of(given: Mapping[str, Any]) -> Checkable:
        """Returns the form's values as the service expects them; a value may be missing."""
        raise TypeError("a checked form declares data_of")

    def clean(self) -> dict[str, Any]:
        """Adds the errors that the service would raise."""
        given = super().clean() or {}
        try:
            self.data_of(given).checked()
        except Invalid as error:
            self.take_beside(error)
        return self.cleaned_data


def submitted_form[F: Form, T](
    request: HttpRequest,
    make: Callable[..., F],
    act: Callable[[dict[str, Any]], T],
    *,
    first: Callable[[], dict[str, Any]] = dict,
) -> tuple[F, T | None, int]:
    """Returns the form, what `act` returned, and the HTTP status.

    For GET the form is new with the values of `first`. For POST it holds the submitted values and any errors.
    """
    if request.method != "POST":
        return make(initial=first()), None, 200
    form = make(request.POST)
    made, status = saved(form, actor_of(request), act)
    return form, made, status


def wants_another(request: HttpRequest) -> bool:
    """True if the user pressed "Skapa och lägg till en till"."""
    return "fler" in request.POST


def at_first_field[F: Form](form: F) -> F:
    """Sets the focus on the form's first field if it takes text and the form has no errors; the error summary takes it otherwise.

    A choice never gets the focus, because the Enter of a scanner would submit an answer.
    """
    widget = next(iter(form.visible_fields())).field.widget
    if (not form.is_bound or not form.errors) and isinstance(widget, forms.TextInput | forms.Textarea):
        widget.attrs["autofocus"] = True
    return form
