"""The frame of the pages of billing: the actor of a request, and the menu that the packages register."""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, cast

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse

from issuance.authz import Action, Actor, policy

TAB = "invoices"
AT_ONCE = dt.timedelta(0)
"""The age of a log-in that is recent enough for step-up in billing."""


@dataclass(frozen=True)
class MenuEntry:
    """An entry of the menu: its place, the name of its URL, its text, and the right that it needs beyond seeing invoices."""

    rank: int
    url_name: str
    text: Any
    action: Action | None = None


_MENU: dict[str, MenuEntry] = {}


def register_menu(entry: MenuEntry) -> None:
    """Adds an entry to the menu of all pages of billing."""
    _MENU[entry.url_name] = entry


def actor_of(request: HttpRequest) -> Actor:
    """Returns the actor of the request."""
    return cast(Actor, cast(Any, request).actor)


def page(request: HttpRequest, template: str, context: dict[str, Any], *, here: str = "", status: int = 200) -> HttpResponse:
    """Renders a page of billing. `here` is the URL name of the menu's entry to mark."""
    return render(request, template, {"tab": TAB, "menu": list(_menu(request, here)), **context}, status=status)


def _menu(request: HttpRequest, here: str) -> Iterable[dict[str, Any]]:
    actor = actor_of(request)
    shown = [entry for entry in _MENU.values() if entry.action is None or policy.holds(actor, entry.action)]
    return (
        {"text": entry.text, "url": reverse(entry.url_name), "here": entry.url_name == here}
        for entry in sorted(shown, key=lambda entry: entry.rank)
    )
