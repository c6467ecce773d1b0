"""How the eID app shows its handle or step token: a bearer token (RFC 6750 section 2.1), never in an address or a cookie."""

import re
from typing import Any

from django.conf import settings
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request
from rest_framework.throttling import SimpleRateThrottle

_HEADER = re.compile(r"[Bb][Ee][Aa][Rr][Ee][Rr] ([A-Za-z0-9._~+/=-]{1,100})")


class BearerAuthentication(BaseAuthentication):
    """Takes the bearer token as `request.auth`, empty for none. Nobody is a user here: the service knows what a token opens."""

    def authenticate(self, request: Request) -> tuple[None, str]:
        """No user, and the token."""
        found = _HEADER.fullmatch(request.headers.get("Authorization", ""))
        return None, found[1] if found else ""

    def authenticate_header(self, request: Request) -> str:
        """The challenge that goes with each 401 (RFC 9110 section 11.6.1)."""
        return 'Bearer realm="eidapp"'


class BearerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """How the OpenAPI description names it."""

    target_class = BearerAuthentication
    name = "bearer"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        """The scheme."""
        return {
            "type": "http",
            "scheme": "bearer",
            "description": "The handle for transaction/start, then the step token that came encrypted with its answer.",
        }


class AddressThrottle(SimpleRateThrottle):
    """EID_APP_CALLS_PER_MINUTE by the caller's address, counted in each process (S47). Guessing is stopped per transaction.

    The address is the connection's; behind TRUSTED_PROXIES fronts the one that the first of them told.
    """

    scope = "eidapp"

    def get_rate(self) -> str:
        """The rate in REST framework's form."""
        return f"{settings.EID_APP_CALLS_PER_MINUTE}/min"

    def get_cache_key(self, request: Request, view: Any) -> str:
        """What is counted together."""
        return f"throttle-eidapp-{self.get_ident(request)}"
