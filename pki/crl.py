"""Certificate revocation lists (RFC 5280 section 5): built in the worker, checked, published as files; never in a request.

The number is drawn under the CA's row lock, the token signs with no transaction open, and the row and the file follow under
the lock again, so numbers rise strictly whatever runs at once. A run that was overtaken leaves a gap in the numbers, and one
whose predecessor is no longer the newest reads the entries anew: what has stood in a CRL is never missing from the next.
"""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import structlog
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes
from django.conf import settings
from django.db import connection, transaction
from django.db.models import Q, QuerySet

from pki import clock_guard
from pki.clock_guard import ClockWentBack
from pki.hsm import HsmError, hsm_for
from pki.models import ONLINE, Certificate, CertificateAuthority, CertificateStatus, Crl, Event, RevocationReason
from siths_portal.lib import clock
from siths_portal.lib.canonical import sha256_hex
from siths_portal.lib.errors import NotFound
from siths_portal.lib.files import write_atomically

log = structlog.get_logger(__name__)


class SelfCheckFailed(RuntimeError):
    """A CRL that was built does not hold what it must; it was not published."""


class _BuiltOnOlder(Exception):
    """Another CRL, with a lower number, was published after this one's entries were read: it may hold more."""


@dataclass(frozen=True)
class Draft:
    """The numbers of a CRL that is being made: drawn under the CA's lock, and never used again."""

    number: int
    status_version: int
    this_update: dt.datetime
    next_update: dt.datetime


def publish_crl(ca_id: int) -> Crl | None:
    """Makes and publishes the CA's CRL; None if a newer one was published meanwhile.

    Raises HsmError, SelfCheckFailed, and ClockWentBack, with nothing published.

    It lists every revoked certificate of the CA until it has stood in one CRL made after the certificate's notAfter (B1.18).
    """
    ca = CertificateAuthority.objects.get(id=ca_id)
    while True:
        try:
            return _attempt(ca)
        except _BuiltOnOlder:
            # Each round but the last is another publisher's success, so this ends.
            log.info("crl.redone", ca=ca.slug)


def _attempt(ca: CertificateAuthority) -> Crl | None:
    clock_guard.check()
    draft = _draw(ca)
    previous = _newest(ca)
    if previous is not None and previous.number > draft.number:
        _tell_overtaken(ca, draft)
        return None
    if previous is not None and draft.this_update < previous.this_update:
        log.error("crl.clock_went_back", ca=ca.slug, this_update=draft.this_update, newest=previous.this_update)
        raise ClockWentBack(ca.slug)
    entries = _entries(ca, previous)
    token = hsm_for(ca.token_label)
    der = _build(ca, draft, entries, token.private_key(ca.key_id))
    _check(ca, draft, der, len(entries), previous)
    return _publish(ca, draft, der, len(entries), previous)


def _newest(ca: CertificateAuthority) -> Crl | None:
    return Crl.objects.filter(ca=ca).order_by("-number").first()


def _tell_overtaken(ca: CertificateAuthority, draft: Draft) -> None:
    log.info("crl.overtaken", ca=ca.slug, number=draft.number)


@dataclass(frozen=True)
class Outcome:
    """What became of one CA's turn: its new CRL, or the name of the error; neither if a newer CRL overtook it."""

    ca: CertificateAuthority
    crl: Crl | None = None
    error: str = ""


def publish_each(authorities: Iterable[CertificateAuthority]) -> list[Outcome]:
    """Publishes for each of the CAs. One whose key does not answer does not hold the others up."""
    outcomes = []
    for ca in authorities:
        try:
            outcomes.append(Outcome(ca, publish_crl(ca.id)))
        except (HsmError, SelfCheckFailed, ClockWentBack, OSError) as error:
            log.error("crl.publish_failed", ca=ca.slug, error=type(error).__name__)
            outcomes.append(Outcome(ca, error=type(error).__name__))
    return outcomes


def publish_online() -> list[Outcome]:
    """Publishes for every CA that is online, now."""
    return publish_each(_online())


def publish_due() -> list[Outcome]:
    """Publishes for each CA that is online and whose newest CRL is older than its period."""
    now = clock.now()
    newest = dict(Crl.objects.order_by("ca_id", "-number").distinct("ca_id").values_list("ca_id", "this_update"))
    return publish_each(ca for ca in _online() if ca.id not in newest or newest[ca.id] + ca.crl_period <= now)


def _online() -> QuerySet[CertificateAuthority]:
    """Until a CA's own certificate ends, since none that it issued outlives it: then there is nothing left to tell."""
    online = CertificateAuthority.objects.filter(state__in=ONLINE).exclude(key_id="").exclude(not_after__lte=clock.now())
    return online.order_by("id")


def publish_ca_certificate(ca: CertificateAuthority) -> Path:
    """Writes the CA's certificate to where caIssuers points (RFC 5280 section 4.2.2.1), and returns the file."""
    path = Path(settings.PKI_STATUS_DIR) / "aia" / f"{ca.file_stem}.cer"
    write_atomically(path, bytes(ca.certificate_der))
    return path


def crl_path(ca: CertificateAuthority) -> Path:
    """Where the CA's newest CRL lies."""
    return Path(settings.PKI_STATUS_DIR) / "crl" / f"{ca.file_stem}.crl"


def _draw(ca: CertificateAuthority) -> Draft:
    with transaction.atomic(durable=True), connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pki_certificateauthority WHERE id = %s FOR NO KEY UPDATE", [ca.id])
        # Read after the lock was had: every status change up to `status_version` is committed and older than this.
        now = clock.now()
        cursor.execute(
            "UPDATE pki_certificateauthority SET last_crl_number = GREATEST(last_crl_number + 1, %s) WHERE id = %s "
            "RETURNING last_crl_number, status_version",
            [int(now.timestamp() * 1000), ca.id],
        )
        row = cursor.fetchone()
    if row is None:
        raise NotFound("ca-unknown", "Utfärdaren finns inte.")
    this_update = now.replace(microsecond=0)
    return Draft(int(row[0]), int(row[1]), this_update, this_update + ca.crl_validity)


def _entries(ca: CertificateAuthority, previous: Crl | None) -> list[x509.RevokedCertificate]:
    rows = Certificate.objects.filter(ca=ca, status=CertificateStatus.REVOKED)
    if previous is not None:
        rows = rows.filter(Q(not_after__gte=previous.this_update) | Q(status_version__gt=previous.status_version))
    found = rows.order_by("serial").only("serial", "revoked_at", "reason", "invalidity_date")
    return [_entry(row) for row in found.iterator(chunk_size=10_000)]


def _entry(row: Certificate) -> x509.RevokedCertificate:
    if row.revoked_at is None:
        raise SelfCheckFailed("revoked without a time")
    entry = x509.RevokedCertificateBuilder().serial_number(int(row.serial, 16))
    entry = entry.revocation_date(row.revoked_at.replace(microsecond=0))
    if row.reason != RevocationReason.UNSPECIFIED:
        entry = entry.add_extension(x509.CRLReason(x509.ReasonFlags(row.reason)), critical=False)
    if row.invalidity_date is not None:
        entry = entry.add_extension(x509.InvalidityDate(row.invalidity_date.replace(microsecond=0)), critical=False)
    return entry.build()


def _build(
    ca: CertificateAuthority, draft: Draft, entries: list[x509.RevokedCertificate], key: CertificateIssuerPrivateKeyTypes
) -> bytes:
    certificate = x509.load_der_x509_certificate(bytes(ca.certificate_der))
    ski = certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    # Given whole: the builder's own method copies the list once an entry.
    builder = x509.CertificateRevocationListBuilder(revoked_certificates=entries)
    builder = builder.issuer_name(certificate.subject).last_update(draft.this_update).next_update(draft.next_update)
    aki = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(ski)
    builder = builder.add_extension(aki, critical=False).add_extension(x509.CRLNumber(draft.number), critical=False)
    return builder.sign(key, _digest(certificate)).public_bytes(serialization.Encoding.DER)


def _digest(certificate: x509.Certificate) -> hashes.SHA256 | hashes.SHA384:
    key = certificate.public_key()
    return hashes.SHA384() if isinstance(key, ec.EllipticCurvePublicKey) and key.key_size > 256 else hashes.SHA256()


def _check(ca: CertificateAuthority, draft: Draft, der: bytes, count: int, previous: Crl | None) -> None:
    """Reads the CRL back as a stranger would. Raises SelfCheckFailed."""
    certificate = x509.load_der_x509_certificate(bytes(ca.certificate_der))
    key = certificate.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey | rsa.RSAPublicKey):
        raise SelfCheckFailed("no verifier for this kind of key")
    crl = x509.load_der_x509_crl(der)
    number = crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
    failed = {
        "signature": not crl.is_signature_valid(key),
        "issuer": crl.issuer.public_bytes() != certificate.subject.public_bytes(),
        "count": len(crl) != count,
        "number": number != draft.number or (previous is not None and number <= previous.number),
        "times": crl.last_update_utc != draft.this_update or crl.next_update_utc != draft.next_update,
    }
    if any(failed.values()):
        raise SelfCheckFailed(", ".join(name for name, bad in failed.items() if bad))


def _publish(ca: CertificateAuthority, draft: Draft, der: bytes, count: int, previous: Crl | None) -> Crl | None:
    """Publishes unless a newer CRL is out. Raises _BuiltOnOlder if the newest one is not what the draft was built on."""
    with transaction.atomic(durable=True):
        CertificateAuthority.objects.select_for_update(no_key=True).get(id=ca.id)
        newest = _newest(ca)
        if newest is not None and newest.number > draft.number:
            _tell_overtaken(ca, draft)
            return None
        if newest != previous:
            raise _BuiltOnOlder
        crl = Crl.objects.create(
            ca=ca,
            number=draft.number,
            this_update=draft.this_update,
            next_update=draft.next_update,
            entries=count,
            size=len(der),
            sha256=sha256_hex(der),
            file_name=crl_path(ca).name,
            status_version=draft.status_version,
        )
        Event.record(
            actor_ref="system:crl",
            action="crl.published",
            subject_type="certificate_authority",
            subject_ref=str(ca.id),
            facts={"ca": ca.slug, "number": draft.number, "entries": count, "sha256": crl.sha256},
        )
        # Under the lock, so that an older CRL is never renamed over a newer one.
        write_atomically(crl_path(ca), der)
    return crl
