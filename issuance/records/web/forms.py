"""Form fields that several packages share, and the handling of forms that are not edits."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from siths_portal.lib.errors import Conflict, Forbidden, Invalid, TooManyRequests
from siths_portal.lib.pages.forms import Form

DESPITE = "katalog"
"""The checkbox that confirms that the user has read the HSA directory's response; its value identifies the response."""

DONE = 200
"""The status of `tried` if the act succeeded."""

_LONG = {"max_length": _("Skriv högst %(limit_value)d tecken.")}


def text_line(label: Any, longest: int, *, required: Any = None, help_text: Any = "", **attributes: Any) -> forms.CharField:
    """Returns a field for a line of text. `required` is the error shown if it is empty; without it the field is optional."""
    return forms.CharField(
        label=label,
        help_text=help_text,
        required=required is not None,
        max_length=longest,
        error_messages=_LONG | ({"required": required} if required is not None else {}),
        widget=forms.TextInput(attrs={"autocomplete": "off", **attributes}),
    )


def tried[Made](form: Form, act: Callable[[], Made]) -> tuple[Made | None, int]:
    """Returns the result of `act` and DONE if the form is valid and `act` does not refuse.

    Otherwise returns None and the HTTP status. The form then has the error, and keeps what the user typed.
    """
    if not form.is_valid():
        return None, Invalid.http_status
    try:
        return act(), DONE
    except (Conflict, Forbidden, Invalid, TooManyRequests) as error:
        form.take(error)
        return None, error.http_status
