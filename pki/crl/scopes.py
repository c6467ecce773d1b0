"""Which CRLs are due and which worker may make one: a lease for each scope, rising numbers, and a pause after revocations.
A CRL whose file is missing is due at once.

A scope is all of a CA's certificates, or one shard of them. A worker takes the scope's lease and draws a number in one short
transaction; it publishes only if it still has the lease. The lease of a dead worker expires. A number is drawn once; the event
`crl.abandoned` records a number that did not become a CRL.
"""

import datetime as dt
import time
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import structlog
from django.db import connection, transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Right

from pki.authorities.clock_guard import ClockWentBack
from pki.authorities.crl_addresses import crl_path
from pki.domain import crl_shards
from pki.models import ONLINE, CaState, Certificate, CertificateAuthority, CertificateStatus, Crl, CrlScope, Event
from siths_portal.lib import clock
from siths_portal.lib.errors import NotFound

log = structlog.get_logger(__name__)

LEASE = dt.timedelta(minutes=2)
"""Longer than the largest CRL takes to make. A dead worker blocks its scope for so long."""

WAIT = LEASE + dt.timedelta(seconds=10)
"""How long `take` waits for another worker's lease: until a dead worker's lease has expired."""

QUIET = dt.timedelta(seconds=30)
APART = dt.timedelta(minutes=5)
"""A revocation is published once none has followed for QUIET, or after APART. CRLs for revocations are at least APART apart."""

_FIRST_RETRY, _MOST_RETRIES = dt.timedelta(seconds=10), 6  # then every 10 minutes
_POLL = 0.05  # seconds between checks of another worker's lease
ACTOR = "system:crl"


class CrlBusy(RuntimeError):
    """Another worker makes this CRL and did not finish in time."""


class LastListIsOut(Exception):
    """The scope has its last CRL, which is `crl`: no number is drawn for it any more."""

    def __init__(self, crl: Crl) -> None:
        super().__init__("the last list is out")
        self.crl = crl


class AlreadyMade(Exception):
    """Another worker has made the CRL since it was found to be due."""


class LeaseLost(RuntimeError):
    """The work took longer than the lease, and another worker has taken over; nothing was published."""


@dataclass(frozen=True)
class Draft:
    """The right to make one CRL, and its contents. The number is drawn and never used again.

    Every status change up to `status_version` was committed before `this_update`. `next_update` is None for the CA's last CRL.
    """

    scope_id: int
    lease: uuid.UUID
    ca: CertificateAuthority
    shard: int | None
    number: int
    status_version: int
    this_update: dt.datetime
    next_update: dt.datetime | None
    previous: Crl | None


def shards_of(ca: CertificateAuthority) -> list[int | None]:
    """Returns the scopes of the CA: all of its certificates, and its shards if it has more than one."""
    return [None, *(range(ca.crl_shards) if ca.crl_shards > 1 else ())]


@dataclass(frozen=True)
class Due:
    """A scope whose CRL is due, and the CRL that is too old, if there is one."""

    ca: CertificateAuthority
    shard: int | None
    newest_id: int | None


def take(ca_id: int, shard: int | None, *, wait: dt.timedelta = WAIT, due: Due | None = None) -> Draft:
    """Takes the lease, and draws a number.

    Raises CrlBusy, NotFound for an unknown scope, and with no number drawn ClockWentBack, LastListIsOut, and AlreadyMade if the
    newest CRL is not the one that `due` found too old.
    """
    end = time.monotonic() + wait.total_seconds()
    while (draft := _take(ca_id, shard, due)) is None:
        if time.monotonic() >= end:
            raise CrlBusy("another worker makes this list")
        time.sleep(_POLL)
    return draft


@transaction.atomic(durable=True)
def _take(ca_id: int, shard: int | None, due: Due | None) -> Draft | None:
    scope = _locked(ca_id, shard)
    if due is not None and scope.newest_id != due.newest_id:
        raise AlreadyMade
    now = clock.now()
    if scope.lease is not None and scope.leased_until is not None and scope.leased_until > now:
        return None
    if scope.newest is not None and scope.newest.next_update is None:
        raise LastListIsOut(scope.newest)
    _check_clock(scope, now)
    if scope.lease is not None:
        _tell_abandoned(scope, "lease ran out")
    ca = CertificateAuthority.objects.select_for_update(no_key=True).get(id=ca_id)
    # Read after taking the CA's lock: every status change up to its version is committed and older than this.
    now = clock.now()
    ca.last_crl_number = max(ca.last_crl_number + 1, int(now.timestamp() * 1000))
    ca.save(update_fields=["last_crl_number"])
    scope.lease, scope.leased_until, scope.number = uuid.uuid4(), now + LEASE, ca.last_crl_number
    scope.save(update_fields=["lease", "leased_until", "number"])
    this_update = now.replace(microsecond=0)
    return Draft(
        scope_id=scope.pk,
        lease=scope.lease,
        ca=ca,
        shard=shard,
        number=scope.number,
        status_version=ca.status_version,
        this_update=this_update,
        next_update=None if _is_over(ca, shard, now) else this_update + ca.crl_validity,
        previous=scope.newest,
    )


def _locked(ca_id: int, shard: int | None) -> CrlScope:
    ca = CertificateAuthority.objects.filter(id=ca_id).first()
    if ca is None or shard not in shards_of(ca):
        raise NotFound("ca-unknown", "Utfärdaren finns inte.")
    rows = CrlScope.objects.select_for_update(of=("self",), no_key=True).select_related("newest").filter(ca=ca, shard=shard)
    found = rows.first()
    if found is None:
        CrlScope.objects.bulk_create([CrlScope(ca=ca, shard=shard)], ignore_conflicts=True)
        found = rows.get()
    return found


def _check_clock(scope: CrlScope, now: dt.datetime) -> None:
    if scope.newest is not None and now.replace(microsecond=0) < scope.newest.this_update:
        log.error("crl.clock_went_back", ca=scope.ca_id, now=now, newest=scope.newest.this_update)
        raise ClockWentBack("the newest list is of a later time")


def _is_over(ca: CertificateAuthority, shard: int | None, now: dt.datetime) -> bool:
    """Whether no certificate of the scope can be revoked any more (EN 319 411-1 section 6.3.9), so that its last CRL is due."""
    if ca.state != CaState.RETIRED:
        return False
    live = Certificate.objects.filter(ca=ca, status__in=[CertificateStatus.RESERVED, CertificateStatus.ISSUED], not_after__gt=now)
    return not within(live, ca, shard).exists()


def within(rows: QuerySet[Certificate], ca: CertificateAuthority, shard: int | None) -> QuerySet[Certificate]:
    """Returns those of a CA's certificates that the scope's CRL covers."""
    if shard is None:
        return rows
    ending = Right("serial", 2)
    return rows.alias(ending=ending).filter(ending__in=crl_shards.endings(shard, ca.crl_shards))


def settle(draft: Draft, published: Crl) -> None:
    """Releases the lease and records the published CRL, in the caller's transaction, which `hold` began."""
    CrlScope.objects.filter(id=draft.scope_id).update(newest=published, lease=None, leased_until=None, failures=0, retry_at=None)


def hold(draft: Draft) -> None:
    """Locks the scope until the caller's transaction ends. Raises LeaseLost if another worker has the lease by now."""
    scope = CrlScope.objects.select_for_update(no_key=True).get(id=draft.scope_id)
    if scope.lease != draft.lease:
        raise LeaseLost("another worker has taken the lease over")


@transaction.atomic(durable=True)
def give_up(draft: Draft, error: str) -> None:
    """Releases the lease without a CRL and records why, unless another worker has it by now; the sweeper waits for a retry."""
    scope = CrlScope.objects.select_for_update(no_key=True).get(id=draft.scope_id)
    if scope.lease != draft.lease:
        return
    _tell_abandoned(scope, error)
    wait = _FIRST_RETRY * 2 ** min(scope.failures, _MOST_RETRIES)
    scope.lease = scope.leased_until = None
    scope.failures, scope.retry_at = min(scope.failures + 1, 1000), clock.now() + wait
    scope.save(update_fields=["lease", "leased_until", "failures", "retry_at"])


def _tell_abandoned(scope: CrlScope, why: str) -> None:
    Event.record(
        actor_ref=ACTOR,
        action="crl.abandoned",
        subject_type="certificate_authority",
        subject_ref=str(scope.ca_id),
        facts={"number": scope.number, "shard": scope.shard, "why": why},
    )


def find_due(authorities: Iterable[CertificateAuthority], now: dt.datetime) -> Iterator[Due]:
    """Yields the scopes of these CAs whose CRL is due and that no worker works on."""
    by_id = {ca.id: ca for ca in authorities}
    known = {(row.ca_id, row.shard): row for row in _with_changes(by_id)}
    for ca in by_id.values():
        for shard in shards_of(ca):
            row = known.get((ca.id, shard))
            if row is None or _is_due(row, ca, now):
                yield Due(ca, shard, row.newest_id if row else None)


@dataclass(frozen=True)
class _Scope:
    """A scope with the times of its newest CRL, and the first and last revocation that this CRL lacks."""

    ca_id: int
    shard: int | None
    newest_id: int | None
    this_update: dt.datetime | None
    is_last: bool
    leased_until: dt.datetime | None
    retry_at: dt.datetime | None
    first_change: dt.datetime | None
    last_change: dt.datetime | None


# A CRL lacks few rows, which `pki_cert_changed` finds.
_CHANGES = """
SELECT scope.ca_id, scope.shard, crl.id, crl.this_update, crl.id IS NOT NULL AND crl.next_update IS NULL,
       CASE WHEN scope.lease IS NOT NULL THEN scope.leased_until END, scope.retry_at, lacks.first, lacks.last
FROM pki_crlscope scope
JOIN pki_certificateauthority ca ON ca.id = scope.ca_id
LEFT JOIN pki_crl crl ON crl.id = scope.newest_id
LEFT JOIN LATERAL (
  SELECT min(revoked_at) AS first, max(revoked_at) AS last FROM pki_certificate row
  WHERE row.ca_id = scope.ca_id AND row.status = 'revoked' AND row.status_version > crl.status_version
    AND (scope.shard IS NULL OR get_byte(decode(right(row.serial, 2), 'hex'), 0) %% ca.crl_shards = scope.shard)
) lacks ON true
WHERE scope.ca_id = ANY(%s)
"""


def _with_changes(ca_ids: Iterable[int]) -> list[_Scope]:
    with connection.cursor() as cursor:
        cursor.execute(_CHANGES, [list(ca_ids)])
        return [_Scope(*row) for row in cursor.fetchall()]


def _is_due(scope: _Scope, ca: CertificateAuthority, now: dt.datetime) -> bool:
    if scope.is_last:
        return False
    if scope.leased_until is not None:
        return scope.leased_until <= now  # its worker died: the published file may be newer than the row
    if scope.retry_at is not None:
        return scope.retry_at <= now
    if scope.this_update is None or scope.this_update + ca.crl_period <= now or not crl_path(ca, scope.shard).exists():
        return True
    if scope.first_change is None or scope.last_change is None or scope.this_update + APART > now:
        return False
    return scope.last_change + QUIET <= now or scope.first_change + APART <= now


def online(now: dt.datetime) -> QuerySet[CertificateAuthority]:
    """CAs that publish by themselves: until their certificates expire, since no certificate outlives its CA.

    A retired CA publishes until its last CRL is out.
    """
    rows = CertificateAuthority.objects.filter(state__in=ONLINE).exclude(key_id="")
    lacking = CrlScope.objects.filter(newest=None) | CrlScope.objects.exclude(newest__next_update=None)
    ended_without = Q(state=CaState.RETIRED) & Q(id__in=lacking.values("ca_id"))
    return rows.filter(~Q(not_after__lte=now) | ended_without).order_by("id")
