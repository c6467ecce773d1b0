"""Builds certificate revocation lists (RFC 5280 section 5) in the worker, checks them, and publishes them as files.

One worker at a time makes the CRL of a scope, under a lease (`pki.crl.scopes`), never in a web request. Entries go from the
database to a file; the token signs their digest with no transaction open; the worker reads the CRL back as a relying party would;
one transaction stores the row and the file, if the worker still has the lease. So CRL numbers rise strictly, and the next CRL
never lacks an entry of the last one.
"""

import contextlib
import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import batched
from pathlib import Path

import structlog
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from django.conf import settings
from django.db import transaction
from django.db.models import F

from pki.authorities import clock_guard, journal
from pki.authorities.clock_guard import ClockWentBack
from pki.authorities.crl_addresses import crl_path, crl_url
from pki.crl import entries as crl_entries
from pki.crl import files as crl_files
from pki.crl import scopes as crl_scopes
from pki.crl.files import SelfCheckFailed
from pki.crl.scopes import CrlBusy, Draft, Due, LeaseLost
from pki.domain import crl as der_crl
from pki.domain import keys
from pki.domain.tbs import ALGORITHMS
from pki.hsm import HsmError, Scheme, hsm_for
from pki.models import Certificate, CertificateAuthority, CertificateStatus, Crl, Event
from pki.ocsp import store_sync
from siths_portal.lib import clock, faults
from siths_portal.lib.files.atomic import write_atomically

__all__ = ["ClockWentBack", "CrlBusy", "CrlResult", "LeaseLost", "SelfCheckFailed", "crl_path"]

log = structlog.get_logger(__name__)

# ValueError: a row has a value without an encoding, which must not delay the CRLs of other CAs.
_FAILURES = (HsmError, SelfCheckFailed, ClockWentBack, CrlBusy, LeaseLost, OSError, ValueError)


def publish_crl(ca_id: int, shard: int | None = None) -> Crl:
    """Makes and publishes a CRL of all the CA's certificates, or of one of its shards. Waits for another worker that makes it.

    A CRL has every revoked certificate until one CRL made after the certificate's notAfter has had it (B1.18). Once no
    certificate of a retired CA can be revoked any more, its CRL is the last one: it has all that were ever revoked and never
    expires (B1.20, B1.21). After it no CRL is made, and the last one is returned again.

    Raises HsmError, SelfCheckFailed, ClockWentBack, CrlBusy, LeaseLost, OSError, and ValueError for a row with a value that has
    no encoding, with nothing published.
    """
    return _publish_once(ca_id, shard, crl_scopes.WAIT)


def _publish_once(ca_id: int, shard: int | None, wait: dt.timedelta, due: Due | None = None) -> Crl:
    clock_guard.check()
    try:
        draft = crl_scopes.take(ca_id, shard, wait=wait, due=due)
    except crl_scopes.LastListIsOut as last:
        return last.crl
    faults.point("pki.crl.building.after-draw")
    _journal(draft)
    _keep_certificates(draft.ca)
    try:
        return _publish(draft, _make(draft))
    except Exception as error:
        crl_scopes.give_up(draft, type(error).__name__)
        raise


def publish_all(ca: CertificateAuthority) -> None:
    """Publishes every CRL of a CA: of all its certificates, then of its shards. Raises as `publish_crl`, at the first error."""
    for shard in crl_scopes.shards_of(ca):
        publish_crl(ca.id, shard)


@dataclass(frozen=True)
class CrlResult:
    """The result for one scope: its new CRL, or the name of the error."""

    ca: CertificateAuthority
    crl: Crl | None = None
    error: str = ""
    shard: int | None = None


def publish_each(authorities: Iterable[CertificateAuthority]) -> list[CrlResult]:
    """Publishes every CRL of each of the CAs. A CA whose key does not work does not delay the others."""
    return [_outcome(ca, shard, crl_scopes.WAIT) for ca in authorities for shard in crl_scopes.shards_of(ca)]


def publish_online() -> list[CrlResult]:
    """Publishes for every online CA, now."""
    return publish_each(crl_scopes.online(clock.now()))


def publish_due() -> list[CrlResult]:
    """Publishes each CRL whose file is missing, that is older than its period, or that has lacked a revocation for long enough
    (see `pki.crl.scopes`).

    Skips CRLs that another worker is making.
    """
    now, outcomes = clock.now(), []
    for due in crl_scopes.find_due(crl_scopes.online(now), now):
        with contextlib.suppress(CrlBusy, crl_scopes.AlreadyMade):
            outcomes.append(_outcome(due.ca, due.shard, dt.timedelta(), due))
    return outcomes


def _outcome(ca: CertificateAuthority, shard: int | None, wait: dt.timedelta, due: Due | None = None) -> CrlResult:
    """Publishes one scope's CRL and returns the result; the sweeper handles CrlBusy and AlreadyMade."""
    try:
        return CrlResult(ca, _publish_once(ca.id, shard, wait, due), shard=shard)
    except _FAILURES as error:
        if due is not None and isinstance(error, CrlBusy):
            raise
        log.error("crl.publish_failed", ca=ca.slug, shard=shard, error=type(error).__name__)
        return CrlResult(ca, error=type(error).__name__, shard=shard)


def publish_ca_certificate(ca: CertificateAuthority) -> Path:
    """Writes the CA's certificate to the caIssuers path (RFC 5280 section 4.2.2.1), unless it is there; returns the file."""
    path, content = Path(settings.PKI_STATUS_DIR) / "aia" / f"{ca.file_stem}.cer", bytes(ca.certificate_der)
    if not path.is_file() or path.read_bytes() != content:
        write_atomically(path, content)
    return path


def _journal(draft: Draft) -> None:
    """Writes revocations to the journal that the CRL is the first to show, because no OCSP response was signed for them.

    An error is logged and does not stop the CRL: without it relying parties would soon have none. The signer of the OCSP
    responses, which does stop, writes them later.
    """
    rows = Certificate.objects.filter(
        ca=draft.ca,
        status=CertificateStatus.REVOKED,
        status_version__gt=draft.previous.status_version if draft.previous else 0,
        status_version__lte=draft.status_version,
    ).exclude(presigned_version=F("status_version"))
    lacking = crl_scopes.within(rows, draft.ca, draft.shard).only("serial", "revoked_at", "reason", "invalidity_date")
    try:
        for part in batched(lacking.iterator(chunk_size=2000), 2000, strict=False):
            journal.revoked(draft.ca, part)
    except OSError as error:
        log.error("crl.journal_failed", ca=draft.ca.slug, error=type(error).__name__)


def _keep_certificates(ca: CertificateAuthority) -> None:
    """Writes the certificates of the CA and of those above it, with each new CRL.

    An imported CA had no ceremony to publish them; lost files are also restored. A write error is logged and does not stop the
    CRL.
    """
    each: CertificateAuthority | None = ca
    while each is not None:
        try:
            publish_ca_certificate(each)
        except OSError as error:
            log.error("aia.publish_failed", ca=each.slug, error=type(error).__name__)
        each = each.parent


def _make(draft: Draft) -> crl_files.Built:
    """Makes the signed and checked CRL in a file that is not published yet."""
    ca, previous = draft.ca, draft.previous
    certificate = x509.load_der_x509_certificate(bytes(ca.certificate_der))
    family, hash_name = _algorithm(certificate)
    frame = _frame(draft, certificate, ALGORITHMS[family, hash_name])
    kept = None
    if previous is not None and draft.next_update is not None:
        kept = crl_entries.Kept(previous.this_update, previous.status_version)
    scheme = Scheme(f"{'rsa' if family == 'rsa' else 'ecdsa'}-{hash_name}")
    token = hsm_for(ca.token_label)
    with crl_files.Maker(crl_path(ca, draft.shard), frame, hash_name) as maker:
        maker.entries(lambda file: crl_entries.write(file, ca_id=ca.id, shard=draft.shard, shards=ca.crl_shards, kept=kept))
        faults.point("pki.crl.building.after-entries")
        signature = token.sign_digest(ca.key_id, maker.digest(), scheme)
        faults.point("pki.crl.building.after-signature")
        built = maker.finish(signature)
        crl_files.check(built, _expected(draft, certificate), hash_name)
    return built


def _expected(draft: Draft, certificate: x509.Certificate) -> crl_files.ExpectedCrl:
    return crl_files.ExpectedCrl(
        certificate=certificate,
        issuer=bytes(draft.ca.subject_der),
        number=draft.number,
        above=draft.previous.number if draft.previous is not None else -1,
        this_update=draft.this_update,
        next_update=draft.next_update,
        point=_address(draft),
    )


def _address(draft: Draft) -> str | None:
    return None if draft.shard is None else crl_url(draft.ca, draft.shard)


def _algorithm(certificate: x509.Certificate) -> tuple[str, str]:
    """Returns family and hash of the CA's signatures: SHA-384 for curves longer than SHA-256."""
    key = certificate.public_key()
    if isinstance(key, ec.EllipticCurvePublicKey):
        return "ec", "sha384" if key.key_size > 256 else "sha256"
    return keys.kind(key), "sha256"


def _frame(draft: Draft, certificate: x509.Certificate, algorithm: bytes) -> der_crl.Frame:
    ca, is_last = draft.ca, draft.next_update is None
    ski = certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    return der_crl.Frame(
        issuer=bytes(ca.subject_der),
        algorithm=algorithm,
        this_update=int(draft.this_update.timestamp()),
        next_update=None if draft.next_update is None else int(draft.next_update.timestamp()),
        extensions=der_crl.extensions(
            ski=ski.digest,
            number=draft.number,
            point=_address(draft),
            # A CA's last CRL omits no certificate that it ever revoked.
            expired_since=int(certificate.not_valid_before_utc.timestamp()) if is_last else None,
        ),
    )


def _publish(draft: Draft, built: crl_files.Built) -> Crl:
    """Stores row and event and publishes the file, if the lease is still ours. Raises LeaseLost, OSError."""
    store_sync.await_store()
    ca, path = draft.ca, crl_path(draft.ca, draft.shard)
    facts = {"ca": ca.slug, "number": draft.number, "entries": built.entries, "sha256": built.sha256}
    try:
        with transaction.atomic(durable=True):
            crl_scopes.hold(draft)
            published = Crl.objects.create(
                ca=ca,
                shard=draft.shard,
                number=draft.number,
                this_update=draft.this_update,
                next_update=draft.next_update,
                entries=built.entries,
                size=built.size,
                sha256=built.sha256,
                file_name=path.name,
                status_version=draft.status_version,
            )
            Event.record(
                actor_ref=crl_scopes.ACTOR,
                action="crl.published",
                subject_type="certificate_authority",
                subject_ref=str(ca.id),
                facts=facts if draft.shard is None else facts | {"shard": draft.shard},
            )
            crl_scopes.settle(draft, published)
            faults.point("pki.crl.building.before-rename")
            # Under the scope's lock, so that an older CRL never replaces a newer one.
            crl_files.publish(built, path)
            faults.point("pki.crl.building.after-rename")
    finally:
        built.path.unlink(missing_ok=True)
    faults.point("pki.crl.building.after-commit")
    return published
