"""The signed heads of the audit chains: made hourly, recorded as an event of `pki`, and compared with the chains."""

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
    """Returns number and hash of the newest statement in the database's events, or None."""
    newest = Event.objects.filter(subject_type=SUBJECT, action=SEALED).order_by("-id").first()
    return (int(newest.facts["number"]), str(newest.facts["sha256"])) if newest else None


def _begun() -> frozenset[int]:
    """Returns the numbers at which an operator deliberately began a new file."""
    found = Event.objects.filter(subject_type=SUBJECT, action=BEGUN).values_list("facts", flat=True)
    return frozenset(int(facts["number"]) for facts in found)


def examine() -> audit_heads.Report:
    """Checks the file of heads against the database's events about it."""
    return audit_heads.examine(ports.get(AuditKeys), recorded=recorded(), begun=_begun())


def seal_due() -> bool:
    """Makes a statement if the newest one is older than the period. Returns whether it did. Runs in the `pki` worker."""
    newest = audit_heads.last()
    period = dt.timedelta(seconds=settings.AUDIT_HEAD_SECONDS)
    if newest is not None and newest.at <= clock.now() < newest.at + period:
        return False
    return seal()


def seal() -> bool:
    """Makes a statement now, unless the file lacks a statement that the database has, or the keys cannot be used.

    Raises ClockWentBack and then writes nothing. It writes the file before the event, so a crash in between leaves a statement
    that is only in the file; this is not a fault.
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
        return False  # another process has written one
    heads = {app: {"seq": head.seq, "digest": head.digest.hex()} for app, head in statement.heads.items()}
    Event.record(
        actor_ref=ACTOR,
        action=SEALED,
        subject_type=SUBJECT,
        subject_ref=str(statement.number),
        facts={"number": statement.number, "sha256": statement.sha256, "key_id": statement.key_id},
    )
    # The log is shipped to another system, so it is a third copy.
    log.info("audit.head", number=statement.number, sha256=statement.sha256, heads=heads, at=statement.at.isoformat())
    return True


def begin_anew(*, actor_ref: str, reason: str) -> int:
    """Makes the next statement begin a new file, and returns its number. Raises Conflict if the old file still exists."""
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
