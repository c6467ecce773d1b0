"""The actor of a request: the logged-in person with the grants that are valid now (S06)."""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.functional import SimpleLazyObject

from authn import service as authn
from authn.web import no_access_page
from issuance.authz import Actor
from issuance.roles.services import no_access
from issuance.roles.services.subjects import actor_of_subject, person_of

NOBODY = Actor("", "user")


class ActorMiddleware:
    """Sets `request.actor`, which is built on first use. The actor of an anonymous request sees nothing.

    A protected portal page returns 403 to a person without any role, and ends the sessions. Mina sidor needs no role.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Handles the request."""
        request.actor = SimpleLazyObject(lambda: _actor(request))  # type: ignore[attr-defined]
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> HttpResponse | None:
        """Returns 403 instead of a protected view if the person has lost the last role during the session."""
        actor: Actor = request.actor  # type: ignore[attr-defined]
        if not getattr(view, "login_required", True) or actor.grants or actor.kind in ("holder", "card"):
            return None
        authn.end_sessions(request.user.subject_ref, reason=authn.ROLE_ENDED)  # type: ignore[union-attr]
        return no_access_page(request, no_access.advice(person_of(request.user.subject_ref)))  # type: ignore[union-attr]


def _actor(request: HttpRequest) -> Actor:
    user: Any = request.user
    return actor_of_subject(user.subject_ref, hsa_id=user.hsa_id) if user.is_authenticated else NOBODY
