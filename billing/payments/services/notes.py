"""Reasons and notes that finance writes: they are kept for years, so they may not identify a person."""

import re
from typing import NoReturn

from siths_portal.lib.errors import Invalid

LONGEST = 500
_PERSON = re.compile(
    r"\b(?:[0-9]{2})?[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01]|6[1-9]|[78][0-9]|9[01])[-+ ]?[0-9A-Z][0-9]{3}\b"
    r"|\b(?:SE|TST)[0-9]{10}-[0-9A-Z]",
    re.IGNORECASE,
)
"""A personal or coordination number, or an HSA-id. Organisation numbers and payment references have no such month."""


def written(field: str, text: str, missing: str) -> str:
    """Returns the text without blanks around it. Raises Invalid at `field`: `missing` if it is empty or too long."""
    text = text.strip()
    if not 0 < len(text) <= LONGEST:
        refuse(field, f"{field}-missing", missing)
    if _PERSON.search(text):
        refuse(field, f"{field}-names-person", "Ta bort personnummer och HSA-id ur texten.")
    return text


def refuse(field: str, code: str, message: str) -> NoReturn:
    """Raises Invalid with a message at a field."""
    raise Invalid(code, message, fields={field: [message]})
