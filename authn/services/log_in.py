"""A log-in, from the authorization request to the subject. Each refusal records its reason; nearly all show the same page."""

import datetime as dt
import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from uuid import UUID

import structlog
from django.conf import settings
from django.db import IntegrityError, transaction

from authn.domain import id_token
from authn.domain.id_token import Accepted, Expected, Identity, TokenRefused
from authn.domain.principal import Credential, Subject
from authn.models import Event, LogInAttempt, LogInTicket, UsedToken
from authn.ports import Advice, SubjectDirectory, SubjectUnknown
from authn.services import provider, sessions, sites, start_budgets
from siths_portal.lib import clock, identity_providers, ports
from siths_portal.lib.assurance import Level
from siths_portal.lib.errors import Refused
from siths_portal.lib.http import rate_limits
from siths_portal.lib.identity_providers import IdentityProvider
from siths_portal.lib.monitoring import metrics

log = structlog.get_logger(__name__)

_ATTEMPT_SECONDS = 900  # how long a person may take at the identity provider
USED_DAYS = 2
# Anyone can send callbacks with a wrong `state`, so their audit records are limited per minute, by process and by browser.
_STATE_REFUSALS, _STATE_REFUSALS_OF_BROWSER = 60, 20
_state_refusals, _limit_warnings = rate_limits.MinuteBudget(), rate_limits.MinuteBudget()
_REFUSED = metrics.counter("log_ins_refused", "Log-ins that were refused", ["reason"])


class LogInRefused(Exception):
    """Raised if the log-in is refused, after its audit event is written (with a wrong `state`, a limited number a minute).

    `status` is the HTTP status of the page. `advice` is the text for a person who is identified but may not use the portal.
    """

    def __init__(self, reason: str, *, status: int = 400, advice: Advice | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.status = status
        self.advice = advice


class LogInCancelled(Exception):
    """Raised if the person cancelled at the identity provider."""

    def __init__(self, next_path: str) -> None:
        super().__init__("cancelled")
        self.next_path = next_path


@dataclass(frozen=True)
class CompletedLogIn:
    """A valid callback: the identity, the log-in, and the page and kind of the request that began it."""

    identity: Identity
    log_in: sessions.LogIn
    next_path: str
    step_up: bool


@transaction.atomic(durable=True)
def remember(
    session_id: UUID, issuer: str, state: str, nonce: str, verifier: str, next_path: str, *, step_up: bool, organisation: str
) -> None:
    """Stores a log-in that this browser begins on this site at `issuer`. `organisation`: see `start_budgets.check`."""
    LogInAttempt.objects.create(
        state_hash=digest(state),
        session_id=session_id,
        face=settings.FACE,
        issuer=issuer,
        nonce=nonce,
        verifier=verifier,
        next_path=next_path,
        step_up=step_up,
        organisation=organisation,
        started_at=clock.now(),
    )


def begin(session_id: UUID, next_path: str, *, step_up: bool, issuer: str = "") -> str:
    """Begins a log-in of this browser at the provider with this issuer, or the first one, and returns the URL for it.

    State, nonce and PKCE verifier (S256) have 256 random bits each. Raises Unavailable, and TooManyRequests (`log-in-starts`)
    beyond the rate limits (S47).
    """
    organisation = start_budgets.check(session_id)
    chosen = identity_providers.find(issuer) or identity_providers.all_providers()[0]
    state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
    url = provider.authorization_url(chosen, state=state, nonce=nonce, verifier=verifier, step_up=step_up)
    remember(session_id, chosen.issuer, state, nonce, verifier, next_path, step_up=step_up, organisation=organisation)
    return url


def complete(session_id: UUID | None, query: Mapping[str, str]) -> CompletedLogIn:
    """Validates the provider's callback and exchanges its code. Raises LogInRefused, LogInCancelled or Unavailable."""
    attempt = take(session_id, query.get("state", ""))
    chosen = identity_providers.find(attempt.issuer)
    if chosen is None:
        raise refused("provider-unknown", attempt)
    issuer = query.get("iss")
    if issuer != chosen.issuer and (issuer is not None or provider.says_who_answers(chosen)):
        raise refused("answer-issuer", attempt)  # RFC 9207: the response is from another provider
    if (error := query.get("error")) is not None:
        if error == "access_denied":
            _record("login.cancelled", attempt, {})
            raise LogInCancelled(attempt.next_path)
        raise refused("provider-error", attempt, error=error[:60] if error.isascii() and error.isprintable() else "")
    code = query.get("code", "")
    if not 0 < len(code) <= 2048:
        raise refused("code-missing", attempt)
    if not _use("code", code):
        raise refused("code-used", attempt)
    try:
        tokens = provider.exchange(chosen, code, attempt.verifier)
        expected = _expected(chosen, attempt, tokens.access_token)
        accepted = id_token.check(tokens.id_token, partial(provider.key, chosen), expected)
        identity = id_token.identity(accepted.claims, chosen.claims, by_hsa_id=sites.here().by_hsa_id)
    except Refused as error_:
        reason = error_.code if error_.code.startswith("token-") else "code-refused"
        raise refused(reason, attempt) from None
    except TokenRefused as error_:
        raise refused(error_.reason, attempt) from None
    if not _use("jti", f"{chosen.issuer}|{accepted.jti}"):
        raise refused("token-used", attempt)
    return CompletedLogIn(identity, _log_in(accepted, tokens.id_token), attempt.next_path, attempt.step_up)


def subject_of(hsa_id: str, person_id: str, credential: Credential, session_id: UUID | None) -> Subject:
    """Returns the subject of this identity. Raises LogInRefused for an unknown person or one without a role (rules/authn 1.4).

    At the level CARD it is that of the card, whatever else is said.
    """
    directory = ports.get(SubjectDirectory)
    try:
        if credential.level is Level.CARD:
            return directory.card(credential.card_serial)
        return directory.find(hsa_id, person_id, credential)
    except SubjectUnknown as unknown:
        raise refused(unknown.reason, None, session_id=session_id, status=403, advice=unknown.advice, hsa_id=hsa_id) from None


def choices(identity: Identity, session_id: UUID | None) -> list[Subject]:
    """Returns the subjects of the identity's HSA-ids that belong to the person. Raises LogInRefused if there are none."""
    directory = ports.get(SubjectDirectory)
    found = directory.choices(identity.hsa_ids, identity.person_id)
    if not found:
        advice, hsa_ids = directory.no_post(), list(identity.hsa_ids)
        raise refused("hsa-id-unknown", None, session_id=session_id, status=403, advice=advice, hsa_ids=hsa_ids)
    return found


def refused(
    reason: str,
    attempt: LogInAttempt | None,
    *,
    session_id: UUID | None = None,
    status: int = 400,
    advice: Advice | None = None,
    **facts: object,
) -> LogInRefused:
    """Writes the audit event of a refusal and returns the exception for the caller to raise."""
    _record("login.refused", attempt, {"reason": reason, **facts}, session_id=session_id)
    _REFUSED.labels(reason).inc()
    log.warning("authn.login_refused", reason=reason)
    return LogInRefused(reason, status=status, advice=advice)


def _record(action: str, attempt: LogInAttempt | None, facts: dict[str, object], *, session_id: UUID | None = None) -> None:
    session = attempt.session_id if attempt else session_id
    with transaction.atomic():
        Event.record(
            actor_ref="anonymous",
            action=action,
            subject_type="session",
            subject_ref=str(session or ""),
            facts=facts | ({"issuer": attempt.issuer} if attempt else {}),
        )


def take(session_id: UUID | None, state: str) -> LogInAttempt:
    """Returns the attempt with this state and marks it as used. Raises LogInRefused (S02)."""
    if not state:
        raise refused_state("state-missing", None, session_id)
    with transaction.atomic(durable=True):
        attempt = LogInAttempt.objects.select_for_update().filter(state_hash=digest(state)).first()
        fault = fault_of(attempt, session_id)
        if attempt is not None and not fault:
            attempt.used_at = clock.now()
            attempt.save(update_fields=["used_at"])
    if attempt is None or fault:
        raise refused_state(fault, attempt if attempt and attempt.session_id == session_id else None, session_id)
    return attempt


def refused_state(reason: str, attempt: LogInAttempt | None, session_id: UUID | None) -> LogInRefused:
    """Does the same as `refused`, but beyond the limit it writes no event and logs once a minute that events are missing."""
    if _state_refusals.take(_STATE_REFUSALS, key=str(session_id or ""), most_of_key=_STATE_REFUSALS_OF_BROWSER):
        return refused(reason, attempt, session_id=session_id)
    if _limit_warnings.take(1):
        log.warning("authn.refusals_not_recorded")
    return LogInRefused(reason)


def fault_of(attempt: LogInAttempt | None, session_id: UUID | None) -> str:
    """Returns why this browser cannot end the attempt on this site, as the code of a refusal, or ""."""
    if attempt is None:
        return "state-unknown"
    if attempt.used_at is not None:
        return "state-used"
    if attempt.session_id != session_id:
        return "state-of-another-browser"
    if attempt.face != settings.FACE:
        return "state-of-another-site"
    return "state-expired" if is_late(attempt) else ""


def is_late(attempt: LogInAttempt) -> bool:
    """Returns whether the person has taken too long."""
    return clock.now() - attempt.started_at > dt.timedelta(seconds=_ATTEMPT_SECONDS)


def _expected(chosen: IdentityProvider, attempt: LogInAttempt, access_token: str) -> Expected:
    return Expected(
        issuer=chosen.issuer,
        client_id=chosen.client_id,
        nonce=attempt.nonce,
        access_token=access_token,
        acr_values=chosen.acr_values,
        max_age=dt.timedelta(seconds=settings.OIDC_MAX_AGE_SECONDS),
        requested_at=attempt.started_at,
        now=clock.now(),
    )


def _log_in(accepted: Accepted, token: str) -> sessions.LogIn:
    facts = {name: accepted.claims.get(name) for name in ("iss", "acr", "amr", "jti")}
    return sessions.LogIn(accepted.authenticated_at, token, facts)


def _use(kind: str, value: str) -> bool:
    """Records that a code or token is used. Returns False if it was already used."""
    try:
        with transaction.atomic():
            UsedToken.objects.create(digest=digest(f"{kind}|{value}"), used_at=clock.now())
    except IntegrityError:
        return False
    return True


def digest(value: str) -> str:
    """Returns the SHA-256 by which states, tickets and codes are stored, in hexadecimal."""
    return hashlib.sha256(value.encode()).hexdigest()


@transaction.atomic(durable=True)
def forget_old() -> None:
    """Deletes attempts, tickets and used tokens after USED_DAYS. A replayed older token is refused because it has expired."""
    before = clock.now() - dt.timedelta(days=USED_DAYS)
    LogInAttempt.objects.filter(started_at__lt=before).delete()
    LogInTicket.objects.filter(issued_at__lt=before).delete()
    UsedToken.objects.filter(used_at__lt=before).delete()
