"""ID token validation (OpenID Connect Core 1.0 section 3.1.3.7, rules/authn 1.3, S03, S04)."""

import base64
import binascii
import datetime as dt
import hashlib
import json
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey

from authn.domain.principal import Credential
from siths_portal.lib.assurance import CARD_SERIAL, Claims, Level, level_of

ALGORITHMS: Mapping[str, str] = {"RS256": "RSA", "PS256": "RSA", "ES256": "EC"}
# Headers with which a token could contain or reference its own key, or change its processing (RFC 7515 section 4.1).
_FORBIDDEN_HEADERS = frozenset({"jku", "jwk", "x5u", "x5c", "crit", "b64", "zip", "enc"})
_LONGEST = 16_384
_SMALLEST_RSA = 2048
LEEWAY = dt.timedelta(seconds=30)
LONGEST_LIFE = dt.timedelta(minutes=5)  # OIDC.SE profile 3.2

Keys = Callable[[str], Mapping[str, Any] | None]


class TokenRefused(Exception):
    """Raised if the token is not valid. `reason` is a code for the audit event; no page shows it."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class Expected:
    """The values that the token of this log-in must match. `max_age` limits the time between authentication and `now`."""

    issuer: str
    client_id: str
    nonce: str
    access_token: str
    acr_values: Collection[str]
    max_age: dt.timedelta
    requested_at: dt.datetime
    now: dt.datetime


@dataclass(frozen=True)
class Accepted:
    """A valid token: its claims, its `jti` and the time of authentication."""

    claims: Mapping[str, Any]
    jti: str
    authenticated_at: dt.datetime


def check(token: str, keys: Keys, expected: Expected) -> Accepted:
    """Validates the token. Raises TokenRefused with the code of the first check that fails.

    `keys` returns the issuer's published key (JWK) with a `kid`, or None.
    """
    header, claims = _parts(token)
    _check_signature(token, header, keys)
    _check_parties(claims, expected)
    _check_times(claims, expected)
    if claims.get("nonce") != expected.nonce:
        raise TokenRefused("token-nonce")
    if claims.get("at_hash") != _half_hash(expected.access_token):
        raise TokenRefused("token-at-hash")
    if claims.get("acr") not in expected.acr_values:
        raise TokenRefused("token-acr")
    jti = claims.get("jti")
    if not isinstance(jti, str) or not jti:
        raise TokenRefused("token-jti")
    return Accepted(claims, jti, _authenticated_at(claims, expected))


def _parts(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Returns header and payload of a compact JWS (RFC 7515 section 7.1). Raises TokenRefused."""
    if not isinstance(token, str) or len(token) > _LONGEST or token.count(".") != 2:
        raise TokenRefused("token-malformed")
    header, payload, _signature = token.split(".")
    return _object(header), _object(payload)


def _object(part: str) -> dict[str, Any]:
    try:
        raw = base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True)
        value = json.loads(raw.decode(), object_pairs_hook=_unique)
    except (ValueError, binascii.Error, RecursionError):
        raise TokenRefused("token-malformed") from None
    if not isinstance(value, dict):
        raise TokenRefused("token-malformed")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("repeated name")
    return value


def _check_signature(token: str, header: Mapping[str, Any], keys: Keys) -> None:
    algorithm, kid = header.get("alg"), header.get("kid")
    if not isinstance(algorithm, str) or algorithm not in ALGORITHMS:
        raise TokenRefused("token-algorithm")
    if _FORBIDDEN_HEADERS & header.keys() or header.get("typ", "JWT") != "JWT":
        raise TokenRefused("token-header")
    if not isinstance(kid, str) or not kid or (jwk := keys(kid)) is None:
        raise TokenRefused("token-key-unknown")
    if jwk.get("kty") != ALGORITHMS[algorithm] or jwk.get("use", "sig") != "sig" or jwk.get("alg", algorithm) != algorithm:
        raise TokenRefused("token-key-unfit")
    try:
        key: RSAKey | ECKey
        if jwk["kty"] == "RSA":
            key = RSAKey.import_key({name: jwk[name] for name in ("kty", "n", "e")})
            fit = key.public_key.key_size >= _SMALLEST_RSA
        else:
            key = ECKey.import_key({name: jwk[name] for name in ("kty", "crv", "x", "y")})
            fit = key.curve_name == "P-256"
    except (JoseError, ValueError, KeyError, TypeError):
        fit = False
    if not fit:
        raise TokenRefused("token-key-unfit")
    try:
        jws.deserialize_compact(token, key, algorithms=[algorithm])
    except (JoseError, ValueError):
        raise TokenRefused("token-signature") from None


def _check_parties(claims: Mapping[str, Any], expected: Expected) -> None:
    if claims.get("iss") != expected.issuer:
        raise TokenRefused("token-issuer")
    audience = claims.get("aud")
    audiences = [audience] if isinstance(audience, str) else audience
    if not isinstance(audiences, list) or expected.client_id not in audiences:
        raise TokenRefused("token-audience")
    if (len(audiences) > 1 or "azp" in claims) and claims.get("azp") != expected.client_id:
        raise TokenRefused("token-authorized-party")
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= 255:
        raise TokenRefused("token-subject")


def _moment(claims: Mapping[str, Any], name: str, reason: str) -> dt.datetime:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TokenRefused(reason)
    try:
        return dt.datetime.fromtimestamp(value, dt.UTC)
    except (OverflowError, OSError, ValueError):
        raise TokenRefused(reason) from None


def _check_times(claims: Mapping[str, Any], expected: Expected) -> None:
    expires = _moment(claims, "exp", "token-expired")
    issued = _moment(claims, "iat", "token-issued-at")
    if expected.now >= expires + LEEWAY:
        raise TokenRefused("token-expired")
    if issued > expected.now + LEEWAY or issued < expected.requested_at - LEEWAY:
        raise TokenRefused("token-issued-at")
    if expires - issued > LONGEST_LIFE or expires < issued:
        raise TokenRefused("token-lifetime")
    if "nbf" in claims and _moment(claims, "nbf", "token-not-before") > expected.now + LEEWAY:
        raise TokenRefused("token-not-before")


def _authenticated_at(claims: Mapping[str, Any], expected: Expected) -> dt.datetime:
    moment = _moment(claims, "auth_time", "token-auth-time")
    if moment > expected.now + LEEWAY or moment < expected.now - expected.max_age - LEEWAY:
        raise TokenRefused("token-auth-time")
    # The request had prompt=login, so the authentication must not precede it.
    if moment < expected.requested_at - LEEWAY:
        raise TokenRefused("token-auth-time")
    return min(moment, expected.now)


def _half_hash(access_token: str) -> str:
    """Returns the at_hash of an access token (OpenID Connect Core 3.1.3.6). All ALGORITHMS use SHA-256."""
    digest = hashlib.sha256(access_token.encode()).digest()
    return base64.urlsafe_b64encode(digest[:16]).rstrip(b"=").decode()


_HSA_ID = re.compile(r"[A-Za-z0-9-]{1,31}")
_NUMBER = re.compile(r"[0-9]{12}")
_SERIAL = re.compile(r"[0-9]{19}")


@dataclass(frozen=True)
class Identity:
    """The identity in a token: the chosen HSA-id, or "" and the ids to choose from, and the certificate's personal number.

    All three are empty if the level of `credential` is CARD: then its serial number is all that the token says.
    """

    hsa_id: str
    hsa_ids: tuple[str, ...]
    person_id: str
    credential: Credential


def identity(claims: Mapping[str, Any], names: Claims, *, by_hsa_id: bool = True) -> Identity:
    """Returns the identity in a valid token of the framework with these `names` of claims.

    Without `by_hsa_id` the number is enough and the HSA-ids are not read. Raises TokenRefused if the claims are missing,
    malformed, or give two numbers.
    """
    credential = _credential(claims, names)
    if credential.level is Level.CARD:
        return Identity("", (), "", credential)
    numbers = [claims[name] for name in names.person_id if claims.get(name) is not None]
    person_id = numbers[0] if len(numbers) == 1 else None
    if not isinstance(person_id, str) or not _NUMBER.fullmatch(person_id):
        raise TokenRefused("claim-person-id")
    if not by_hsa_id:
        return Identity("", (), person_id, credential)
    chosen, every = claims.get(names.hsa_id), claims.get(names.all_hsa_ids, []) if names.all_hsa_ids else []
    every = [every] if isinstance(every, str) else every
    if not isinstance(every, list) or len(every) > 100 or not all(_is_hsa_id(value) for value in every):
        raise TokenRefused("claim-hsa-id")
    if chosen is None and len(every) == 1:
        chosen = every[0]
    if chosen is None and every:
        return Identity("", tuple(every), person_id, credential)
    if not _is_hsa_id(chosen):
        raise TokenRefused("claim-hsa-id")
    return Identity(str(chosen), tuple(every), person_id, credential)


def _credential(claims: Mapping[str, Any], names: Claims) -> Credential:
    """Returns what was used to log in. Raises TokenRefused unless a log-in at the level CARD names a card and no person."""
    level, serial = level_of(claims.get("acr")), claims.get(CARD_SERIAL)
    if level is None:
        raise TokenRefused("token-acr")
    if serial is not None and not (isinstance(serial, str) and _SERIAL.fullmatch(serial)):
        raise TokenRefused("claim-card-serial")
    if level is Level.CARD and (
        serial is None or any(claims.get(name) for name in (*names.person_id, names.hsa_id, names.all_hsa_ids))
    ):
        raise TokenRefused("claim-card-serial")
    return Credential(level, serial or "")


def _is_hsa_id(value: object) -> bool:
    return isinstance(value, str) and _HSA_ID.fullmatch(value) is not None
