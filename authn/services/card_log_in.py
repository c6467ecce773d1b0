"""A log-in with the certificate of a card in the person's own computer, without an identity provider (rules/authn 1.5).

A site begins it and sends the browser to the face `login`, where TLS asks for the certificate. That face stores a ticket and
sends the browser back to the site, which ends the log-in. Neither address holds anything about the person.
"""

import datetime as dt
import secrets
from collections.abc import Mapping
from urllib.parse import urlencode
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction

from authn.domain.id_token import Identity
from authn.models import CARD, LogInAttempt, LogInTicket
from authn.ports import CardCertificates, SubjectUnknown
from authn.services import log_in, sessions, sites, start_budgets
from authn.services.log_in import CompletedLogIn, LogInRefused
from siths_portal.lib import clock, ports

TICKET_SECONDS = 60
CALLBACK_PATH = "/logga-in/kort/"
_PRESENT_PATH = "/logga-in/"


def is_offered() -> bool:
    """Returns whether this installation has the face where the certificate is asked for."""
    return bool(settings.LOGIN_BASE_URL)


def begin(session_id: UUID, next_path: str, *, step_up: bool) -> str:
    """Begins a log-in of this browser and returns the URL where its certificate is asked for. Raises TooManyRequests (S47)."""
    organisation = start_budgets.check(session_id)
    state = secrets.token_urlsafe(32)
    log_in.remember(session_id, CARD, state, "", "", next_path, step_up=step_up, organisation=organisation)
    return f"{settings.LOGIN_BASE_URL}{_PRESENT_PATH}?{urlencode({'state': state})}"


def present(state: str, der: bytes) -> str:
    """Takes the certificate of the TLS connection and returns the URL of the site to which the browser goes back.

    The URL has a ticket, or `error` if the certificate is refused, with an event; the site shows why it is not logged in. Raises
    LogInRefused if the state is unknown, used, late, of another kind of log-in, or has a ticket already.
    """
    attempt = LogInAttempt.objects.filter(state_hash=log_in.digest(state), issuer=CARD).first()
    if attempt is None or attempt.used_at is not None or log_in.is_late(attempt):
        late = "state-used" if attempt and attempt.used_at else "state-expired"
        raise log_in.refused_state(late if attempt else "state-unknown", None, None)
    back = f"{sites.base_url(attempt.face)}{CALLBACK_PATH}"
    try:
        reference = ports.get(CardCertificates).reference(der)
    except SubjectUnknown as unknown:
        log_in.refused(unknown.reason, attempt)
        return f"{back}?{urlencode({'state': state, 'error': 'refused'})}"
    ticket = secrets.token_urlsafe(32)
    try:
        _store(attempt, ticket, reference)
    except IntegrityError:
        raise log_in.refused("ticket-repeated", attempt) from None
    return f"{back}?{urlencode({'state': state, 'ticket': ticket})}"


@transaction.atomic(durable=True)
def _store(attempt: LogInAttempt, ticket: str, reference: str) -> None:
    LogInTicket.objects.create(
        ticket_hash=log_in.digest(ticket),
        state_hash=attempt.state_hash,
        face=attempt.face,
        certificate_ref=reference,
        issued_at=clock.now(),
    )


def complete(session_id: UUID | None, query: Mapping[str, str]) -> CompletedLogIn:
    """Ends the log-in by its ticket. Raises LogInRefused, with an event unless the certificate was refused before."""
    attempt = log_in.take(session_id, query.get("state", ""))
    if attempt.issuer != CARD:
        raise log_in.refused("answer-method", attempt)
    if "error" in query:
        raise LogInRefused("certificate-refused")
    ticket = _take(attempt, query.get("ticket", ""))
    try:
        holder = ports.get(CardCertificates).holder(ticket.certificate_ref)
    except SubjectUnknown as unknown:
        raise log_in.refused(unknown.reason, attempt) from None
    if holder.credential.level not in sites.here().levels:
        raise log_in.refused("certificate-level", attempt)
    facts: dict[str, object] = {"method": CARD, "certificate": ticket.certificate_ref}
    accepted = sessions.LogIn(ticket.issued_at, "", facts)
    identity = Identity(holder.hsa_id, holder.hsa_ids, holder.person_id, holder.credential)
    return CompletedLogIn(identity, accepted, attempt.next_path, attempt.step_up)


def _take(attempt: LogInAttempt, value: str) -> LogInTicket:
    """Returns the ticket and marks it as used. Raises LogInRefused."""
    with transaction.atomic(durable=True):
        ticket = LogInTicket.objects.select_for_update().filter(ticket_hash=log_in.digest(value)).first()
        fault = _fault(ticket, attempt)
        if ticket is not None and not fault:
            ticket.used_at = clock.now()
            ticket.save(update_fields=["used_at"])
    if ticket is None or fault:
        raise log_in.refused(fault, attempt)
    return ticket


def _fault(ticket: LogInTicket | None, attempt: LogInAttempt) -> str:
    if ticket is None:
        return "ticket-unknown"
    if ticket.used_at is not None:
        return "ticket-used"
    if (ticket.state_hash, ticket.face) != (attempt.state_hash, settings.FACE):
        return "ticket-of-another-log-in"
    late = clock.now() - ticket.issued_at > dt.timedelta(seconds=TICKET_SECONDS)
    return "ticket-expired" if late else ""
