"""Replays the journal after a restore: certificates, ended holds and revocations that the backup lacks (rules/pki 3.6).

`ops_restore` calls it on a database that nothing else can reach yet, so OCSP opens with every revocation. A replay may be stopped
and repeated: it changes only what the database lacks.
"""

import datetime as dt
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import batched
from typing import Any
from uuid import UUID

from cryptography import x509
from django.db import transaction

from pki.authorities import journal
from pki.domain.imported_certificates import CheckedContent, Checker, NotOurs
from pki.issuing import planning, shared_factors, signing
from pki.models import Certificate, CertificateAuthority, CertificateStatus, ProfileVersion, RevocationChannel
from pki.revocation import releasing, revoking
from pki.revocation.revoking import RevocationRequest
from pki.takeover.registering import expected_of
from siths_portal.lib import clock
from siths_portal.lib.errors import DomainError
from siths_portal.lib.files import journal as files
from siths_portal.lib.processes import jobs

ACTOR = "system:journal"
BATCH = 200
type Entry = Mapping[str, Any]


@dataclass
class Replay:
    """What a replay did: how many records of each outcome, and a Swedish line for each record that it could not use."""

    counts: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)

    def refuse(self, entry: Entry, why: str) -> None:
        """Notes that the record cannot be used."""
        self.faults.append(f"{entry['kind']} {entry['ca']}:{entry['generation']} {entry['serial']}: {why}")


def replay(*, since: dt.datetime | None = None, report_progress: Callable[[int], None] = lambda done: None) -> Replay:
    """Replays the journal's segments that were written after `since`, and returns what it did.

    First certificates, then ended holds, then revocations, because the segments of several processes follow each other.

    Raises JournalDamaged, OSError.
    """
    found, done = Replay(), 0
    last = _last_attempts(since)
    for kind, use in ((journal.ISSUED, _Certificates(found).use), (journal.RELEASED, _release), (journal.REVOKED, _revoke)):
        entries = (entry for entry in files.read(journal.NAME, since=since) if entry["kind"] == kind)
        wanted = (entry for entry in entries if kind != journal.ISSUED or entry["at"] == last[entry["id"]])
        for part in batched(wanted, BATCH, strict=False):
            use(part, found)
            done += len(part)
            report_progress(done)
    return found


def _last_attempts(since: dt.datetime | None) -> dict[str, str]:
    """Returns when each certificate was written last: if an attempt died before it was stored, the next signed again."""
    found: dict[str, str] = {}
    for entry in files.read(journal.NAME, since=since):
        if entry["kind"] == journal.ISSUED:
            found[entry["id"]] = max(entry["at"], found.get(entry["id"], ""))
    return found


class _Certificates:
    """Stores the certificates of the journal that the database lacks."""

    def __init__(self, found: Replay) -> None:
        self._found = found
        self._authorities = {(ca.slug, ca.generation): ca for ca in CertificateAuthority.objects.exclude(certificate_der=b"")}
        self._checkers = {key: Checker(expected_of(ca)) for key, ca in self._authorities.items()}
        self._versions = {version.sha256: version for version in ProfileVersion.objects.all()}

    def use(self, entries: Iterable[Entry], found: Replay) -> None:
        """Stores one batch."""
        checked = dict(self._checked(entries))
        rows = {row.id: row for row in Certificate.objects.filter(id__in=checked).select_related("ca")}
        taken = set(
            Certificate.objects.filter(serial__in=[seen.serial for _, seen in checked.values()]).values_list("ca_id", "serial")
        )
        missing = []
        for id_, (entry, seen) in checked.items():
            if id_ in rows:
                continue
            row = self._row(id_, entry, seen)
            if (row.ca_id, row.serial) in taken:
                found.refuse(entry, "serienumret hör till ett annat certifikat")
            else:
                missing.append(row)
                rows[id_] = row
        self._reserve(missing, {checked[row.id][1].spki_sha256 for row in missing if checked[row.id][1].is_rsa})
        self._issue([(rows[id_], *pair) for id_, pair in checked.items() if id_ in rows], len(missing))

    def _checked(self, entries: Iterable[Entry]) -> Iterator[tuple[UUID, tuple[Entry, CheckedContent]]]:
        """Yields the certificates that their CA has signed and that have the stated serial."""
        for entry in entries:
            checker = self._checkers.get((entry["ca"], entry["generation"]))
            if checker is None:
                self._found.refuse(entry, "utfärdaren finns inte")
                continue
            try:
                seen = checker.check(files.unpacked(entry["der"]))
            except NotOurs as fault:
                self._found.refuse(entry, f"är inte utfärdarens ({fault})")
                continue
            if seen.serial != entry["serial"]:
                self._found.refuse(entry, "certifikatet har ett annat serienummer")
                continue
            yield UUID(entry["id"]), (entry, seen)

    def _row(self, id_: UUID, entry: Entry, seen: CheckedContent) -> Certificate:
        return Certificate(
            id=id_,
            ca=self._authorities[entry["ca"], entry["generation"]],
            serial=seen.serial,
            status=CertificateStatus.RESERVED,
            held=entry["held"],
            profile_version=self._versions.get(entry["profile"]),
            tbs_der=x509.load_der_x509_certificate(files.unpacked(entry["der"])).tbs_certificate_bytes,
            tbs_sha256=seen.tbs_sha256,
            spki_sha256=seen.spki_sha256,
            subject_ref=entry["subject_ref"],
            carrier_ref=entry["carrier_ref"],
            unit_ref=entry["unit_ref"],
            client_ref=entry["client_ref"],
            not_before=seen.not_before,
            not_after=seen.not_after,
            created_at=dt.datetime.fromisoformat(entry["created_at"]),
        )

    def _reserve(self, rows: list[Certificate], rsa_keys: set[str]) -> None:
        """Inserts rows as they were planned: the database takes a hold only with them."""
        now = clock.now()
        with transaction.atomic(durable=True):
            Certificate.objects.bulk_create(rows)  # with `held`, which the bulk insert leaves to the database
            shared_factors.enter_hashes(rsa_keys, now)
            if rows:
                planning.record_reservation(rows, ACTOR, now)

    def _issue(self, each: list[tuple[Certificate, Entry, CheckedContent]], missing: int) -> None:
        """Makes the rows that are still reserved issued, with the bytes of the journal."""
        wanted = []
        for row, entry, seen in each:
            if row.tbs_sha256 != seen.tbs_sha256:
                self._found.refuse(entry, "raden har ett annat innehåll")
            elif row.status == CertificateStatus.FAILED:
                self._found.refuse(entry, "raden är underkänd")
            elif row.status == CertificateStatus.RESERVED:
                wanted.append(signing.SignedCertificate(row, files.unpacked(entry["der"])))
        issued = signing.store_signed(wanted)
        self._found.counts.update(certificates=len(issued), missing=missing, known=len(each) - len(issued))


def _release(entries: Iterable[Entry], found: Replay) -> None:
    ended = [
        releasing.JournalledRelease(
            certificate=UUID(entry["id"]),
            delivery=entry["delivery"],
            actor_ref=entry["actor_ref"],
            requested_at=dt.datetime.fromisoformat(entry["requested_at"]),
            proof_verified_at=dt.datetime.fromisoformat(entry["proof_verified_at"]),
        )
        for entry in entries
    ]
    found.counts["releases"] += releasing.release_again(ended, actor_ref=ACTOR)


def _revoke(entries: Iterable[Entry], found: Replay) -> None:
    """Revokes with the times and reasons of the journal, the certificates of one act together."""
    entries = list(entries)
    present = set(Certificate.objects.filter(id__in=[entry["id"] for entry in entries]).values_list("id", flat=True))
    acts: dict[tuple[str, str, str | None], list[Entry]] = {}
    for entry in entries:
        if UUID(entry["id"]) in present:
            acts.setdefault((entry["revoked_at"], entry["reason"], entry["invalidity_date"]), []).append(entry)
        else:
            found.refuse(entry, "certifikatet finns inte")
    for (revoked_at, reason, since), members in acts.items():
        moment = dt.datetime.fromisoformat(revoked_at)
        try:
            request = RevocationRequest(
                reason=reason,
                actor_ref=ACTOR,
                received_at=moment,
                channel=RevocationChannel.SYSTEM,
                justification="Revoked before the database was restored.",
                invalidity_date=dt.datetime.fromisoformat(since) if since else None,
            )
            with transaction.atomic(durable=True):
                touched = revoking.revoke([UUID(entry["id"]) for entry in members], request, revoked_at=moment).touched
                if touched:
                    jobs.enqueue("pki.tell_revoked", certificate_ids=[str(id_) for id_ in touched])
        except DomainError as error:
            for entry in members:
                found.refuse(entry, error.message)
            continue
        found.counts["revocations"] += len(touched)


def summary(found: Replay) -> dict[str, int]:
    """Returns the counts for a command's output."""
    return {name: found.counts[name] for name in ("certificates", "missing", "known", "releases", "revocations")} | {
        "faults": len(found.faults)
    }
