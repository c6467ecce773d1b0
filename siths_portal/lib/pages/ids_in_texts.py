"""Ids in texts, marked so that no line breaks at their hyphens (class `whole` of `base.css`). Copied text stays unchanged."""

import re
from typing import Any

from django.utils.html import conditional_escape, format_html
from django.utils.safestring import SafeString

_ID = re.compile(
    r"\b(?:[A-Z]{2,3}[0-9]{10}-[0-9A-Z]+"  # an HSA-id
    r"|[0-9]{8}-[0-9]{4}|[0-9]{6}-[0-9]{4}"  # a personal or organisation number
    r"|[0-9]{4}-[0-9]{6})\b"  # an invoice number
)


def whole(text: Any) -> SafeString:
    """Returns `text`, an id, a number or a day, escaped and marked; "" for no value."""
    return format_html('<span class="whole">{}</span>', text) if text else SafeString("")


def with_whole_ids(text: Any) -> SafeString:
    """Returns a sentence, escaped, with each id in it marked. Text that is safe already stays as it is."""
    if hasattr(text, "__html__"):
        return conditional_escape(text)
    return SafeString(_ID.sub(lambda found: whole(found[0]), conditional_escape(text)))
