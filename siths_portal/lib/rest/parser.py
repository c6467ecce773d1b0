"""The parser of our JSON APIs. Apart from `json_views`, since REST framework imports it while it is itself being imported."""

import json
from typing import Any

from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser


class StrictJSONParser(BaseParser):
    """JSON in UTF-8 without what parsers disagree on: repeated names, NaN, lone surrogates, bottomless nesting. ParseError."""

    media_type = "application/json"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        """The value."""
        try:
            text = stream.read().decode("utf-8")
            value = json.loads(text, parse_constant=_refuse_constant, object_pairs_hook=_unique)
            if "\\u" in text:
                json.dumps(value, ensure_ascii=False).encode()
        except (ValueError, RecursionError):
            raise ParseError from None
        return value


def _refuse_constant(name: str) -> None:
    raise ValueError(name)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("repeated name")
    return value
