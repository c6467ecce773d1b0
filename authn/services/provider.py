"""The identity provider as a relying party sees it: its metadata and keys, the way to it, and what it gives for a code."""

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
from joserfc.jwk import ECKey, RSAKey

from authn.domain.id_token import ALGORITHMS
from siths_portal.lib import clock
from siths_portal.lib.errors import NotFound, Refused, Unavailable
from siths_portal.lib.http.client import Client

log = structlog.get_logger(__name__)

_FRESH_SECONDS = 600  # how long metadata and keys are believed without asking again
_REFRESH_SECONDS = 20  # how soon an unknown key makes us ask again, so that nobody can make us ask without end
_ASSERTION_SECONDS = 60
_ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"  # RFC 7523 section 2.2
_OPAQUE = re.compile(r"[\x20-\x7e]{1,4096}")


def unavailable() -> Unavailable:
    """What the person is told when the provider does not answer as it should."""
    return Unavailable(
        "idp-unavailable",
        "Inloggningstjänsten svarar inte just nu. Vänta en stund och logga in igen. Kontakta supporten om det inte hjälper.",
    )


@dataclass(frozen=True)
class Tokens:
    """What the token endpoint gave."""

    id_token: str
    access_token: str


@dataclass
class _Known:
    """What this process knows of the provider, and since when (monotonic seconds)."""

    metadata: dict[str, Any] = field(default_factory=dict)
    metadata_at: float = -1e9
    keys: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    keys_at: float = -1e9


_known: dict[str, _Known] = {}
_lock = threading.Lock()


def redirect_uri() -> str:
    """Where the provider sends the browser back, byte for byte as registered there."""
    return f"{settings.PORTAL_BASE_URL}/logga-in/svar/"


def logged_out_uri() -> str:
    """Where the provider sends the browser after a log-out (OpenID Connect RP-Initiated Logout 1.0)."""
    return f"{settings.PORTAL_BASE_URL}/logga-ut/"


def origin() -> str:
    """The provider's origin, for the pages whose form leads there."""
    parts = urlsplit(settings.OIDC_ISSUER)
    return f"{parts.scheme}://{parts.netloc}"


def authorization_url(*, state: str, nonce: str, verifier: str, step_up: bool) -> str:
    """The address of the provider's log-in, with nothing personal in it. Raises Unavailable.

    `prompt=login` and exact `acr_values` are checked in the reply again; of the claims only the HSA-id is essential
    (rules/authn 1.2). A step-up asks with `max_age=0`.
    """
    wanted = ("allEmployeeHsaIds", "credentialPersonalIdentityNumber", "given_name", "family_name", "name")
    claims: dict[str, Any] = {"employeeHsaId": {"essential": True}} | dict.fromkeys(wanted)
    url: str = prepare_grant_uri(
        _endpoint("authorization_endpoint"),
        client_id=settings.OIDC_CLIENT_ID,
        response_type="code",
        redirect_uri=redirect_uri(),
        scope=settings.OIDC_SCOPE,
        state=state,
        nonce=nonce,
        code_challenge=create_s256_code_challenge(verifier),
        code_challenge_method="S256",
        acr_values=" ".join(settings.OIDC_ACR_VALUES),
        prompt="login",
        max_age=0 if step_up else settings.OIDC_MAX_AGE_SECONDS,
        ui_locales="sv",
        claims=json.dumps({"id_token": claims}, separators=(",", ":")),
    )
    return url


def exchange(code: str, verifier: str) -> Tokens:
    """The tokens for a code, by private_key_jwt. Raises Refused if the provider declines, Unavailable if it does not answer."""
    endpoint = _endpoint("token_endpoint")
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": redirect_uri(),
        "client_id": settings.OIDC_CLIENT_ID,
        "code_verifier": verifier,
        "client_assertion_type": _ASSERTION_TYPE,
        "client_assertion": _assertion(endpoint),
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


def key(kid: str) -> Mapping[str, Any] | None:
    """The provider's published key with this `kid`; an unknown one makes us ask the provider again. Raises Unavailable."""
    known = _of_issuer()
    age = time.monotonic() - known.keys_at
    if age > _FRESH_SECONDS or (kid not in known.keys and age > _REFRESH_SECONDS):
        address = _endpoint("jwks_uri")
        keys = _read(address).get("keys")
        if not isinstance(keys, list):
            raise unavailable()
        # Two keys of one name say nothing about which was meant, so neither is believed.
        names = [entry.get("kid") for entry in keys if isinstance(entry, dict)]
        known.keys = {entry["kid"]: entry for entry in keys if isinstance(entry, dict) and names.count(entry.get("kid")) == 1}
        known.keys_at = time.monotonic()
    return known.keys.get(kid)


def end_session_endpoint() -> str:
    """Where a log-out is told to the provider; empty if it has no such address or does not answer: we are logged out anyway."""
    try:
        return _endpoint("end_session_endpoint")
    except Unavailable:
        return ""


def forget() -> None:
    """Makes this process ask the provider anew."""
    with _lock:
        _known.clear()


def _of_issuer() -> _Known:
    with _lock:
        return _known.setdefault(settings.OIDC_ISSUER, _Known())


def _endpoint(name: str) -> str:
    """An address from the provider's metadata (OpenID Connect Discovery 1.0 section 4). Raises Unavailable."""
    known = _of_issuer()
    if time.monotonic() - known.metadata_at > _FRESH_SECONDS:
        metadata = _read(f"{settings.OIDC_ISSUER.rstrip('/')}/.well-known/openid-configuration")
        _check_metadata(metadata)
        known.metadata, known.metadata_at = metadata, time.monotonic()
    address = known.metadata.get(name)
    if not isinstance(address, str) or not _is_safe(address):
        log.error("authn.provider_metadata", fault=name)
        raise unavailable()
    return address


def _check_metadata(metadata: Mapping[str, Any]) -> None:
    """The metadata must be the issuer's own and offer what we use; else a mix-up or a downgrade is possible."""
    needed = (
        ("response_types_supported", "code"),
        ("code_challenge_methods_supported", "S256"),
        ("token_endpoint_auth_methods_supported", "private_key_jwt"),
    )
    fault = "" if metadata.get("issuer") == settings.OIDC_ISSUER else "issuer"
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


def _is_safe(address: str) -> bool:
    """TLS, unless the issuer itself goes without, which system checks allow in development only."""
    parts = urlsplit(address)
    return parts.scheme in ("https", urlsplit(settings.OIDC_ISSUER).scheme) and bool(parts.hostname) and not parts.fragment


def _read(address: str) -> dict[str, Any]:
    if not _is_safe(address):
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
    """Our client key from OIDC_CLIENT_KEY_FILE and its algorithm: ES256 for P-256, PS256 for RSA."""
    pem = Path(path).read_bytes()
    try:
        return ECKey.import_key(pem), "ES256"
    except ValueError:
        return RSAKey.import_key(pem), "PS256"


def _assertion(audience: str) -> str:
    """A new assertion for one call (RFC 7523 section 2.2), with the key's thumbprint (RFC 7638) as `kid`."""
    try:
        own, algorithm = _signing_key(settings.OIDC_CLIENT_KEY_FILE)
    except (OSError, ValueError):
        log.error("authn.client_key_unreadable")
        raise unavailable() from None
    assertion: str = private_key_jwt_sign(
        own,
        settings.OIDC_CLIENT_ID,
        audience,
        alg=algorithm,
        header={"kid": own.thumbprint()},
        issued_at=int(clock.now().timestamp()),
        expires_in=_ASSERTION_SECONDS,
    )
    return assertion
