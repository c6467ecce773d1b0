"""The published status of each CA: its CRLs and their ages, its responder and OCSP responses, and their delays.

Reads the database with one query for each kind, however many CAs there are; the worker reports on files (`StatusReport`).
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import connection

from pki.authorities.queries import must_answer
from pki.models import ONLINE, CaState, CertificateAuthority, StatusReport
from siths_portal.lib import clock

COUNTED = 10_000
"""The limit up to which certificates without a response, or missing from a CRL, are counted."""
LATE = 1.5
"""A CRL older than so many periods is late (rules/pki 6.1)."""
SHOWN = [*ONLINE, CaState.OFFLINE]
"""States whose CAs are shown, in addition to CAs that must have a responder (`authorities.must_answer`)."""
ANSWERS_SOON, ANSWERS_LAST = 0.5, 0.25
"""The remaining fractions of responses' validity that trigger a warning: for a ceremony to plan, and for any renewal."""


@dataclass(frozen=True)
class ListStatus:
    """A scope of a CA's revocations, all (`shard` None) or one shard, and its published CRL.

    `number` is None before the first CRL, `next_update` for a CA's last one. `lacks` counts later revocations, at most COUNTED;
    `first_lacking` is the oldest of those. `leased_until` is set while a worker makes the next CRL. `failures` counts failed
    attempts in a row, and `failure` is the last error's text; the next attempt is at `retry_at`.
    """

    shard: int | None
    number: int | None
    this_update: dt.datetime | None
    next_update: dt.datetime | None
    entries: int
    size: int
    lacks: int
    first_lacking: dt.datetime | None
    leased_until: dt.datetime | None
    failures: int
    failure: str
    retry_at: dt.datetime | None

    def age(self, now: dt.datetime) -> dt.timedelta:
        """Returns the time since thisUpdate; zero before the first CRL."""
        return now - self.this_update if self.this_update else dt.timedelta()

    def left(self, now: dt.datetime) -> dt.timedelta | None:
        """Returns the time until nextUpdate; None for a CRL without nextUpdate and before the first CRL."""
        return self.next_update - now if self.next_update else None

    def state(self, period: dt.timedelta, now: dt.datetime) -> str:
        """Returns `missing`, `last` for a CRL without nextUpdate, `ended`, `late`, or `current`."""
        if self.this_update is None:
            return "missing"
        if self.next_update is None:
            return "last"
        if self.next_update <= now:
            return "ended"
        return "late" if self.age(now) > LATE * period else "current"


@dataclass(frozen=True)
class AnswerStatus:
    """A CA's OCSP responses. `signer_until` is None without a responder; an offline CA signs responses with its own key.

    `expected` says whether the CA must have a responder: only a CA that never had to respond needs none (ADR 0216).

    `held` certificates are on hold, at most COUNTED; their responses are signed for each request.

    `waiting` certificates lack a response with their present status, at most COUNTED; `waiting_since` is when the first of them
    got that status. `oldest` and `first_end` are the thisUpdate and nextUpdate of the response that expires first. `stored`
    certificates had a current response at the worker's last count, None before it.
    """

    expected: bool
    signer_until: dt.datetime | None
    signer_key_id: str
    signer_certificate: UUID | None
    held: int
    waiting: int
    waiting_since: dt.datetime | None
    oldest: dt.datetime | None
    first_end: dt.datetime | None
    stored: int | None

    @property
    def coverage(self) -> float | None:
        """Returns the fraction of certificates that have the response they need, 0 to 1; None before the first count."""
        if self.stored is None:
            return None
        return self.stored / (self.stored + self.waiting) if self.stored + self.waiting else 1.0

    def part_left(self, now: dt.datetime) -> float | None:
        """Returns the remaining fraction of the first expiring response's validity, 1 to 0 and below; None without responses."""
        if self.oldest is None or self.first_end is None:
            return None
        return part_left(self.oldest, self.first_end, now)


def part_left(begin: dt.datetime, end: dt.datetime, now: dt.datetime) -> float:
    """Returns the remaining fraction of a validity from `begin` to `end`."""
    return (end - now) / (end - begin) if end > begin else 0.0


@dataclass(frozen=True)
class CaStatus:
    """One CA that publishes status. The first of `lists` is the CRL of all certificates."""

    id: int
    slug: str
    generation: int
    common_name: str
    state: str
    has_key: bool
    period: dt.timedelta
    validity: dt.timedelta
    lists: tuple[ListStatus, ...]
    answers: AnswerStatus

    @property
    def answers_itself(self) -> bool:
        """Returns whether it signs its own responses, at ceremonies."""
        return self.state == CaState.OFFLINE

    @property
    def has_answers(self) -> bool:
        """Returns whether relying parties use OCSP for it, even if it has no valid response now."""
        return self.answers_itself or self.answers.expected

    def answers_end_soon(self, now: dt.datetime) -> bool:
        """Returns whether the renewal of responses is late, or a ceremony that renews them must be planned."""
        part = self.answers.part_left(now)
        return part is not None and part <= (ANSWERS_SOON if self.answers_itself else ANSWERS_LAST)


@dataclass(frozen=True)
class ResponderProcess:
    """A process of the OCSP responder, by its last report. `followed_at` is the time of the store's state that it uses."""

    pid: int
    started_at: dt.datetime
    told_at: dt.datetime
    followed_at: dt.datetime | None
    generation: str
    answered: int
    errors: int


@dataclass(frozen=True)
class StoreStatus:
    """The worker's last report on the OCSP store and its processes. `generation` is the index's name, empty without a store."""

    seen_at: dt.datetime
    counted_at: dt.datetime | None
    generation: str
    followed_at: dt.datetime | None
    processes: tuple[ResponderProcess, ...]


def ca_statuses() -> list[CaStatus]:
    """Returns every CA that publishes status and whose certificate has not expired, by name and generation."""
    report = StatusReport.objects.first()
    return _statuses(report.stored if report and report.counted_at else None)


def status_of_store() -> StoreStatus | None:
    """Returns the worker's last report, or None before the first."""
    report = StatusReport.objects.first()
    if report is None:
        return None
    return StoreStatus(
        seen_at=report.seen_at,
        counted_at=report.counted_at,
        generation=report.store.get("generation", ""),
        followed_at=_moment(report.store.get("followed_at")),
        processes=tuple(
            ResponderProcess(
                pid=each["pid"],
                started_at=dt.datetime.fromtimestamp(each["started_at"], dt.UTC),
                told_at=dt.datetime.fromtimestamp(each["told_at"], dt.UTC),
                followed_at=_moment(each.get("followed_at")),
                generation=each["generation"],
                answered=each["answered"],
                errors=each["errors"],
            )
            for each in report.processes
        ),
    )


def _moment(seconds: float | None) -> dt.datetime | None:
    return dt.datetime.fromtimestamp(seconds, dt.UTC) if seconds else None


def _statuses(stored: Mapping[str, int] | None) -> list[CaStatus]:
    expected = list(CertificateAuthority.objects.filter(must_answer()).values_list("id", flat=True))
    shown = [str(each) for each in SHOWN]
    answers = {row["ca_id"]: row for row in _rows(_ANSWERS, shown=shown, expected=expected, offline=str(CaState.OFFLINE))}
    lists: dict[int, list[ListStatus]] = {}
    authorities = _rows(_LISTS, shown=shown, expected=expected)
    for row in authorities:
        if row["scope_id"] is not None:
            lists.setdefault(row["ca_id"], []).append(_list(row))
    by_id = {row["ca_id"]: row for row in authorities}
    return [
        CaStatus(
            id=id_,
            slug=row["slug"],
            generation=row["generation"],
            common_name=row["common_name"],
            state=row["state"],
            has_key=row["has_key"],
            period=row["crl_period"],
            validity=row["crl_validity"],
            lists=tuple(lists.get(id_, ())),
            answers=_answers(answers[id_], stored.get(str(id_), 0) if stored is not None else None),
        )
        for id_, row in by_id.items()
    ]


def _list(row: Mapping[str, Any]) -> ListStatus:
    return ListStatus(
        shard=row["shard"],
        number=row["number"],
        this_update=row["this_update"],
        next_update=row["next_update"],
        entries=row["entries"] or 0,
        size=row["size"] or 0,
        lacks=row["lacks"],
        first_lacking=row["first_lacking"],
        leased_until=row["leased_until"],
        failures=row["failures"],
        failure=row["failure"] or "",
        retry_at=row["retry_at"],
    )


def _answers(row: Mapping[str, Any], stored: int | None) -> AnswerStatus:
    return AnswerStatus(
        expected=row["expected"],
        signer_until=row["signer_until"],
        signer_key_id=row["signer_key_id"] or "",
        signer_certificate=row["signer_certificate"],
        held=row["held"],
        waiting=row["waiting"],
        waiting_since=row["waiting_since"],
        oldest=row["oldest"],
        first_end=row["first_end"],
        stored=stored,
    )


def _rows(query: str, **given: Any) -> list[dict[str, Any]]:
    with connection.cursor() as cursor:
        cursor.execute(query, {"now": clock.now(), "most": COUNTED, **given})
        names = [column.name for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


# CRLs, with the missing revocations of each by `pki_cert_changed` and, if attempts fail, the last error by the events' index.
_LISTS = """
SELECT ca.id AS ca_id, ca.slug, ca.generation, ca.common_name, ca.state, ca.key_id <> '' AS has_key,
       ca.crl_period, ca.crl_validity, scope.id AS scope_id, scope.shard,
       crl.number, crl.this_update, crl.next_update, crl.entries, crl.size,
       CASE WHEN scope.lease IS NOT NULL AND scope.leased_until > %(now)s THEN scope.leased_until END AS leased_until,
       scope.failures, scope.retry_at, lacks.count AS lacks, lacks.first AS first_lacking, failed.why AS failure
FROM pki_certificateauthority ca
LEFT JOIN pki_crlscope scope ON scope.ca_id = ca.id
LEFT JOIN pki_crl crl ON crl.id = scope.newest_id
LEFT JOIN LATERAL (
  SELECT count(*), min(few.revoked_at) AS first FROM (
    SELECT row.revoked_at FROM pki_certificate row
    WHERE row.ca_id = ca.id AND row.status = 'revoked' AND row.status_version > coalesce(crl.status_version, -1)
      AND (scope.shard IS NULL OR get_byte(decode(right(row.serial, 2), 'hex'), 0) %% ca.crl_shards = scope.shard)
    ORDER BY row.status_version LIMIT %(most)s
  ) few
) lacks ON true
LEFT JOIN LATERAL (
  SELECT event.facts ->> 'why' AS why FROM pki_event event
  WHERE scope.failures > 0 AND event.subject_type = 'certificate_authority' AND event.subject_ref = ca.id::text
    AND event.action = 'crl.abandoned' AND event.facts -> 'shard' = coalesce(to_jsonb(scope.shard), 'null'::jsonb)
  ORDER BY event.id DESC LIMIT 1
) failed ON true
WHERE (ca.state = ANY(%(shown)s) OR ca.id = ANY(%(expected)s)) AND ca.not_after > %(now)s
ORDER BY ca.common_name, ca.generation, scope.shard NULLS FIRST
"""

# Responses, by the partial index of certificates without one and the index of ageing responses. An offline CA's responses for
# expired certificates stay; an online CA's are removed (`ocsp.presign_due`).
_ANSWERS = """
SELECT ca.id AS ca_id, ca.id = ANY(%(expected)s) AS expected, signer.not_after AS signer_until, signer.key_id AS signer_key_id,
       signer.certificate_id AS signer_certificate, held.count AS held,
       coalesce(waiting.count, 0) AS waiting, waiting.since AS waiting_since,
       ends.this_update AS oldest, ends.next_update AS first_end
FROM pki_certificateauthority ca
LEFT JOIN LATERAL (
  SELECT signer.not_after, signer.key_id, signer.certificate_id FROM pki_ocspsigner signer
  JOIN pki_certificate own ON own.id = signer.certificate_id AND own.status = 'issued'
  WHERE signer.ca_id = ca.id AND signer.retired_at IS NULL
  ORDER BY signer.not_after DESC LIMIT 1
) signer ON true
LEFT JOIN LATERAL (
  SELECT count(*), min(coalesce(few.revoked_at, few.issued_at)) AS since FROM (
    SELECT row.revoked_at, row.issued_at FROM pki_certificate row
    WHERE row.ca_id = ca.id AND row.status IN ('issued', 'revoked') AND NOT row.held
      AND row.presigned_version <> row.status_version AND row.not_after > %(now)s
    LIMIT %(most)s
  ) few
) waiting ON ca.id = ANY(%(expected)s) OR ca.state = %(offline)s
LEFT JOIN LATERAL (
  SELECT count(*) FROM (
    SELECT FROM pki_certificate row WHERE row.ca_id = ca.id AND row.status = 'issued' AND row.held LIMIT %(most)s
  ) few
) held ON true
LEFT JOIN LATERAL (
  SELECT answer.this_update, answer.next_update FROM pki_ocspresponse answer
  WHERE answer.ca_id = ca.id AND (ca.state <> %(offline)s OR EXISTS (
    SELECT FROM pki_certificate row WHERE row.id = answer.certificate_id AND row.not_after > %(now)s
  )) ORDER BY answer.next_update LIMIT 1
) ends ON true
WHERE (ca.state = ANY(%(shown)s) OR ca.id = ANY(%(expected)s)) AND ca.not_after > %(now)s
"""
