"""What the operators' pages share: who may open them, the room's own menu, and how values become rows."""

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import wraps
from typing import Any, cast
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import formats
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from issuance.authz import Action, Actor, policy
from issuance.people.queries import officers
from pki import service as pki
from siths_portal.lib.errors import Conflict, Forbidden, Invalid, TooManyRequests
from siths_portal.lib.forms import Form

TAB = "pki_authorities"
AT_ONCE = dt.timedelta(0)
"""Acts on the PKI follow a log-in that was made for them (ADR 0072)."""

SECTIONS = (
    ("authorities", "pki_authorities", gettext_lazy("Utfärdare")),
    ("keys", "pki_keys", gettext_lazy("Nycklar")),
    ("certificates", "pki_certificates", gettext_lazy("Certifikat")),
    ("mass", "pki_mass_revocations", gettext_lazy("Masspärr")),
    ("approvals", "pki_approvals", gettext_lazy("Ärenden")),
    ("ceremonies", "pki_ceremonies", gettext_lazy("Ceremonier")),
    ("imports", "pki_imports", gettext_lazy("Importer")),
    ("status", "pki_status", gettext_lazy("Status")),
    ("health", "pki_health", gettext_lazy("Driftläge")),
)

View = Callable[..., HttpResponse]


@dataclass(frozen=True)
class Link:
    """An entry of the function column."""

    name: str
    url: str
    allowed: bool = True
    reason: str = ""
    post: bool = False


def names_of(request: HttpRequest, refs: Iterable[str]) -> Mapping[str, str]:
    """The names of the people behind these references, as the actor may read them, and of every CA by `<slug>:<generation>`."""
    return officers.names(actor_of(request), refs) | pki.authority_names()


def operators(action: Action) -> Callable[[View], View]:
    """Opens a view to those whose role has `action` over everything. The CAs hang on no organisation, so there is no scope."""

    def guarded_by(view: View) -> View:
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            policy.require_global(actor_of(request), action)
            return view(request, *args, **kwargs)

        return guarded

    return guarded_by


def actor_of(request: HttpRequest) -> Actor:
    """Who asks."""
    return cast(Actor, cast(Any, request).actor)


def session_id_of(request: HttpRequest) -> UUID:
    """The session in which it is asked."""
    return cast(UUID, cast(Any, request).user.session_id)


def page(
    request: HttpRequest, template: str, section: str, context: dict[str, Any] | None = None, *, status: int = 200
) -> HttpResponse:
    """A page of the room, with its own menu."""
    menu = [{"text": str(text), "url": reverse(name), "here": key == section} for key, name, text in SECTIONS]
    return render(request, template, {"tab": TAB, "menu": menu, **(context or {})}, status=status)


DONE = 200
"""The status of `tried` when the act was done."""


def tried[Made](form: Form, act: Callable[[], Made]) -> tuple[Made | None, int]:
    """What the act gave, and DONE, if the form is right and the act is not refused. Else None and the status to answer with; the
    refusal is on the form, with what was typed still in it.
    """
    if not form.is_valid():
        return None, Invalid.http_status
    try:
        return act(), DONE
    except (Conflict, Forbidden, Invalid, TooManyRequests) as error:
        form.take(error)
        return None, error.http_status


def row(label: str, value: object, **more: Any) -> dict[str, Any]:
    """A line of `components/summary_list.html`, which takes an empty value for none; zero is a value."""
    return {"label": label, "value": str(value) if isinstance(value, int) else value, **more}


def next_url(request: HttpRequest, after: object) -> str:
    """This page's address with where the next page goes on; empty on the last."""
    return f"{request.path}?efter={after}" if after else ""


def first_url(request: HttpRequest) -> str:
    """This page's address, on every other page than the first."""
    return request.path if "efter" in request.GET else ""


def cursor(request: HttpRequest) -> UUID | None:
    """Where the page goes on from; the first page for what is no cursor."""
    try:
        return UUID(request.GET.get("efter", ""))
    except ValueError:
        return None


def bytes_of(size: int) -> str:
    """A size in words."""
    return _("{size} byte").format(size=number(size))


def number(value: int) -> str:
    """A number in groups of three."""
    return str(formats.number_format(value, force_grouping=True))
