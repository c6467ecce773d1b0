"""Values as rows and in words."""

from typing import Any

from django.utils import formats
from django.utils.translation import gettext as _


def row(label: str, value: object, **more: Any) -> dict[str, Any]:
    """Returns a line of `components/summary_list.html`, which shows an empty value as missing; zero is a value."""
    return {"label": label, "value": str(value) if isinstance(value, int) else value, **more}


def bytes_of(size: int) -> str:
    """Returns a size in bytes with its unit."""
    return _("{size} byte").format(size=number(size))


def number(value: int) -> str:
    """Returns a number in groups of three digits."""
    return str(formats.number_format(value, force_grouping=True))
