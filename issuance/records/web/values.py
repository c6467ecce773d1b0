"""Values as rows and as text."""

from typing import Any

from django.utils import formats
from django.utils.translation import gettext as _


def row(label: str, value: object, **more: Any) -> dict[str, Any]:
    """Returns a row of `components/summary_list.html`. The template shows an empty value as missing, but zero is a value."""
    return {"label": label, "value": str(value) if isinstance(value, int) else value, **more}


def bytes_of(size: int) -> str:
    """Returns a size in bytes with its unit."""
    return _("{size} byte").format(size=number(size))


def number(value: int) -> str:
    """Returns a number with grouped digits."""
    return str(formats.number_format(value, force_grouping=True))
