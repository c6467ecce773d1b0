"""The frame of the portal's pages (user, tabs, search), and the pages that need no service."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from authn.web import with_login_form
from issuance.authz import Action, Actor, Role, policy
from issuance.authz.roles import ADMINISTRATION
from issuance.roles.queries import role_words
from issuance.roles.queries.role_holders import RoleSummary, role_summaries
from pki import approvals
from pki.approvals import ApprovalAction
from siths_portal.lib.pages import day, fixed_addresses

_TABS: tuple[tuple[str, Any, str, Action | None], ...] = (
    ("day", _("Dagen"), "day", None),
    ("search", _("Sök"), "search", Action.VIEW),
    ("stock", _("Reservkort"), "cards", Action.KEEP_STOCK),
    ("register_care", _("Registervård"), "list", Action.KEEP_REGISTER),
    ("administration", _("Administrera"), "gear", Action.VIEW_CONFIGURATION),
    ("invoices", _("Fakturor"), "invoice", Action.VIEW_INVOICE),
    ("pki_authorities", _("PKI"), "key", Action.VIEW_PKI),
)


@dataclass(frozen=True)
class Tab:
    """An entry of the main menu. `name` is its URL name, `icon` a symbol of static/img/icons.svg, `waiting` what waits there."""

    name: str
    text: str
    icon: str
    url: str
    waiting: day.Waiting | None = None


class Frame:
    """The frame's data. The session and the database are read only when a template uses a property."""

    def __init__(self, request: HttpRequest) -> None:
        self._request = request

    @cached_property
    def user(self) -> Any:
        """The Principal of the log-in, or None."""
        user = getattr(self._request, "user", None)
        return user if user is not None and user.is_authenticated else None

    @property
    def _actor(self) -> Actor | None:
        """The user as an actor, or None for a visitor and for a user without a role."""
        actor = getattr(self._request, "actor", None) if self.user else None
        return actor if actor is not None and actor.grants else None

    @cached_property
    def role(self) -> str:
        """The user's widest role with its organisation or area, or "" without a role. The actor has both, so no query runs."""
        return _role(self._actor) if self._actor else ""

    @cached_property
    def tabs(self) -> list[Tab]:
        """The tabs that the actor's roles allow. Everybody with a role has Dagen."""
        actor = self._actor
        if actor is None:
            return []
        waiting = day.remembered(self._request)
        return [
            Tab(name, str(text), icon, fixed_addresses.address(name), waiting.get(name))
            for name, text, icon, action in _TABS
            if action is None or policy.holds(actor, action)
        ]

    @cached_property
    def own_roles(self) -> list[RoleSummary]:
        """The user's present and future roles, with organisation or area. One query."""
        person_id = self._request.actor.person_id  # type: ignore[attr-defined]
        return role_summaries(Q(), [person_id]).get(person_id, [])

    @property
    def may_search(self) -> bool:
        """Whether the page can search for a person: the field of the top bar, and the form for a scanned number."""
        return any(tab.name == "search" for tab in self.tabs)


def _role(actor: Actor) -> str:
    """Returns the actor's widest role, with the first of its places by name and the number of others."""
    roles = {grant.role for grant in actor.grants}
    if roles.issuperset(ADMINISTRATION):
        return role_words.administration()
    widest = min(roles, key=list(Role).index)
    name = role_words.name(widest)
    places = sorted({grant.place for grant in actor.grants if grant.role is widest and grant.place})
    if not places:
        return name
    if others := len(places) - 1:
        return gettext("{role}, {place} och {n} till").format(role=name, place=places[0], n=others)
    return gettext("{role}, {place}").format(role=name, place=places[0])


def frame(request: HttpRequest) -> dict[str, object]:
    """Context processor of `templates/portal/page.html`."""
    return {"frame": Frame(request)}


@login_not_required
@require_safe
@with_login_form
def start(request: HttpRequest) -> HttpResponse:
    """The start page: redirects a logged-in user to Dagen, and shows others the log-in."""
    if Frame(request).user:
        return redirect("day")
    return render(request, "portal/start.html", {"tab": ""})


@login_not_required
@require_safe
def about(request: HttpRequest) -> HttpResponse:
    """Om verktyget: what the tool is, its version and environment, who runs it, contacts, what is logged, and licences."""
    version = f"{settings.PROGRAM_VERSION} ({settings.PROGRAM_BUILD})" if settings.PROGRAM_BUILD else settings.PROGRAM_VERSION
    facts = (
        (_("Ansvarig"), settings.OPERATOR_NAME),
        (_("Version"), version),
        (_("Miljö"), settings.ENVIRONMENT_NAME),
        (_("Adress"), settings.PORTAL_BASE_URL),
    )
    context = {
        "tab": "",
        "facts": [{"label": label, "value": value} for label, value in facts],
        "operator": settings.OPERATOR_NAME,
        "support": settings.SUPPORT_CONTACT,
        "accessibility": settings.ACCESSIBILITY_CONTACT,
        "licences": _LICENCES,
    }
    return render(request, "portal/about.html", context)


_LICENCES = (
    ("Designsystemet", "MIT"),
    ("Atkinson Hyperlegible Next", "SIL Open Font License"),
    ("htmx", "0BSD"),
    ("Django, Django REST framework", "BSD"),
    ("cryptography", "Apache 2.0, BSD"),
    ("pyHanko", "MIT"),
    ("WeasyPrint", "BSD"),
    ("Celery, Granian", "BSD"),
)
"""The open source that the pages and documents are made with, and its licences."""


@login_not_required
@require_safe
def help_page(request: HttpRequest) -> HttpResponse:
    """The help page: functions, keyboard shortcuts and contacts. Also for people who cannot log in."""
    context = {
        "tab": "",
        "idle_minutes": settings.SESSION_IDLE_SECONDS // 60,
        "reach_minutes": settings.EXTENDED_REACH_MINUTES,
        "not_activated_days": settings.NOT_ACTIVATED_DAYS,
        "test_cards": bool(settings.TEST_PERSONS_FILE),
        "not_signed_days": settings.NOT_SIGNED_DAYS,
        "mass_approvers": approvals.REQUIRED[ApprovalAction.MASS_REVOCATION],
        "contact": settings.ACCESSIBILITY_CONTACT,
    }
    return render(request, "portal/help.html", context)
