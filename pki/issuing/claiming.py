"""Claims reserved certificates for signing. A claim is committed before the token signs, so a crash leaves a trace.

While a worker has claimed a row, others do not sign it; a claim expires by itself (rules/pki 3.1).
"""

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction
from django.db.models import F, Q, QuerySet

from pki.issuing import key_checks
from pki.models import CaState, Certificate, CertificateAuthority, CertificateStatus, ProfileVersion
from siths_portal.lib import clock

CLAIM = dt.timedelta(seconds=settings.PKI_SIGNING_CLAIM_SECONDS)
# After so many counted attempts a row is no longer claimed; the sweeper revokes it in time.
MAX_ATTEMPTS = 30


@dataclass(frozen=True, slots=True)
class Claimed:
    """The values of a reserved row that signing needs, from before it was claimed."""

    id: UUID
    ca: CertificateAuthority
    profile_version: ProfileVersion | None
    serial: str
    tbs_der: bytes = field(repr=False)
    tbs_sha256: str
    spki_sha256: str
    subject_ref: str
    carrier_ref: str
    unit_ref: str
    client_ref: str
    created_at: dt.datetime
    not_before: dt.datetime
    not_after: dt.datetime
    held: bool
    signing_started_at: dt.datetime | None
    signing_attempts: int


_COLUMNS = (
    "id",
    "ca_id",
    "profile_version_id",
    "serial",
    "tbs_der",
    "tbs_sha256",
    "spki_sha256",
    "subject_ref",
    "carrier_ref",
    "unit_ref",
    "client_ref",
    "created_at",
    "not_before",
    "not_after",
    "held",
    "signing_started_at",
    "signing_attempts",
)


def reserved() -> QuerySet[Certificate]:
    """Returns reserved rows except those of CAs and OCSP responders, which ceremonies and `responders` sign themselves.

    Otherwise a process that can insert a row could get a certificate that controls the status of others.
    """
    own = ProfileVersion.objects.filter(Q(definition__basic_constraints=True) | Q(definition__no_check=True))
    rows = Certificate.objects.filter(status=CertificateStatus.RESERVED).exclude(profile_version__in=own)
    return rows.exclude(ca__state__in=[CaState.PLANNED, CaState.OFFLINE])


def claim(certificate_ids: list[UUID] | None, limit: int) -> tuple[list[Claimed], dt.datetime]:
    """Claims rows, those given or the oldest, and commits. Returns the rows as they were before, and the time of the claim."""
    with transaction.atomic(durable=True):
        rows = _claimable(certificate_ids).select_for_update(of=("self",), skip_locked=True, no_key=True)
        found = list(_claimed(list(rows.order_by("created_at", "id").values_list(*_COLUMNS)[:limit])))
        moment = clock.now()
        with connection.cursor() as cursor:
            cursor.execute(CLAIM_ROWS, [moment, [row.id for row in found]])
    return found, moment


CLAIM_ROWS = """
UPDATE pki_certificate SET signing_started_at = %s, signing_attempts = signing_attempts + 1 WHERE id = ANY(%s::uuid[])
"""


def _claimable(certificate_ids: list[UUID] | None) -> QuerySet[Certificate]:
    free = Q(signing_started_at=None) | Q(signing_started_at__lt=clock.now() - CLAIM)
    rows = key_checks.without_compromised(reserved().filter(free, tbs_der__isnull=False, signing_attempts__lt=MAX_ATTEMPTS))
    rows = rows.exclude(ca__state=CaState.COMPROMISED)
    return rows if certificate_ids is None else rows.filter(id__in=certificate_ids)


def _claimed(rows: Sequence[tuple[object, ...]]) -> Iterator[Claimed]:
    authorities = CertificateAuthority.objects.in_bulk({row[1] for row in rows})
    versions = ProfileVersion.objects.in_bulk({row[2] for row in rows} - {None})
    for id_, ca_id, version_id, serial, tbs_der, *rest in rows:
        yield Claimed(id_, authorities[ca_id], versions.get(version_id), serial, bytes(tbs_der), *rest)  # type: ignore[arg-type, call-overload, index]


def take_back(rows: Sequence[Claimed], moment: dt.datetime, *, free: bool) -> None:
    """Decrements the attempts of rows that were not signed; with `free` also releases the claims made at `moment`.

    Without `free` a claim expires by itself, so that the rows of a CA without its key are not claimed before all others again.
    """
    if not rows:
        return
    reserved_still = Certificate.objects.filter(id__in=[row.id for row in rows], status=CertificateStatus.RESERVED)
    with transaction.atomic(durable=True):
        # In the order of ids, as revocations of several certificates lock: another order could deadlock.
        locked = reserved_still.select_for_update(no_key=True).order_by("id").values_list("id", flat=True)
        ours = Certificate.objects.filter(id__in=list(locked))
        ours.update(signing_attempts=F("signing_attempts") - 1)
        for before in {row.signing_started_at for row in rows} if free else ():
            same = [row.id for row in rows if row.signing_started_at == before]
            ours.filter(id__in=same, signing_started_at=moment).update(signing_started_at=before)
