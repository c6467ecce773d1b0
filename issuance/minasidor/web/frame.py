"""The frame of Mina sidor's pages: what the log-in may do, and the check that a view makes of it."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, wraps
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from issuance.minasidor.domain import MyFunction, offers
from issuance.minasidor.web import refusals
from siths_portal.lib.errors import DomainError, Forbidden

View = Callable[..., HttpResponse]


@dataclass(frozen=True)
class Tab:
    """An entry of the main menu. `icon` is a symbol of static/img/icons.svg, `name` the URL name that marks the present page."""

    name: str
    text: str
    icon: str
    url: str


_TABS: tuple[tuple[str, Any, str, MyFunction | None], ...] = (
    ("start", gettext_lazy("Start"), "home", None),
    ("my_revocations", gettext_lazy("Spärra"), "ban", MyFunction.REVOKE),
    ("my_access_log", gettext_lazy("Vem har tittat?"), "people", MyFunction.ACCESS_LOG),
    ("settings", gettext_lazy("Inställningar"), "gear", None),
)


class Frame:
    """The data of the frame, read only when a template uses a property."""

    def __init__(self, request: HttpRequest) -> None:
        self._request = request

    @cached_property
    def user(self) -> Any:
        """The Principal of the log-in, or None."""
        user = getattr(self._request, "user", None)
        return user if user is not None and user.is_authenticated else None

    @property
    def tabs(self) -> list[Tab]:
        """The entries of the main menu that this log-in is offered."""
        if self.user is None:
            return []
        means = self.user.means
        return [
            Tab(name, str(text), icon, reverse(name))
            for name, text, icon, function in _TABS
            if function is None or offers(means, function)
        ]

    @property
    def other_language(self) -> dict[str, str]:
        """The language to change to, with its code and its own name."""
        code = "sv" if translation.get_language() == "en" else "en"
        return {"code": code, "name": {"sv": "På svenska", "en": "In English"}[code]}


def frame(request: HttpRequest) -> dict[str, object]:
    """Context processor of `templates/minasidor/page.html`."""
    return {"frame": Frame(request)}


def offered(*functions: MyFunction) -> Callable[[View], View]:
    """Returns a decorator that opens a view only to log-ins that `domain.OFFERED` lists for one of the functions.

    The view raises Forbidden for others. What it reads is limited to the actor besides, and what services refuse is told in words
    for holders.
    """

    def decorate(view: View) -> View:
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            require_offered(request, *functions)
            try:
                return view(request, *args, **kwargs)
            except DomainError as error:
                error.message = refusals.text_of(error)
                raise

        return guarded

    return decorate


def require_offered(request: HttpRequest, *functions: MyFunction) -> None:
    """Raises Forbidden unless `domain.OFFERED` lists the log-in for one of the functions."""
    if not any(offers(means_of(request), function) for function in functions):
        raise Forbidden(
            "not-with-this-log-in", _("Det går inte med det som du är inloggad med. Logga in med ett kort som är aktiverat.")
        )


def means_of(request: HttpRequest) -> str:
    """Returns what the session began with, one of `domain.Means`; empty for a visitor."""
    user: Any = request.user
    return str(user.means)


def pdf(content: bytes, name: str) -> HttpResponse:
    """Returns a PDF that the browser shows and stores nowhere."""
    return HttpResponse(
        content,
        content_type="application/pdf",
        headers={
            "Content-Disposition": f'inline; filename="{name}.pdf"',
            "X-Content-Type-Options": "nosniff",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Cache-Control": "no-store",
        },
    )
