"""The base form of pages: inputs of the design system, no browser validation, and domain errors shown at their fields."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from django import forms
from django.core.validators import MaxLengthValidator
from django.forms.utils import ErrorDict
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from siths_portal.lib.errors import DomainError

LAST_DAY = "9999-12-31"
"""The last day with a year of four digits: without a maximum, browsers accept years of six digits."""
LONGEST_TEXT = 8000
"""The limit in characters of a text field without its own limit. It is above all limits that services check."""
_OTHER_CLASS = (forms.HiddenInput, forms.RadioSelect)
_TOO_LONG = _("Texten är för lång. Skriv högst %(limit_value)d tecken. Nu är de %(show_value)d.")
_NOT_LISTED = _("Välj ett alternativ i listan.")


_typed: ContextVar[QueryDict | None] = ContextVar("typed", default=None)
"""The values that forms show on a page that is shown again; None on a first page and in the response to a sent form."""


@contextmanager
def showing_typed() -> Iterator[None]:
    """Resets the effect of `show_typed` at the end of the request."""
    token = _typed.set(None)
    try:
        yield
    finally:
        _typed.reset(token)


def show_typed(typed: QueryDict) -> None:
    """Makes the forms of this request show `typed`."""
    _typed.set(typed)


def _limit(field: forms.Field) -> None:
    """Limits the length of `field` on the server only, with errors that do not repeat the value.

    With a `maxlength` attribute browsers would truncate a pasted text silently (docs/design.md#forms).
    """
    field.widget.attrs.pop("maxlength", None)
    if isinstance(field, forms.ChoiceField) and "%(value)s" in str(field.error_messages["invalid_choice"]):
        field.error_messages["invalid_choice"] = _NOT_LISTED
    if not isinstance(field, forms.CharField) or isinstance(field, forms.UUIDField | forms.JSONField):
        return  # the validators of these two fields do not get text
    limits = [validator for validator in field.validators if isinstance(validator, MaxLengthValidator)]
    if not limits:
        field.validators.append(MaxLengthValidator(LONGEST_TEXT, _TOO_LONG))
    elif "max_length" not in field.error_messages and limits[0].message == MaxLengthValidator.message:
        field.error_messages["max_length"] = _TOO_LONG


class DayInput(forms.DateInput):
    """A date input with the browser's own calendar."""

    input_type = "date"

    def __init__(self) -> None:
        super().__init__(format="%Y-%m-%d", attrs={"max": LAST_DAY})


class Form(forms.Form):
    """A Django form whose errors, always in our own words, are shown in the error summary and at the field.

    An unbound form shows the values of `show_typed`, if any, without validating them.
    """

    use_required_attribute = False
    retry_after: int | None = None
    """The seconds until the user may send the form again after a rate limit, for `error_pages.with_retry_after`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            if not isinstance(field.widget, _OTHER_CLASS):
                field.widget.attrs.setdefault("class", "ds-input")
            _limit(field)
        typed = _typed.get()
        self._shown_again = (
            typed is not None and not self.is_bound and any(self.add_prefix(name) in typed for name in self.fields)
        )
        if typed is not None and self._shown_again:
            self.is_bound, self.data = True, typed
            self._errors, self.cleaned_data = ErrorDict(), {}

    def is_valid(self) -> bool:
        """Returns whether the form was sent and is valid. A form that is only shown again is not."""
        return not self._shown_again and super().is_valid()

    def take(self, error: DomainError) -> None:
        """Adds a domain error to the form: at the fields that it names, or else as a form error."""
        self.retry_after = getattr(error, "retry_after", None)
        known = {name: messages for name, messages in error.fields.items() if name in self.fields}
        for name, messages in known.items():
            for message in messages:
                self.add_error(name, message)
        if not known:
            self.add_error(None, error.message)

    def refuse(self, message: Any) -> None:
        """Replaces all errors with `message`, for a page without fields to correct."""
        self.errors.clear()
        self.cleaned_data = {}  # an unbound form does not have it
        self.add_error(None, message)

    def take_beside(self, error: DomainError) -> None:
        """Adds a domain error at fields without an error, so that the user sees all errors at once."""
        for name, messages in error.fields.items():
            if name not in self.errors:
                self.add_error(name, list(messages))
