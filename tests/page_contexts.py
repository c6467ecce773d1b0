"""Django's test client keeps the context of a page, and not a copy for each template that the page includes.

A page includes some thirty; tests ask for what the view gave.
"""

from copy import copy
from typing import Any

from django.test import client
from django.test.utils import ContextList


def keep_the_pages() -> None:
    """Lets responses of this process have no other contexts from now on."""
    client.store_rendered_templates = _store  # type: ignore[assignment]


def _store(store: dict[str, Any], *, template: Any, context: Any, **_signal: Any) -> None:
    store.setdefault("templates", []).append(template)
    contexts = store.setdefault("context", ContextList())
    if context.template is template:  # else it is included or extended by that one
        contexts.append(copy(context))
