"""The identity providers of this site, from the settings: OIDC_ISSUER is the first, OIDC_PROVIDERS has the others."""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings

from siths_portal.lib.assurance import FRAMEWORKS, Claims


@dataclass(frozen=True)
class IdentityProvider:
    """An identity provider and this site's registration at it.

    `issuer` is byte for byte as in its tokens. The site authenticates with the secret of `secret_file` (client_secret_post) if it
    is set, else with the key of `key_file` (private_key_jwt). `acr_values` are the levels that are requested and accepted.
    """

    issuer: str
    client_id: str
    name: str
    acr_values: tuple[str, ...]
    scope: str = "openid"
    framework: str = "inera"
    key_file: str = ""
    secret_file: str = ""

    @property
    def claims(self) -> Claims:
        """The names of the claims of the provider's framework."""
        return FRAMEWORKS[self.framework]

    @property
    def authentication_method(self) -> str:
        """How the site authenticates at the token endpoint (OpenID Connect Core 1.0 section 9)."""
        return "client_secret_post" if self.secret_file else "private_key_jwt"

    @property
    def origin(self) -> str:
        """The provider's origin, for the CSP of pages whose form leads there."""
        parts = urlsplit(self.issuer)
        return f"{parts.scheme}://{parts.netloc}"


def all_providers() -> tuple[IdentityProvider, ...]:
    """Returns the site's providers, the first one first."""
    first = IdentityProvider(
        settings.OIDC_ISSUER,
        settings.OIDC_CLIENT_ID,
        settings.OIDC_NAME,
        tuple(settings.OIDC_ACR_VALUES),
        settings.OIDC_SCOPE,
        settings.OIDC_FRAMEWORK,
        settings.OIDC_CLIENT_KEY_FILE,
        settings.OIDC_CLIENT_SECRET_FILE,
    )
    return (first, *(_of(entry) for entry in settings.OIDC_PROVIDERS))


def _of(entry: Mapping[str, Any]) -> IdentityProvider:
    return IdentityProvider(
        entry["issuer"],
        entry["client_id"],
        entry["name"],
        tuple(entry.get("acr_values", settings.OIDC_ACR_VALUES)),
        entry.get("scope", "openid"),
        entry.get("framework", "inera"),
        entry.get("client_key_file", ""),
        entry.get("client_secret_file", ""),
    )


def find(issuer: str) -> IdentityProvider | None:
    """Returns the provider with this issuer identifier, or None if the site has none (any more)."""
    return next((provider for provider in all_providers() if provider.issuer == issuer), None)


def of_token(id_token: str) -> IdentityProvider | None:
    """Returns the provider that issued an ID token which was validated when it came, or None.

    Reads the issuer without checking the signature again: the token is our own copy, and names only where to log out.
    """
    try:
        payload = id_token.split(".")[1]
        issuer = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))).get("iss", "")
    except (IndexError, ValueError, AttributeError):
        return None
    return find(str(issuer))
