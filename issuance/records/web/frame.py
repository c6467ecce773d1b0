"""The frame of every page: the access check and the layout. Sections of the portal are declared as data."""

import datetime as dt
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import Any, cast
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from authn.web import require_recent_login
from issuance.authz import Action, Actor, policy
from siths_portal.lib.errors import Forbidden

View = Callable[..., HttpResponseBase]


@dataclass(frozen=True)
class Link:
    """An entry in the function column; `reason` says why it is disabled."""

    name: str
    url: str
    allowed: bool = True
    reason: str = ""
    post: bool = False


@dataclass(frozen=True)
class Crumb:
    """A step of the breadcrumbs; without `url` it is text only."""

    text: str
    url: str = ""


@dataclass(frozen=True)
class Tab:
    """One of an object's pages."""

    text: str
    url: str
    here: bool = False


@dataclass(frozen=True)
class MenuEntry:
    """An entry of a section's own menu. `key` is how pages mark it as current, `url_name` the URL name."""

    key: str
    url_name: str
    text: Promise


@dataclass(frozen=True)
class Section:
    """A part of the portal with a tab in the main menu.

    `tab` is the URL name of that tab. An actor needs `right` to open the section's pages, somewhere or `everywhere`.
    `first_crumb` begins the breadcrumbs where the frame renders them. `menu` is the section's own menu below the tabs.
    """

    tab: str
    right: Action
    everywhere: bool = False
    first_crumb: Promise | None = None
    menu: tuple[MenuEntry, ...] = ()

    def requires(self, right: Action | None = None) -> Callable[[View], View]:
        """Returns a decorator that opens a view only to actors with `right`, by default the section's own right.

        The view raises Forbidden for other actors. Views of one object do not need the decorator: they read the object with the
        right that they need.
        """
        needed = right or self.right

        def decorate(view: View) -> View:
            @wraps(view)
            def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
                if self.everywhere:
                    policy.require_global(actor_of(request), needed)
                else:
                    policy.reach(actor_of(request), needed)
                return view(request, *args, **kwargs)

            return guarded

        return decorate


SEARCH = Section("search", Action.VIEW)
"""Sök: search, and the pages about one person. Its pages write their own breadcrumbs."""

ADMINISTRATION = Section("administration", Action.VIEW_CONFIGURATION, first_crumb=gettext_lazy("Administrera"))
"""Administrera: areas, organisations and their configuration."""

STOCK = Section("stock", Action.KEEP_STOCK, first_crumb=gettext_lazy("Reservkort"))
"""Reservkort: the stock of reserve cards at offices."""

REGISTER_CARE = Section("register_care", Action.KEEP_REGISTER, first_crumb=gettext_lazy("Registervård"))
"""Registervård: work lists of what catalogue, register and time have made wrong."""

PKI = Section(
    "pki_authorities",
    Action.VIEW_PKI,
    everywhere=True,  # CAs and suppliers belong to no organisation
    menu=(
        MenuEntry("authorities", "pki_authorities", gettext_lazy("Utfärdare")),
        MenuEntry("keys", "pki_keys", gettext_lazy("Nycklar")),
        MenuEntry("certificates", "pki_certificates", gettext_lazy("Certifikat")),
        MenuEntry("mass", "pki_mass_revocations", gettext_lazy("Masspärr")),
        MenuEntry("approvals", "pki_approvals", gettext_lazy("Ärenden")),
        MenuEntry("ceremonies", "pki_ceremonies", gettext_lazy("Ceremonier")),
        MenuEntry("imports", "pki_imports", gettext_lazy("Importer")),
        MenuEntry("suppliers", "suppliers", gettext_lazy("Kortleverantörer")),
        MenuEntry("status", "pki_status", gettext_lazy("Status")),
        MenuEntry("health", "pki_health", gettext_lazy("Driftläge")),
    ),
)
"""PKI: the operators' pages, of CAs and of card suppliers."""


def actor_of(request: HttpRequest) -> Actor:
    """Returns the actor of the request."""
    return cast(Actor, cast(Any, request).actor)


def session_id_of(request: HttpRequest) -> UUID:
    """Returns the id of the session that sent the request."""
    return cast(UUID, cast(Any, request).user.session_id)


def render_page(
    request: HttpRequest,
    section: Section,
    template: str,
    context: Mapping[str, Any] | None = None,
    *,
    here: str = "",
    heading: str = "",
    kind: str = "",
    crumbs: Sequence[Crumb] = (),
    tabs: Sequence[Tab] = (),
    functions: Iterable[Link] = (),
    configuration: Iterable[Link] = (),
    status: int = 200,
) -> HttpResponse:
    """Renders a page of `section`. Keys in `context` override those of the frame.

    `here` is the key of the menu entry to mark as current. `heading` names the object or the step, `kind` the type of that
    object. `crumbs` are the breadcrumbs after the section's first.
    """
    first = [Crumb(str(section.first_crumb), reverse(section.tab))] if section.first_crumb else []
    frame = {
        "tab": section.tab,
        "menu": [{"text": str(entry.text), "url": reverse(entry.url_name), "here": entry.key == here} for entry in section.menu],
        "page_heading": heading,
        "kind": kind,
        "crumbs": [*first, *crumbs],
        "object_tabs": tabs,
        "functions": list(functions),
        "configuration": list(configuration),
    }
    return render(request, template, {**frame, **(context or {})}, status=status)


def object_page(
    request: HttpRequest,
    section: Section,
    template: str,
    context: Mapping[str, Any] | None,
    *,
    name: str,
    kind: str,
    way: Iterable[Crumb],
    step: str,
    tabs: Iterable[Tab],
    step_kind: str = "",
    functions: Iterable[Link] = (),
    configuration: Iterable[Link] = (),
    status: int,
) -> HttpResponse:
    """Renders a page about the object `name`. The breadcrumbs `way` lead to it.

    A page for a `step` below the object has no tabs and no functions. Its heading has the object's kind and name, because objects
    of different kinds may have the same name, or `step_kind` if the name says enough.
    """
    return render_page(
        request,
        section,
        template,
        context,
        heading=step or name,
        kind=step_kind or f"{kind} {name}" if step else kind,
        crumbs=[*way, Crumb(step)] if step else [*way],
        tabs=() if step else [*tabs],
        functions=() if step else functions,
        configuration=() if step else configuration,
        status=status,
    )


def object_tabs(names: Iterable[tuple[str, str | Promise]], id_: object, here: str) -> list[Tab]:
    """Returns the tabs of an object with this id, from URL names and texts. `here` is the URL name of the current tab."""
    return [Tab(str(text), reverse(name, args=[id_]), name == here) for name, text in names]


def demand(allowed: bool) -> None:
    """Raises Forbidden, like the policy, unless `allowed`."""
    if not allowed:
        raise Forbidden("forbidden", _("Din behörighetsroll tillåter inte åtgärden."))


def recent_login(request: HttpRequest) -> HttpResponse | None:
    """Returns the redirect to a new login if the last one is too old for changing roles or importing cards (rules/authn 2.2),
    else None.
    """
    return require_recent_login(request, dt.timedelta(seconds=settings.ROLES_LOGIN_MAX_AGE))
