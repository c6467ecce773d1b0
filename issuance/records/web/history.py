"""The history of a row that the actor sees, in the form that `administration/history.html` renders."""

from typing import Any
from uuid import UUID

from django.http import HttpRequest

from issuance.administration.queries import history
from issuance.administration.queries.history import ConfigurationHistory
from issuance.records.web.frame import actor_of
from issuance.records.web.lists import number_cursor

TEMPLATE = "administration/history.html"


def history_context(request: HttpRequest, subject_type: str, subject_ref: UUID | str) -> dict[str, Any]:
    """Returns the context of `TEMPLATE` for a subject that the actor sees; `?fore=` selects older events."""
    actor, before = actor_of(request), number_cursor(request)
    found = history.history(actor=actor, subject_type=subject_type, subject_ref=subject_ref, before=before)
    return context_of(request, found)


def context_of(request: HttpRequest, found: ConfigurationHistory, chosen: str = "") -> dict[str, Any]:
    """Returns a page of history with links to the older and the newest events. `chosen` is the rest of the query string."""
    older = "&".join(each for each in (chosen, f"fore={found.before}") if each)
    return {
        "entries": found.entries,
        "next_url": f"{request.path}?{older}" if found.before else "",
        "first_url": f"{request.path}{f'?{chosen}' if chosen else ''}" if "fore" in request.GET else "",
    }
