"""People's sessions: a log-in begins them, a step-up renews them; a log-out, a time limit or the removal of a role ends them."""

import datetime as dt
import hashlib
import secrets
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

import structlog
from django.db import connection, transaction
from django.db.models import Q, QuerySet
from django.utils.crypto import constant_time_compare, salted_hmac

from authn.domain.principal import Subject
from authn.models import Event, LastLogIn, LogInAttempt, Session
from authn.services import kept_forms, sites
from siths_portal.lib import clock
from siths_portal.lib.database.prepared import prepared

log = structlog.get_logger(__name__)

IDLE, ABSOLUTE, LOGGED_OUT, REPLACED, ENDED_ELSEWHERE, ROLE_ENDED, ENDED_BY_ADMINISTRATOR, CARRIER_REVOKED = (
    "idle", "absolute", "logged-out", "replaced", "ended-elsewhere", "role-ended", "ended-by-admin", "carrier-revoked",
)  # fmt: skip
KEEPING = frozenset({IDLE, ABSOLUTE, REPLACED})
"""End reasons after which a form in progress is kept. For all other reasons somebody ended the session on purpose."""
# The shortest time between two writes of a session's last use, so that not every page view writes.
TOUCH_SECONDS = 30
AT_ONCE = dt.timedelta(minutes=5)
"""The longest time between a log-in and an action that requires a log-in of its own (`max_age` 0)."""
_ALWAYS_BOUND = 4  # the parts of a row's MAC that a session always has
KEPT_DAYS = 7  # how long the row of an ended session is kept, for the reason on the log-in page


@dataclass(frozen=True)
class LogIn:
    """The identity provider's statements about an accepted log-in."""

    authenticated_at: dt.datetime
    id_token: str
    facts: dict[str, object]


def new_key() -> str:
    """Returns a new session key of 256 random bits for the cookie."""
    return secrets.token_hex(32)


def key_hash(key: str) -> str:
    """Returns the hash of a key, as the table stores it."""
    return hashlib.sha256(key.encode()).hexdigest()


def find(key: str) -> Session | None:
    """Returns the session with this key, live or ended. Returns None if the row's MAC does not match its key and person."""
    session = next(iter(_with_key(key_hash(key))), None)
    if session is not None and not _is_bound(session):
        log.error("session.altered", session=str(session.pk))
        return None
    return session


@prepared
def _with_key(hashed: str) -> QuerySet[Session]:
    return Session.objects.filter(key_hash=hashed)


def bind(session: Session) -> None:
    """Sets the MAC that binds an unsaved row to its key and person."""
    session.binding = _binding(session)


def _binding(session: Session) -> str:
    """Returns a MAC over the row's identity, with the secret key that only the sites' processes have (ADR 0331)."""
    parts = [str(session.pk), session.key_hash, session.subject_ref, session.hsa_id, session.means, session.credential_ref]
    while len(parts) > _ALWAYS_BOUND and not parts[-1]:
        parts.pop()
    return salted_hmac("authn.session", "|".join(parts), algorithm="sha256").hexdigest()


def _is_bound(session: Session) -> bool:
    """Returns whether the row's MAC is valid. An anonymous session has no rights, so it needs no MAC."""
    return not session.subject_ref or constant_time_compare(session.binding, _binding(session))


def why_ended(session: Session) -> str:
    """Returns why the session cannot be used now, or "" if it can."""
    now = clock.now()
    if session.end_reason:
        return session.end_reason
    if now >= session.expires_at:
        return ABSOLUTE
    return IDLE if now >= idle_end(session) else ""


def idle_end(session: Session) -> dt.datetime:
    """Returns when the session ends unless it is used before."""
    return session.last_seen_at + dt.timedelta(seconds=sites.site_of(session.subject_ref).idle_seconds)


def touch(session: Session) -> None:
    """Records that the session is used now, at most every TOUCH_SECONDS."""
    now = clock.now()
    if session.last_seen_at <= now - dt.timedelta(seconds=TOUCH_SECONDS):
        Session.objects.filter(pk=session.pk, ended_at=None, last_seen_at__lt=now).update(last_seen_at=now)
        session.last_seen_at = now


def live() -> QuerySet[Session]:
    """Returns the sessions of people that can be used now."""
    now = clock.now()
    return Session.objects.filter(~_idle(now), ended_at=None, expires_at__gt=now).exclude(subject_ref="")


def _idle(now: dt.datetime) -> Q:
    """Returns the condition for sessions unused for longer than their site allows."""
    found = Q(pk__in=[])
    for site in sites.all_sites():
        since = now - dt.timedelta(seconds=site.idle_seconds)
        for prefix in site.prefixes:
            found |= Q(subject_ref__startswith=prefix, last_seen_at__lte=since)
    return found


def own(subject_ref: str) -> list[Session]:
    """Returns a person's usable sessions, the newest first."""
    return list(live().filter(subject_ref=subject_ref).order_by("-created_at"))


@transaction.atomic(durable=True)
def start(subject: Subject, log_in: LogIn, *, instead_of: UUID | None = None) -> tuple[Session, str]:
    """Begins a session and returns it with its key. Ends the person's oldest sessions beyond the site's limit (rules/authn 2.1).

    `instead_of` is the browser's previous session; its key is invalid from now on (S01).
    """
    now = clock.now()
    _lock(subject.subject_ref)
    before = Session.objects.filter(pk=instead_of, ended_at=None).first() if instead_of else None
    if before is not None and before.subject_ref:
        _end([before], LOGGED_OUT, actor_ref=before.subject_ref)
    others = list(live().filter(subject_ref=subject.subject_ref).order_by("-created_at").select_for_update())
    site = sites.site_of(subject.subject_ref)
    _end(others[site.sessions_per_subject - 1 :], REPLACED, actor_ref=subject.subject_ref)
    key = new_key()
    session = Session(
        key_hash=key_hash(key),
        subject_ref=subject.subject_ref,
        hsa_id=subject.hsa_id,
        means=subject.means,
        credential_ref=subject.credential_ref,
        display_name=subject.display_name,
        unit_name=subject.unit_name,
        id_token=log_in.id_token,
        created_at=now,
        authenticated_at=log_in.authenticated_at,
        last_seen_at=now,
        expires_at=now + dt.timedelta(seconds=site.absolute_seconds),
    )
    bind(session)
    session.save(force_insert=True)
    if before is not None and not before.subject_ref:
        # The callback of a log-in in another tab of the same browser may still arrive.
        LogInAttempt.objects.filter(session_id=before.pk, used_at=None).update(session_id=session.pk)
        before.delete()
    LastLogIn.objects.update_or_create(subject_ref=subject.subject_ref, defaults={"hsa_id": subject.hsa_id, "at": now})
    _record(session, "session.started", subject.subject_ref, log_in.facts | {"hsa_id": subject.hsa_id})
    return session, key


@transaction.atomic(durable=True)
def renew(session_id: UUID, log_in: LogIn, *, means: str = "", credential_ref: str = "") -> tuple[Session, str] | None:
    """Gives the session a new key after a step-up and returns both; the old key is invalid (S01).

    `means` and `credential_ref` are what the person logged in with now, and replace those of the log-in before. Returns None if
    the session has ended in the meantime.
    """
    session = live().select_for_update().filter(pk=session_id).first()
    if session is None or not _is_bound(session):
        return None
    key = new_key()
    session.key_hash = key_hash(key)
    session.means, session.credential_ref = means, credential_ref
    bind(session)
    session.authenticated_at = log_in.authenticated_at
    session.id_token = log_in.id_token
    session.last_seen_at = clock.now()
    changed = ["key_hash", "binding", "means", "credential_ref", "authenticated_at", "id_token", "last_seen_at"]
    session.save(update_fields=changed)
    _record(session, "session.renewed", session.subject_ref, log_in.facts)
    return session, key


@transaction.atomic(durable=True)
def end(session_id: UUID, *, reason: str, actor_ref: str) -> str:
    """Ends a session and returns its ID token for the identity provider's log-out. Returns "" if it had already ended."""
    session = Session.objects.select_for_update().filter(pk=session_id, ended_at=None).first()
    if session is None:
        return ""
    id_token = session.id_token
    _end([session], reason, actor_ref=actor_ref)
    return id_token


@transaction.atomic(durable=True)
def end_another(session_id: UUID, *, actor_ref: str) -> bool:
    """Ends somebody else's session for an administrator, who is checked by the caller. Returns False if it had already ended."""
    session = live().select_for_update().filter(pk=session_id).first()
    if session is None:
        return False
    _end([session], ENDED_BY_ADMINISTRATOR, actor_ref=actor_ref)
    return True


@transaction.atomic(durable=True)
def end_own(subject_ref: str, session_id: UUID) -> bool:
    """Ends one of the person's own sessions. Returns False if the person has no such live session."""
    session = live().select_for_update().filter(pk=session_id, subject_ref=subject_ref).first()
    if session is None:
        return False
    _end([session], ENDED_ELSEWHERE, actor_ref=subject_ref)
    return True


def last_log_ins(subject_refs: Iterable[str]) -> dict[str, dt.datetime]:
    """Returns the last log-in of each subject. Leaves out subjects who have never logged in."""
    return dict(LastLogIn.objects.filter(subject_ref__in=set(subject_refs)).values_list("subject_ref", "at"))


def is_logged_in_since(subject_ref: str, moment: dt.datetime, *, means: Collection[str] = ()) -> bool:
    """Returns whether the person has a session that has not ended, with a log-in or step-up at `moment` or later, by one of
    `means` if any are given.
    """
    found = Session.objects.filter(subject_ref=subject_ref, ended_at=None, authenticated_at__gte=moment)
    return (found.filter(means__in=means) if means else found).exists()


def end_sessions(subject_ref: str, *, reason: str, actor_ref: str = "", keep: UUID | None = None) -> int:
    """Ends all live sessions of a person but `keep`, in the caller's transaction or a new one, and returns how many."""
    with transaction.atomic():
        _lock(subject_ref)
        rows = live().select_for_update().filter(subject_ref=subject_ref).order_by("pk")
        sessions = [row for row in rows if row.pk != keep]
        _end(sessions, reason, actor_ref=actor_ref or subject_ref)
    return len(sessions)


@transaction.atomic(durable=True)
def sweep() -> int:
    """Ends up to 500 sessions past a time limit, with an event each, and returns how many.

    Deletes expired anonymous sessions, sessions that ended long ago and old kept forms.
    """
    now = clock.now()
    over = Q(expires_at__lte=now) | _idle(now)
    rows = Session.objects.exclude(subject_ref="").filter(over, ended_at=None)
    due = list(rows.select_for_update(skip_locked=True).order_by("pk")[:500])
    for reason in (ABSOLUTE, IDLE):
        _end([row for row in due if why_ended(row) == reason], reason, actor_ref="system:authn_sessions")
    kept_forms.forget_old()
    Session.objects.filter(subject_ref="", expires_at__lte=now).delete()
    Session.objects.filter(ended_at__lte=now - dt.timedelta(days=KEPT_DAYS)).delete()
    return len(due)


def _end(sessions: Sequence[Session], reason: str, *, actor_ref: str) -> None:
    for session in sessions:
        session.end_reason = reason
        session.ended_at = clock.now()
        session.data = session.id_token = ""
        _record(session, "session.ended", actor_ref, {"reason": reason})
    Session.objects.bulk_update(sessions, ["end_reason", "ended_at", "data", "id_token"])
    if reason not in KEEPING:
        kept_forms.forget(*(session.subject_ref for session in sessions))


def _record(session: Session, action: str, actor_ref: str, facts: dict[str, object]) -> None:
    Event.record(
        actor_ref=actor_ref,
        action=action,
        subject_type="session",
        subject_ref=str(session.pk),
        facts=facts | {"subject": session.subject_ref},
    )


def _lock(subject_ref: str) -> None:
    """Serialises log-ins of a person until the transaction ends: two at once would each see no other session."""
    number = int.from_bytes(hashlib.sha256(f"authn.session:{subject_ref}".encode()).digest()[:8], "big", signed=True)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [number])
