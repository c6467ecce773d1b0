"""The signed heads of the audit chains: made hourly, recorded as an event of `pki`, compared with both."""

import datetime as dt

import structlog
from django.conf import settings

from pki.authorities import clock_guard
from pki.models import Event
from siths_portal.lib import clock, ports
from siths_portal.lib.audit import heads as audit_heads
from siths_portal.lib.audit.keys import AuditKeys, KeysUnavailable, KeyUnknown
from siths_portal.lib.errors import Conflict
from siths_portal.wiring import chains

log = structlog.get_logger(__name__)
ACTOR = "system:audit"
SUBJECT = "audit_head"
SEALED = "audit.head_sealed"
BEGUN = "audit.head_file_begun"


def recorded() -> tuple[int, str] | None:
    """Number and hash of the newest statement that the database tells of."""
    newest = Event.objects.filter(subject_type=SUBJECT, action=SEALED).order_by("-id").first()
    return (int(newest.facts["number"]), str(newest.facts["sha256"])) if newest else None


def _begun() -> frozenset[int]:
    """Numbers at which an operator knowingly began a new file."""
    found = Event.objects.filter(subject_type=SUBJECT, action=BEGUN).values_list("facts", flat=True)
    return frozenset(int(facts["number"]) for facts in found)


def examine() -> audit_heads.Report:
    """Reads the file of heads and compares it with what the database tells of it."""
    return audit_heads.examine(ports.get(AuditKeys), recorded=recorded(), begun=_begun())


def seal_due() -> bool:
    """Makes a statement if the newest one is older than the period; whether it did. Needs the token: the `pki` worker."""
    newest = audit_heads.last()
    period = dt.timedelta(seconds=settings.AUDIT_HEAD_SECONDS)
    if newest is not None and newest.at <= clock.now() < newest.at + period:
        return False
    return seal()


def seal() -> bool:
    """Makes a statement now, unless the file lacks what the database tells of, or the keys cannot be used.

    Raises ClockWentBack, and writes nothing. First the file, then the event: a crash between the two leaves a statement that is
    only in the file, which is no fault.
    """
    clock_guard.check()
    newest, known = audit_heads.last(), recorded()
    if known and (newest is None or newest.number < known[0]) and known[0] + 1 not in _begun():
        log.error("audit.head_file_lacks", recorded=known[0], newest=newest.number if newest else 0)
        return False
    number, previous = known or (0, audit_heads.FIRST)
    if newest is not None:
        number, previous = newest.number, newest.sha256
    try:
        statement = audit_heads.append(chains.heads(), ports.get(AuditKeys), number=number + 1, previous=previous)
    except (KeysUnavailable, KeyUnknown) as error:
        log.error("audit.head_postponed", error=type(error).__name__)
        return False
    if statement is None:
        return False  # another process was first
    heads = {app: {"seq": head.seq, "digest": head.digest.hex()} for app, head in statement.heads.items()}
    Event.record(
        actor_ref=ACTOR,
        action=SEALED,
        subject_type=SUBJECT,
        subject_ref=str(statement.number),
        facts={"number": statement.number, "sha256": statement.sha256, "key_id": statement.key_id},
    )
    # The log is shipped to a third place.
    log.info("audit.head", number=statement.number, sha256=statement.sha256, heads=heads, at=statement.at.isoformat())
    return True


def begin_anew(*, actor_ref: str, reason: str) -> int:
    """Lets the next statement, whose number is returned, begin a new file. Raises Conflict unless the old one was put away."""
    if audit_heads.last() is not None:
        raise Conflict("head-file-present", "Flytta först undan filen med huvuden; den är ett bevis och ska bevaras.")
    known = recorded()
    number = known[0] + 1 if known else 1
    Event.record(
        actor_ref=actor_ref,
        action=BEGUN,
        subject_type=SUBJECT,
        subject_ref=str(number),
        facts={"number": number, "reason": reason},
    )
    return number
