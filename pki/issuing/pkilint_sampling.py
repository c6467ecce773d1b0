"""Runs pkilint on a CA's first certificate of a profile version, and on a sample (ADR 0134).

Our own check covers every certificate. The linter finds faults of profiles, which one certificate shows as well as a million.
"""

import datetime as dt
from collections.abc import Mapping, Sequence

import structlog

from pki.domain.tbs import Issuer
from pki.issuing import pkilint
from pki.issuing.reserved import Reserved
from pki.models import CertificateBlob, Event, ProfileLint
from siths_portal.lib import clock
from siths_portal.lib.errors import Invalid

log = structlog.get_logger(__name__)

SAMPLE = 50
ACTOR = "system:certificate-sample"
# The checked profile versions and CAs that this process knows, by values that stay unique if the database is recreated.
_known: set[tuple[object, ...]] = set()


def require(rows: Sequence[Reserved], issuers: Mapping[str, Issuer]) -> None:
    """Runs pkilint on one certificate of each new combination of profile version and CA, before the rows are reserved.

    Joins the caller's transaction. Raises Invalid if pkilint has a finding.
    """
    firsts = {_pair(row): row for row in reversed(rows)}
    if unknown := {pair: row for pair, row in firsts.items() if pair not in _known}:
        _lint_unknown(unknown, issuers)
        _known.update(unknown)


def _pair(row: Reserved) -> tuple[object, ...]:
    version = row.profile_version
    return (version.id, version.created_at, row.ca.id, row.ca.created_at)


def _lint_unknown(unknown: Mapping[tuple[object, ...], Reserved], issuers: Mapping[str, Issuer]) -> None:
    linter = pkilint.linter_version()
    versions = {row.profile_version.id for row in unknown.values()}
    done = ProfileLint.objects.filter(profile_version__in=versions, linter=linter).values_list("profile_version_id", "ca_id")
    seen, now = set(done), clock.now()
    new = []
    for row in unknown.values():
        if (row.profile_version.id, row.ca.id) in seen:
            continue
        profile = row.profile_version.name
        found = pkilint.findings_before_signing(row.tbs_der, issuers[row.ca.slug].public_key, profile)
        if found:
            log.error("profile.lint_failed", profile=profile, ca=row.ca.slug, findings=found)
            raise Invalid("certificate-lint", f"Certifikatet har fel enligt pkilint: {', '.join(found)}.")
        new.append(ProfileLint(profile_version=row.profile_version, ca=row.ca, linter=linter, at=now))
    # In the same order everywhere: another transaction that inserts the same row waits for this one.
    new.sort(key=lambda row: (row.profile_version_id, row.ca_id))
    ProfileLint.objects.bulk_create(new, ignore_conflicts=True)


def lint_sample(*, since: dt.timedelta = dt.timedelta(hours=1), size: int = SAMPLE) -> int:
    """Runs pkilint on a sample of recently issued certificates; returns the number of certificates with findings.

    A finding is an error in the log and an event of the certificate; people decide whether to revoke it.
    """
    issued = CertificateBlob.objects.filter(certificate__issued_at__gt=clock.now() - since)
    blobs = issued.select_related("certificate__profile_version").defer("certificate__tbs_der").order_by("?")[:size]
    events = []
    for blob in blobs:
        version = blob.certificate.profile_version
        found = pkilint.findings(bytes(blob.der), version.name if version else "")
        if found:
            log.error("certificate.lint_finding", certificate=str(blob.certificate_id), findings=found)
            events.append(_event(blob, found))
    Event.objects.bulk_create(events)
    return len(events)


def _event(blob: CertificateBlob, found: list[str]) -> Event:
    return Event(
        at=clock.now(),
        actor_ref=ACTOR,
        action="certificate.lint_finding",
        subject_type="certificate",
        subject_ref=str(blob.certificate_id),
        facts={"findings": found, "linter": pkilint.linter_version()},
    )
