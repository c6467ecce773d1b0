"""Forms that Django's test client sends are sent by their main button, as a person sends them, unless a test names another.

A form without files goes urlencoded, as browsers send it: of a multipart body without log-in the portal reads nothing.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from django.test import Client
from django.test.client import MULTIPART_CONTENT

from siths_portal.lib.pages import named_buttons

FORM = "application/x-www-form-urlencoded"
MAIN = {named_buttons.BUTTON: named_buttons.ACT}
ENTER = {named_buttons.BUTTON: named_buttons.SHOW}
"""What a browser adds to a form that its main button, or Enter in a field, sends."""

NAMED = named_buttons.SEARCHES | named_buttons.OTHERS | {named_buttons.BUTTON}


def press_by_default() -> None:
    """Lets `Client.post` press the main button of what names none."""
    plain = Client.post

    def post(self: Client, path: str, data: Any = None, content_type: str = MULTIPART_CONTENT, *args: Any, **kwargs: Any) -> Any:
        if content_type == MULTIPART_CONTENT and isinstance(data, Mapping | None) and NAMED.isdisjoint(data or {}):
            data = dict(data or {}) | MAIN
            if not any(hasattr(value, "read") for value in data.values()):
                data, content_type = urlencode(data, doseq=True), FORM
        return plain(self, path, data, content_type, *args, **kwargs)

    Client.post = post  # type: ignore[method-assign]
