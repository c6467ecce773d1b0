"""The logic of an OpenID provider: clients, pending requests, codes, ID tokens (OpenID Connect Core 1.0, OIDC.SE)."""

import base64
import hashlib
import hmac
import json
import os
import re
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey

from siths_portal.simulators.idp_people import LOA2, LOA3, TRANSPORT_ACR, Person

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")
_REQUEST_SECONDS, _CODE_SECONDS, _TOKEN_SECONDS = 900, 60, 300
_MOST = 10_000


class RequestInvalid(Exception):
    """The request has no registered client or redirect URI, so the browser is not redirected."""


class RequestRefused(Exception):
    """The browser is redirected to the client with `error` (RFC 6749 section 4.1.2.1)."""

    def __init__(self, error: str, url: str) -> None:
        super().__init__(error)
        self.url = url


class TokenError(Exception):
    """The token endpoint returns `error` (RFC 6749 section 5.2)."""

    def __init__(self, error: str) -> None:
        super().__init__(error)
        self.error = error


@dataclass(frozen=True)
class Client:
    """A registered relying party. `public_key` is in PEM."""

    client_id: str
    name: str
    redirect_uris: tuple[str, ...]
    post_logout_redirect_uris: tuple[str, ...]
    public_key: str


@dataclass
class Request:
    """A pending authorization request, identified by `token`. `proved` is the serial number of a card whose code was entered."""

    client: Client
    redirect_uri: str
    state: str
    nonce: str
    challenge: str
    acr_values: tuple[str, ...]
    token: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    born: float = field(default_factory=time.time)
    person: Person | None = None
    card: str = ""
    proved: str = ""
    amr: tuple[str, ...] = ()
    auth_time: int = 0

    def back(self, issuer: str, **answer: str) -> str:
        """Returns the client's redirect URI with the response, including `iss` against mix-up attacks (RFC 9207)."""
        sign = "&" if urlsplit(self.redirect_uri).query else "?"
        values = {**answer, "iss": issuer, **({"state": self.state} if self.state else {})}
        return f"{self.redirect_uri}{sign}{urlencode(values)}"


@dataclass
class _Code:
    request: Request
    hsa_id: str
    born: float
    used: bool = False


class Provider:
    """An issuer. `folder` has `clients.json` (read again when it changes) and the signing key, which is made if missing."""

    def __init__(self, issuer: str, folder: Path) -> None:
        self.issuer = issuer
        self._clients_file = File(folder / "clients.json", _clients)
        self._key = _signing_key(folder / "signing.pem")
        self._kid = self._key.thumbprint()
        self._requests: dict[str, Request] = {}
        self._codes: dict[str, _Code] = {}
        self._assertions: dict[str, float] = {}
        self._lock = threading.Lock()

    def metadata(self) -> dict[str, Any]:
        """Returns the metadata (OpenID Connect Discovery 1.0 section 3)."""
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/jwks.json",
            "end_session_endpoint": f"{self.issuer}/logout",
            "response_types_supported": ["code"],
            "grant_types_supported": ["authorization_code"],
            "subject_types_supported": ["pairwise"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "token_endpoint_auth_methods_supported": ["private_key_jwt"],
            "token_endpoint_auth_signing_alg_values_supported": ["ES256", "PS256"],
            "code_challenge_methods_supported": ["S256"],
            "acr_values_supported": [LOA3, LOA2, TRANSPORT_ACR],
            "scopes_supported": ["openid"],
            "claims_parameter_supported": True,
            "prompt_values_supported": ["login"],
            "ui_locales_supported": ["sv"],
            "authorization_response_iss_parameter_supported": True,
        }

    def jwks(self) -> dict[str, Any]:
        """Returns the public signing key as a JWK set."""
        return {"keys": [self._key.as_dict(private=False) | {"kid": self._kid, "use": "sig", "alg": "RS256"}]}

    # --- authorization endpoint ------------------------------------------------------------------------------------------

    def begin(self, query: Mapping[str, str]) -> Request:
        """Accepts an authorization request. Raises RequestInvalid or RequestRefused."""
        client = self._clients_file.value().get(query.get("client_id", ""))
        if client is None or query.get("redirect_uri", "") not in client.redirect_uris:
            raise RequestInvalid
        request = Request(
            client=client,
            redirect_uri=query["redirect_uri"],
            state=query.get("state", ""),
            nonce=query.get("nonce", ""),
            challenge=query.get("code_challenge", ""),
            acr_values=tuple(query.get("acr_values", "").split()),
        )
        if error := _fault(query):
            raise RequestRefused(error, request.back(self.issuer, error=error))
        with self._lock:
            _forget(self._requests, lambda one: time.time() - one.born > _REQUEST_SECONDS)
            self._requests[request.token] = request
        return request

    def find(self, token: str) -> Request | None:
        """Returns the pending request with this token, or None."""
        with self._lock:
            request = self._requests.get(token)
        return request if request and time.time() - request.born <= _REQUEST_SECONDS else None

    def cancel(self, request: Request) -> str:
        """Ends the request and returns the redirect after the person cancelled."""
        return self._end(request, error="access_denied")

    def finish(self, request: Request, hsa_id: str) -> str:
        """Ends the request and returns the redirect with a code. Refuses an acr that was not requested (rules/authn 1.2)."""
        if request.person is None:
            raise ValueError("nobody was authenticated")
        if request.acr_values and request.person.acr not in request.acr_values:
            return self._end(request, error="unmet_authentication_requirements")
        code = secrets.token_urlsafe(32)
        with self._lock:
            _forget(self._codes, lambda one: time.time() - one.born > _REQUEST_SECONDS)
            self._codes[code] = _Code(request, hsa_id, time.time())
        return self._end(request, code=code)

    def _end(self, request: Request, **answer: str) -> str:
        with self._lock:
            self._requests.pop(request.token, None)
        return request.back(self.issuer, **answer)

    # --- token endpoint --------------------------------------------------------------------------------------------------

    def tokens(self, form: Mapping[str, str]) -> dict[str, Any]:
        """Returns the response of the token endpoint. Raises TokenError."""
        client = self._authenticated(form)
        if form.get("grant_type") != "authorization_code":
            raise TokenError("unsupported_grant_type")
        with self._lock:
            code = self._codes.get(form.get("code", ""))
            fits = code is not None and not code.used and time.time() - code.born <= _CODE_SECONDS
            if code is not None:
                code.used = True
        if code is None or not fits or code.request.client.client_id != client.client_id:
            raise TokenError("invalid_grant")
        verifier = form.get("code_verifier", "")
        if form.get("redirect_uri") != code.request.redirect_uri or not _VERIFIER.fullmatch(verifier):
            raise TokenError("invalid_grant")
        if not hmac.compare_digest(_url64(hashlib.sha256(verifier.encode()).digest()), code.request.challenge):
            raise TokenError("invalid_grant")
        access_token = secrets.token_urlsafe(32)
        return {
            "access_token": access_token,
            "token_type": "Bearer",
            "expires_in": _TOKEN_SECONDS,
            "id_token": self._id_token(code, access_token),
        }

    def _authenticated(self, form: Mapping[str, str]) -> Client:
        """Returns the client of a private_key_jwt (RFC 7523 section 3) with the right key and audience, not old and not used."""
        assertion = form.get("client_assertion", "")
        client = self._clients_file.value().get(form.get("client_id", ""))
        if client is None or form.get("client_assertion_type") != ASSERTION_TYPE or len(assertion) > 8192:
            raise TokenError("invalid_client")
        try:
            key = _public_key(client.public_key)
            algorithm = "ES256" if isinstance(key, ECKey) else "PS256"
            claims = jwt.decode(assertion, key, algorithms=[algorithm]).claims
            audience: Any = claims.get("aud")
            now, expires = time.time(), float(claims["exp"])
            good = (
                claims.get("iss") == claims.get("sub") == client.client_id
                and bool({f"{self.issuer}/token", self.issuer} & set([audience] if isinstance(audience, str) else audience))
                and now - 30 <= expires <= now + 330
            )
            jti = str(claims["jti"])
        except (JoseError, ValueError, KeyError, TypeError):
            raise TokenError("invalid_client") from None
        with self._lock:
            _forget(self._assertions, lambda until: until < time.time())
            good = good and jti not in self._assertions
            self._assertions[jti] = expires + 60
        if not good:
            raise TokenError("invalid_client")
        return client

    def _id_token(self, code: _Code, access_token: str) -> str:
        request, person = code.request, code.request.person
        if person is None:
            raise TokenError("invalid_grant")
        now = int(time.time())
        every = [hsa_id for hsa_id, _unit in person.posts]
        claims = {
            "iss": self.issuer,
            "sub": secrets.token_urlsafe(18),  # transient, as at the real provider (rules/authn 1.2)
            "aud": request.client.client_id,
            "iat": now,
            "exp": now + _TOKEN_SECONDS,
            "auth_time": request.auth_time,
            "nonce": request.nonce,
            "acr": person.acr,
            "amr": list(request.amr),
            "jti": secrets.token_urlsafe(18),
            "at_hash": _url64(hashlib.sha256(access_token.encode()).digest()[:16]),
            **({"card_serial": request.proved} if request.proved else {}),
        }
        if person.personnummer:  # a blank card names nobody
            claims |= {
                "given_name": person.given_name,
                "family_name": person.surname,
                "name": person.name,
                "credentialPersonalIdentityNumber": person.personnummer,
                "allEmployeeHsaIds": every,
                **({"employeeHsaId": code.hsa_id} if code.hsa_id else {}),
            }
        return jwt.encode({"alg": "RS256", "kid": self._kid}, claims, self._key, algorithms=["RS256"])

    # --- log-out ---------------------------------------------------------------------------------------------------------

    def logged_out(self, form: Mapping[str, str]) -> str:
        """Returns the redirect after a log-out: a registered URI of the client in the ID token hint, or ""."""
        client = self._clients_file.value().get(form.get("client_id", ""))
        wanted = form.get("post_logout_redirect_uri", "")
        try:
            hint = jws.deserialize_compact(form.get("id_token_hint", ""), self._key, algorithms=["RS256"])
            audience = json.loads(hint.payload or b"{}").get("aud")
        except (JoseError, ValueError):
            return ""
        return wanted if client and audience == client.client_id and wanted in client.post_logout_redirect_uris else ""


class File[Value]:
    """A JSON file that is read again when it changes. A missing or malformed file gives an empty list."""

    def __init__(self, path: Path, read: Callable[[Any], Value]) -> None:
        self._path, self._read = path, read
        self._stamp: tuple[int, int, int] | None = None
        self._value = read([])
        self._lock = threading.Lock()

    def value(self) -> Value:
        """Returns the newest value."""
        with self._lock:
            try:
                status = self._path.stat()
                stamp = (status.st_ino, status.st_mtime_ns, status.st_size)
                if stamp != self._stamp:
                    self._value, self._stamp = self._read(json.loads(self._path.read_text(encoding="utf-8"))), stamp
            except (OSError, ValueError, KeyError, TypeError):
                self._value, self._stamp = self._read([]), None
            return self._value


def _clients(entries: list[dict[str, Any]]) -> dict[str, Client]:
    return {
        entry["client_id"]: Client(
            entry["client_id"], entry["name"], tuple(entry["redirect_uris"]), tuple(entry["post_logout_redirect_uris"]),
            entry["public_key"],
        )
        for entry in entries
    }  # fmt: skip


def _fault(query: Mapping[str, str]) -> str:
    """Returns the error of a request by a known client (OpenID Connect Core 3.1.2.6), or ""."""
    if query.get("response_type") != "code":
        return "unsupported_response_type"
    if "openid" not in query.get("scope", "").split():
        return "invalid_scope"
    if query.get("code_challenge_method") != "S256" or not _CHALLENGE.fullmatch(query.get("code_challenge", "")):
        return "invalid_request"
    if len(query.get("state", "")) < 16 or len(query.get("nonce", "")) < 16:
        return "invalid_request"
    if "none" in query.get("prompt", "").split():
        return "login_required"  # this provider has no sessions to reuse
    acr_values = query.get("acr_values", "").split()
    return "invalid_request" if acr_values and not {LOA2, LOA3} & set(acr_values) else ""


def _forget[Key, Value](table: dict[Key, Value], over: Callable[[Value], bool]) -> None:
    for key in [key for key, value in table.items() if over(value)]:
        del table[key]
    while len(table) > _MOST:
        del table[next(iter(table))]


def _public_key(pem: str) -> ECKey | RSAKey:
    try:
        return ECKey.import_key(pem)
    except ValueError:
        return RSAKey.import_key(pem)


def _signing_key(path: Path) -> RSAKey:
    """Returns the issuer's key, which stays the same after a restart, so that relying parties can keep it cached."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        new = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(RSAKey.generate_key(2048).as_pem(private=True))
        try:
            path.hardlink_to(new)  # if two start at once, the first one's key is used
        except FileExistsError:
            pass
        finally:
            new.unlink()
    return RSAKey.import_key(path.read_bytes())


def _url64(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()
