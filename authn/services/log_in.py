"""A log-in from the press of the button to the session: each refusal has a reason in the audit, and nearly all have one page."""

import datetime as dt
import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

import structlog
from django.conf import settings
from django.db import IntegrityError, transaction

from authn.domain import id_token
from authn.domain.id_token import Accepted, Expected, Identity, TokenRefused
from authn.domain.principal import Subject
from authn.models import Event, LogInAttempt, UsedToken
from authn.ports import Advice, SubjectDirectory, SubjectUnknown
from authn.services import provider, sessions
from siths_portal.lib import clock, ports
from siths_portal.lib.errors import Refused
from siths_portal.lib.http import rate_limits

log = structlog.get_logger(__name__)

_ATTEMPT_SECONDS = 900  # how long a person may take at the identity provider
_USED_DAYS = 2
# Answers whose state is wrong cost a stranger nothing: so many are recorded a minute and process, and of one browser.
_STRAY_ANSWERS, _STRAY_ANSWERS_OF_ONE = 60, 20
_stray, _told = rate_limits.MinuteBudget(), rate_limits.MinuteBudget()


class LogInRefused(Exception):
    """The log-in is refused; the audit event is written, of stray answers so many a minute. `status` is the page's.

    `advice` is what the person may read, if who it is was proven and the portal is not open to them.
    """

    def __init__(self, reason: str, *, status: int = 400, advice: Advice | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.status = status
        self.advice = advice


class LogInCancelled(Exception):
    """The person cancelled at the identity provider."""

    def __init__(self, next_path: str) -> None:
        super().__init__("cancelled")
        self.next_path = next_path


@dataclass(frozen=True)
class Answered:
    """A callback that was believed: who it is and how the log-in was asked for."""

    identity: Identity
    log_in: sessions.LogIn
    next_path: str
    step_up: bool


@transaction.atomic(durable=True)
def _remember(session_id: UUID, state: str, nonce: str, verifier: str, next_path: str, *, step_up: bool) -> None:
    LogInAttempt.objects.create(
        state_hash=_digest(state),
        session_id=session_id,
        nonce=nonce,
        verifier=verifier,
        next_path=next_path,
        step_up=step_up,
        started_at=clock.now(),
    )


def begin(session_id: UUID, next_path: str, *, step_up: bool) -> str:
    """The provider's address for a log-in by this browser: state and nonce with 256 bits, PKCE S256. Raises Unavailable."""
    state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
    url = provider.authorization_url(state=state, nonce=nonce, verifier=verifier, step_up=step_up)
    _remember(session_id, state, nonce, verifier, next_path, step_up=step_up)
    return url


def answer(session_id: UUID | None, query: Mapping[str, str]) -> Answered:
    """What the provider's answer says, checked. Raises LogInRefused, LogInCancelled or Unavailable."""
    attempt = _take(session_id, query.get("state", ""))
    if (issuer := query.get("iss")) is not None and issuer != settings.OIDC_ISSUER:
        raise refused("answer-issuer", attempt)  # RFC 9207: the answer of another provider
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
        tokens = provider.exchange(code, attempt.verifier)
        accepted = id_token.check(tokens.id_token, provider.key, _expected(attempt, tokens.access_token))
        identity = id_token.identity(accepted.claims)
    except Refused as error_:
        reason = error_.code if error_.code.startswith("token-") else "code-refused"
        raise refused(reason, attempt) from None
    except TokenRefused as error_:
        raise refused(error_.reason, attempt) from None
    if not _use("jti", f"{settings.OIDC_ISSUER}|{accepted.jti}"):
        raise refused("token-used", attempt)
    return Answered(identity, _log_in(accepted, tokens.id_token), attempt.next_path, attempt.step_up)


def subject_of(hsa_id: str, person_id: str, session_id: UUID | None) -> Subject:
    """Returns the subject of this identity. Raises LogInRefused for an unknown person or one without a role (rules/authn 1.4)."""
    try:
        return ports.get(SubjectDirectory).find(hsa_id, person_id)
    except SubjectUnknown as unknown:
        raise refused(unknown.reason, None, session_id=session_id, status=403, advice=unknown.advice, hsa_id=hsa_id) from None


def choices(identity: Identity, session_id: UUID | None) -> list[Subject]:
    """The person's own among the HSA-ids to choose from. Raises LogInRefused if there is none."""
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
    """Writes the audit event of a refusal and gives the exception to raise."""
    _record("login.refused", attempt, {"reason": reason, **facts}, session_id=session_id)
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
            facts=facts | {"issuer": settings.OIDC_ISSUER},
        )


def _take(session_id: UUID | None, state: str) -> LogInAttempt:
    """The attempt that the state belongs to, used up by this call. Raises LogInRefused (S02), recorded within a budget."""
    if not state:
        raise _refused_state("state-missing", None, session_id)
    with transaction.atomic(durable=True):
        attempt = LogInAttempt.objects.select_for_update().filter(state_hash=_digest(state)).first()
        fault = _fault(attempt, session_id)
        if attempt is not None and not fault:
            attempt.used_at = clock.now()
            attempt.save(update_fields=["used_at"])
    if attempt is None or fault:
        raise _refused_state(fault, attempt if attempt and attempt.session_id == session_id else None, session_id)
    return attempt


def _refused_state(reason: str, attempt: LogInAttempt | None, session_id: UUID | None) -> LogInRefused:
    """`refused`, which beyond the budget of strays is the answer alone; that events are missing stands once in the log."""
    if _stray.take(_STRAY_ANSWERS, key=str(session_id or ""), most_of_key=_STRAY_ANSWERS_OF_ONE):
        return refused(reason, attempt, session_id=session_id)
    if _told.take(1):
        log.warning("authn.refusals_not_recorded")
    return LogInRefused(reason)


def _fault(attempt: LogInAttempt | None, session_id: UUID | None) -> str:
    if attempt is None:
        return "state-unknown"
    if attempt.used_at is not None:
        return "state-used"
    if attempt.session_id != session_id:
        return "state-of-another-browser"
    if clock.now() - attempt.started_at > dt.timedelta(seconds=_ATTEMPT_SECONDS):
        return "state-expired"
    return ""


def _expected(attempt: LogInAttempt, access_token: str) -> Expected:
    return Expected(
        issuer=settings.OIDC_ISSUER,
        client_id=settings.OIDC_CLIENT_ID,
        nonce=attempt.nonce,
        access_token=access_token,
        acr_values=settings.OIDC_ACR_VALUES,
        max_age=dt.timedelta(seconds=settings.OIDC_MAX_AGE_SECONDS),
        asked_at=attempt.started_at,
        now=clock.now(),
    )


def _log_in(accepted: Accepted, token: str) -> sessions.LogIn:
    facts = {name: accepted.claims.get(name) for name in ("iss", "acr", "amr", "jti")}
    return sessions.LogIn(accepted.authenticated_at, token, facts)


def _use(kind: str, value: str) -> bool:
    """Notes that a code or token is used; False if it was before."""
    try:
        with transaction.atomic():
            UsedToken.objects.create(digest=_digest(f"{kind}|{value}"), used_at=clock.now())
    except IntegrityError:
        return False
    return True


def _digest(value: str) -> str:
    return hashlib.sha256(value.encode()).hexdigest()


@transaction.atomic(durable=True)
def forget_old() -> None:
    """Removes attempts and used tokens whose time is long over: an older token is refused by its own times."""
    before = clock.now() - dt.timedelta(days=_USED_DAYS)
    LogInAttempt.objects.filter(started_at__lt=before).delete()
    UsedToken.objects.filter(used_at__lt=before).delete()
