"""Authentication of the eID app by its handle or step token: a bearer token (RFC 6750 section 2.1),
never in a URL or a cookie.
"""

import re
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request
from rest_framework.throttling import SimpleRateThrottle

_HEADER = re.compile(r"[Bb][Ee][Aa][Rr][Ee][Rr] ([A-Za-z0-9._~+/=-]{1,100})")


def token_of(request: HttpRequest | Request) -> str:
    """Returns the bearer token of a call, empty if there is none."""
    found = _HEADER.fullmatch(request.headers.get("Authorization", ""))
    return found[1] if found else ""


class BearerAuthentication(BaseAuthentication):
    """Sets the bearer token as `request.auth`, empty if there is none. There is no user; the service knows what a token opens."""

    def authenticate(self, request: Request) -> tuple[None, str]:
        """Returns no user, and the token."""
        return None, token_of(request)

    def authenticate_header(self, request: Request) -> str:
        """Returns the challenge of each 401 (RFC 9110 section 11.6.1)."""
        return 'Bearer realm="eidapp"'


class BearerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """The OpenAPI description of the bearer token."""

    target_class = BearerAuthentication
    name = "bearer"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        """Returns the security scheme."""
        return {
            "type": "http",
            "scheme": "bearer",
            "description": "The handle for transaction/start, then the step token that came encrypted with its answer.",
        }


class AddressThrottle(SimpleRateThrottle):
    """Limits calls to EID_APP_CALLS_PER_MINUTE for each caller's address, in each process (S47). Wrong proofs are limited per
    transaction. The address is the connection's, or the one reported by the first of TRUSTED_PROXIES reverse proxies.
    """

    scope = "eidapp"

    def get_rate(self) -> str:
        """Returns the rate in the form of Django REST framework."""
        return f"{settings.EID_APP_CALLS_PER_MINUTE}/min"

    def get_cache_key(self, request: Request, view: Any) -> str:
        """Returns the key of the counter: the caller's address."""
        return f"throttle-eidapp-{self.get_ident(request)}"
