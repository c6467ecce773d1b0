"""pkilint where it says something new (ADR 0134): on the first certificate of a profile version from a CA, and on a sample.

Our own checker sees every certificate. The linter finds faults of profiles, which one certificate shows as well as a million.
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
# What this process knows to be there: profile version and CA, by what cannot be another's after a database was made anew.
_known: set[tuple[object, ...]] = set()


def require(rows: Sequence[Reserved], issuers: Mapping[str, Issuer]) -> None:
    """Lets pkilint see one certificate of each profile version and CA that it has not seen, before they are reserved.

    Joins the caller's transaction. Raises Invalid if it finds something.
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
    # In one order everywhere: others who enter the same wait for this transaction.
    new.sort(key=lambda row: (row.profile_version_id, row.ca_id))
    ProfileLint.objects.bulk_create(new, ignore_conflicts=True)


def lint_sample(*, since: dt.timedelta = dt.timedelta(hours=1), size: int = SAMPLE) -> int:
    """Lets pkilint see some certificates that were issued lately, as they were signed; returns how many it found fault with.

    A finding is an error in the log and an event of the certificate; whether to revoke is for people to decide.
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
