"""The form that pages use: inputs of the design system, no browser's own bubbles, and the domain's refusals at their fields."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from django import forms
from django.forms.utils import ErrorDict
from django.http import QueryDict

from siths_portal.lib.errors import DomainError

LAST_DAY = "9999-12-31"
"""The last day of a calendar with years of four figures: without one a browser takes six figures for a year."""
_OTHER_CLASS = (forms.HiddenInput, forms.RadioSelect)


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

    def take_beside(self, error: DomainError) -> None:
        """Puts the refusals of the domain at fields that are not wrong already, so that all that is wrong is seen at once."""
        for name, messages in error.fields.items():
            if name not in self.errors:
                self.add_error(name, list(messages))
