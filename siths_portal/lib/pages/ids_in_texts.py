"""Ids in texts, marked so that no line breaks at their hyphens (`whole` and `number` of `base.css`). Copied text is unchanged."""

import re
from typing import Any

from django.utils.html import conditional_escape, format_html
from django.utils.safestring import SafeString

_ID = re.compile(
    r"\b(?:(?P<uuid>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})"  # of an order, for example
    r"|[A-Z]{2,3}[0-9]{10}-[0-9A-Z]+"  # an HSA-id
    r"|[0-9]{8}-[0-9]{4}|[0-9]{6}-[0-9]{4}"  # a personal or organisation number
    r"|[0-9]{4}-[0-9]{6})\b"  # an invoice number
)


_NARROWEST = 16
"""How many characters fit beside the label of a cell on the narrowest phone."""


def whole(text: Any) -> SafeString:
    """Returns `text`, an id, a number or a day, escaped and marked; "" for no value. A long one may break in a narrow place."""
    if not text:
        return SafeString("")
    return format_html('<span class="{}">{}</span>', "whole" if len(str(text)) <= _NARROWEST else "number", text)


def with_whole_ids(text: Any) -> SafeString:
    """Returns a sentence, escaped, with each id in it marked. Text that is safe already stays as it is."""
    if hasattr(text, "__html__"):
        return conditional_escape(text)
    return SafeString(_ID.sub(_marked, conditional_escape(text)))


def _marked(found: re.Match[str]) -> SafeString:
    """Returns an id that was found in a text, marked. On a phone a UUID needs the whole width of its cell, below the label."""
    return format_html('<span class="number uuid">{}</span>', found[0]) if found["uuid"] else whole(found[0])
