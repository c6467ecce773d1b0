"""The relying party's client of an identity provider: metadata, keys, authorization URL and token exchange."""

import json
import re
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import structlog
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
from authlib.oauth2.rfc7523 import private_key_jwt_sign
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from django.conf import settings
from django.utils import translation
from joserfc.jwk import ECKey, RSAKey

from authn.domain.id_token import ALGORITHMS
from authn.services import sites
from siths_portal.lib import clock
from siths_portal.lib.assurance import CARD_SERIAL
from siths_portal.lib.errors import NotFound, Refused, Unavailable
from siths_portal.lib.http.client import Client
from siths_portal.lib.identity_providers import IdentityProvider

log = structlog.get_logger(__name__)

_FRESH_SECONDS = 600  # how long metadata and keys are cached
_REFRESH_SECONDS = 20  # the shortest time between two reads for unknown keys, so that tokens cannot cause endless requests
_ASSERTION_SECONDS = 60
_ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"  # RFC 7523 section 2.2
_OPAQUE = re.compile(r"[\x20-\x7e]{1,4096}")


def unavailable() -> Unavailable:
    """Returns the error to raise when the provider does not respond as it should."""
    return Unavailable(
        "idp-unavailable",
        "Inloggningstjänsten svarar inte just nu. Vänta en stund och logga in igen. Kontakta supporten om det inte hjälper.",
    )


@dataclass(frozen=True)
class Tokens:
    """The response of the token endpoint."""

    id_token: str
    access_token: str


@dataclass
class _Cache:
    """The cached metadata and keys of an issuer, with the times when they were read (monotonic seconds)."""

    metadata: dict[str, Any] = field(default_factory=dict)
    metadata_at: float = -1e9
    keys: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    keys_at: float = -1e9


_caches: dict[str, _Cache] = {}
_lock = threading.Lock()


def redirect_uri() -> str:
    """Returns the URL to which the provider sends the browser back, exactly as registered there."""
    return f"{sites.here().base_url}/logga-in/svar/"


def logged_out_uri() -> str:
    """Returns the URL to which the provider sends the browser after a log-out (OpenID Connect RP-Initiated Logout 1.0)."""
    return f"{sites.here().base_url}/logga-ut/"


def authorization_url(provider: IdentityProvider, *, state: str, nonce: str, verifier: str, step_up: bool) -> str:
    """Returns the URL of the provider's log-in, without personal data. Raises Unavailable.

    Token validation checks the authentication time and the `acr` again. Of the requested claims only the HSA-id is essential
    (rules/authn 1.2), and it is not asked for where a log-in chooses no assignment. A step-up sends `max_age=0`.
    """
    names, voluntary = provider.claims, [*provider.claims.person_id, *provider.claims.names]
    if sites.here().by_hsa_id:
        claims: dict[str, Any] = {names.hsa_id: {"essential": True}} | dict.fromkeys(
            filter(None, (names.all_hsa_ids, *voluntary))
        )
    else:
        claims = dict.fromkeys((*voluntary, CARD_SERIAL))
    url: str = prepare_grant_uri(
        _endpoint(provider, "authorization_endpoint"),
        client_id=provider.client_id,
        response_type="code",
        redirect_uri=redirect_uri(),
        scope=provider.scope,
        state=state,
        nonce=nonce,
        code_challenge=create_s256_code_challenge(verifier),
        code_challenge_method="S256",
        acr_values=" ".join(provider.acr_values),
        prompt="login",
        max_age=0 if step_up else settings.OIDC_MAX_AGE_SECONDS,
        ui_locales=translation.get_language() or "sv",
        claims=json.dumps({"id_token": claims}, separators=(",", ":")),
    )
    return url


def exchange(provider: IdentityProvider, code: str, verifier: str) -> Tokens:
    """Exchanges a code for tokens, with the client authentication that is agreed with the provider.

    Raises Refused if the provider refuses or its tokens are unusable, Unavailable if it does not respond.
    """
    endpoint = _endpoint(provider, "token_endpoint")
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": redirect_uri(),
        "client_id": provider.client_id,
        "code_verifier": verifier,
        **_credentials(provider, endpoint),
    }
    try:
        reply = _client(endpoint).post(
            urlsplit(endpoint).path or "/",
            content=urlencode(form).encode(),
            headers={"Content-Type": "application/x-www-form-urlencoded"},
        )
        body = reply.json()
    except (Unavailable, NotFound):
        raise unavailable() from None
    if not isinstance(body, dict):
        raise unavailable()
    id_token, access_token = body.get("id_token"), body.get("access_token")
    if not isinstance(id_token, str) or not isinstance(access_token, str) or not _OPAQUE.fullmatch(access_token):
        raise Refused("token-reply", "Inloggningstjänstens svar går inte att använda.", status=200)
    if str(body.get("token_type", "")).lower() != "bearer":
        raise Refused("token-type", "Inloggningstjänstens svar går inte att använda.", status=200)
    return Tokens(id_token, access_token)


def key(provider: IdentityProvider, kid: str) -> Mapping[str, Any] | None:
    """Returns the provider's published key with this `kid`, or None. Reads the keys again if the `kid` is not cached.

    Raises Unavailable.
    """
    cache = _cache(provider)
    age = time.monotonic() - cache.keys_at
    if age > _FRESH_SECONDS or (kid not in cache.keys and age > _REFRESH_SECONDS):
        keys = _read(provider, _endpoint(provider, "jwks_uri")).get("keys")
        if not isinstance(keys, list):
            raise unavailable()
        # If two keys have the same `kid`, it is ambiguous which one signed, so neither is accepted.
        names = [entry.get("kid") for entry in keys if isinstance(entry, dict)]
        cache.keys = {entry["kid"]: entry for entry in keys if isinstance(entry, dict) and names.count(entry.get("kid")) == 1}
        cache.keys_at = time.monotonic()
    return cache.keys.get(kid)


def says_who_answers(provider: IdentityProvider) -> bool:
    """Returns whether the provider puts its issuer identifier into each answer to the browser (RFC 9207). Raises Unavailable."""
    return _metadata(provider).get("authorization_response_iss_parameter_supported") is True


def end_session_endpoint(provider: IdentityProvider) -> str:
    """Returns the provider's log-out URL, or "" if it has none or does not respond: our own session has ended already."""
    try:
        return _endpoint(provider, "end_session_endpoint")
    except Unavailable:
        return ""


def forget() -> None:
    """Clears this process's cached metadata and keys."""
    with _lock:
        _caches.clear()


def _cache(provider: IdentityProvider) -> _Cache:
    with _lock:
        return _caches.setdefault(provider.issuer, _Cache())


def _metadata(provider: IdentityProvider) -> Mapping[str, Any]:
    """Returns the provider's metadata (OpenID Connect Discovery 1.0 section 4). Raises Unavailable."""
    cache = _cache(provider)
    if time.monotonic() - cache.metadata_at > _FRESH_SECONDS:
        metadata = _read(provider, f"{provider.issuer.rstrip('/')}/.well-known/openid-configuration")
        _check_metadata(provider, metadata)
        cache.metadata, cache.metadata_at = metadata, time.monotonic()
    return cache.metadata


def _endpoint(provider: IdentityProvider, name: str) -> str:
    """Returns a URL from the provider's metadata. Raises Unavailable."""
    address = _metadata(provider).get(name)
    if not isinstance(address, str) or not _is_safe(provider, address):
        log.error("authn.provider_metadata", fault=name)
        raise unavailable()
    return address


def _check_metadata(provider: IdentityProvider, metadata: Mapping[str, Any]) -> None:
    """Raises Unavailable unless the metadata is the issuer's own and offers what we use, against mix-up and downgrade attacks."""
    needed = (
        ("response_types_supported", "code"),
        ("code_challenge_methods_supported", "S256"),
        ("token_endpoint_auth_methods_supported", provider.authentication_method),
    )
    fault = "" if metadata.get("issuer") == provider.issuer else "issuer"
    for name, value in needed:
        offered = metadata.get(name)
        if not isinstance(offered, list) or value not in offered:
            fault = fault or name
    algorithms = metadata.get("id_token_signing_alg_values_supported")
    if not isinstance(algorithms, list) or not set(ALGORITHMS) & set(map(str, algorithms)):
        fault = fault or "id_token_signing_alg_values_supported"
    if fault:
        log.error("authn.provider_metadata", fault=fault)
        raise unavailable()


def _is_safe(provider: IdentityProvider, address: str) -> bool:
    """Returns whether the URL uses TLS, or the scheme of the issuer. System checks allow http in development only."""
    parts = urlsplit(address)
    return parts.scheme in ("https", urlsplit(provider.issuer).scheme) and bool(parts.hostname) and not parts.fragment


def _read(provider: IdentityProvider, address: str) -> dict[str, Any]:
    if not _is_safe(provider, address):
        raise unavailable()
    try:
        body = _client(address).get(urlsplit(address).path or "/", retries=1).json()
    except (Unavailable, NotFound, Refused):
        raise unavailable() from None
    if not isinstance(body, dict):
        raise unavailable()
    return body


@lru_cache(maxsize=16)
def _client_of(origin: str) -> Client:
    return Client(origin, max_bytes=256 * 1024)


def _client(address: str) -> Client:
    parts = urlsplit(address)
    return _client_of(f"{parts.scheme}://{parts.netloc}")


@lru_cache(maxsize=4)
def _signing_key(path: str) -> tuple[ECKey | RSAKey, str]:
    """Returns our client key and its algorithm: ES256 for P-256, PS256 for RSA."""
    pem = Path(path).read_bytes()
    try:
        return ECKey.import_key(pem), "ES256"
    except ValueError:
        return RSAKey.import_key(pem), "PS256"


@lru_cache(maxsize=4)
def _secret(path: str) -> str:
    secret = Path(path).read_text().strip()
    if not secret:
        raise ValueError("empty")
    return secret


def _credentials(provider: IdentityProvider, endpoint: str) -> dict[str, str]:
    """Returns the fields of the token request that authenticate the site. Raises Unavailable without a readable key or secret."""
    if not provider.secret_file:
        return {"client_assertion_type": _ASSERTION_TYPE, "client_assertion": _assertion(provider, endpoint)}
    try:
        return {"client_secret": _secret(provider.secret_file)}
    except (OSError, ValueError):
        log.error("authn.client_secret_unreadable")
        raise unavailable() from None


def _assertion(provider: IdentityProvider, audience: str) -> str:
    """Returns a new client assertion (RFC 7523 section 2.2) with the key's thumbprint (RFC 7638) as `kid`."""
    try:
        own, algorithm = _signing_key(provider.key_file)
    except (OSError, ValueError):
        log.error("authn.client_key_unreadable")
        raise unavailable() from None
    assertion: str = private_key_jwt_sign(
        own,
        provider.client_id,
        audience,
        alg=algorithm,
        header={"kid": own.thumbprint()},
        issued_at=int(clock.now().timestamp()),
        expires_in=_ASSERTION_SECONDS,
    )
    return assertion
