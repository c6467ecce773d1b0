"""The form that pages use: inputs of the design system, no browser's own bubbles, and the domain's refusals at their fields."""

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
"""The last day of a calendar with years of four figures: without one a browser takes six figures for a year."""
LONGEST_TEXT = 8000
"""Characters of a text field that sets no limit: above every limit of the services, which they judge by themselves."""
_OTHER_CLASS = (forms.HiddenInput, forms.RadioSelect)
_TOO_LONG = _("Texten är för lång. Skriv högst %(limit_value)d tecken. Nu är de %(show_value)d.")
_NOT_LISTED = _("Välj ett alternativ i listan.")


_typed: ContextVar[QueryDict | None] = ContextVar("typed", default=None)
"""What a page that is shown again shows in its forms; None for a page that is shown first or that answers a form."""


@contextmanager
def showing_typed() -> Iterator[None]:
    """Bounds what `show_typed` sets to one request."""
    token = _typed.set(None)
    try:
        yield
    finally:
        _typed.reset(token)


def show_typed(typed: QueryDict) -> None:
    """Lets the request's forms show `typed`."""
    _typed.set(typed)


def _limit(field: forms.Field) -> None:
    """Limits what `field` takes, on the server alone, with errors that do not repeat what was sent.

    A `maxlength` in the page would make browsers cut a pasted text without a word (docs/design.md#forms).
    """
    field.widget.attrs.pop("maxlength", None)
    if isinstance(field, forms.ChoiceField) and "%(value)s" in str(field.error_messages["invalid_choice"]):
        field.error_messages["invalid_choice"] = _NOT_LISTED
    if not isinstance(field, forms.CharField) or isinstance(field, forms.UUIDField | forms.JSONField):
        return  # of these two, validators get no text
    limits = [validator for validator in field.validators if isinstance(validator, MaxLengthValidator)]
    if not limits:
        field.validators.append(MaxLengthValidator(LONGEST_TEXT, _TOO_LONG))
    elif "max_length" not in field.error_messages and limits[0].message == MaxLengthValidator.message:
        field.error_messages["max_length"] = _TOO_LONG


class DayInput(forms.DateInput):
    """A day, as the browser's own calendar gives it."""

    input_type = "date"

    def __init__(self) -> None:
        super().__init__(format="%Y-%m-%d", attrs={"max": LAST_DAY})


class Form(forms.Form):
    """A Django form whose errors stand in the error summary and at the field, in our words alone.

    A form that nobody sent shows what was typed before its page was shown again, without judging it (`show_typed`).
    """

    use_required_attribute = False
    retry_after: int | None = None
    """After how many seconds what a used up budget refused may be sent again, for `pages.told_when`."""

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
        """Whether the form was sent and is right. What is only shown again is not."""
        return not self._shown_again and super().is_valid()

    def take(self, error: DomainError) -> None:
        """Puts a refusal of the domain onto the form: at the fields that it names, else on top."""
        self.retry_after = getattr(error, "retry_after", None)
        known = {name: messages for name, messages in error.fields.items() if name in self.fields}
        for name, messages in known.items():
            for message in messages:
                self.add_error(name, message)
        if not known:
            self.add_error(None, error.message)

    def refuse(self, message: Any) -> None:
        """Puts `message` in the place of all errors: for a page that has nothing to correct, since it shows no fields."""
        self.errors.clear()
        self.cleaned_data = {}  # which a form that was not sent has not
        self.add_error(None, message)

    def take_beside(self, error: DomainError) -> None:
        """Puts the refusals of the domain at fields that are not wrong already, so that all that is wrong is seen at once."""
        for name, messages in error.fields.items():
            if name not in self.errors:
                self.add_error(name, list(messages))
