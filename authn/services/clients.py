"""The register of machine clients, and which client a certificate belongs to."""

import datetime as dt
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import structlog
from cryptography import x509
from django.contrib.postgres.aggregates import ArrayAgg
from django.db import connection, transaction
from django.db.models import F, Q

from authn.clients_file import CertificateEntry, ClientEntry, read, thumbprint
from authn.models import ClientCertificate, ClientKind, Event, IdempotencyRecord, ServiceClient
from authn.ports import CertificateStatusChecker
from siths_portal.lib import clock, ports
from siths_portal.lib.errors import Conflict
from siths_portal.lib.rest import idempotency

log = structlog.get_logger(__name__)
_LOCK = int.from_bytes(hashlib.sha256(b"authn.sync_clients").digest()[:8], "big", signed=True)


@dataclass(frozen=True)
class ServiceClientView:
    """A machine client as other applications see it. `certificate_subject` has the allowed values by subject attribute.

    `is_pushed_to` is True for a supplier that takes its orders by signed calls.
    """

    client_ref: str
    kind: str
    name: str
    certificate_subject: Mapping[str, Sequence[str]] = field(default_factory=dict, hash=False)
    is_pushed_to: bool = False


@dataclass(frozen=True)
class PushEndpoint:
    """Where a supplier takes orders: an https address, and the one or two public keys (`whpk_…`) that it signs answers with."""

    client_ref: str
    url: str
    keys: tuple[str, ...]


@dataclass(frozen=True)
class SupplierView:
    """A registered card supplier, with the ends of its valid certificates, the last first; None for an unknown end."""

    client_ref: str
    name: str
    active: bool
    is_pushed_to: bool
    certificate_ends: tuple[dt.datetime | None, ...]


def client_of_certificate(der: bytes) -> ServiceClientView | None:
    """Returns the active client with this certificate.

    Returns None if the certificate is unknown, outside its validity, or revoked here or by its issuer. Also returns None if our
    own CA issued it for another purpose, such as a card, even if it is registered. The TLS server must already have verified
    that the peer holds the private key.
    """
    found = (
        ClientCertificate.objects.select_related("client")
        .filter(thumbprint=thumbprint(der), revoked_at=None, client__active=True)
        .first()
    )
    if found is None:
        log.warning("authn.client_refused", reason="unknown")
        return None
    certificate = x509.load_der_x509_certificate(der)
    if not certificate.not_valid_before_utc <= clock.now() <= certificate.not_valid_after_utc:
        log.warning("authn.client_refused", reason="out-of-time")
        return None
    if reason := ports.get(CertificateStatusChecker).refusal(der):
        log.warning("authn.client_refused", reason=reason)
        return None
    client = found.client
    return ServiceClientView(client.client_ref, client.kind, client.name, client.certificate_subject, bool(client.push))


def client_names(client_refs: Iterable[str]) -> dict[str, str]:
    """Returns the names of machine clients by reference. Leaves out unknown references."""
    return dict(ServiceClient.objects.filter(client_ref__in=set(client_refs)).values_list("client_ref", "name"))


def suppliers() -> dict[str, str]:
    """Returns the names of the active card suppliers by reference, sorted by name."""
    rows = ServiceClient.objects.filter(kind=ClientKind.SUPPLIER, active=True)
    return dict(rows.order_by("name", "client_ref").values_list("client_ref", "name"))


@dataclass(frozen=True)
class KeyAttestation:
    """What a supplier must attest of the keys in its cards: with `roots` the attestations' chains end there."""

    required: bool
    roots: tuple[x509.Certificate, ...]


def key_attestation(client_ref: str) -> KeyAttestation:
    """Returns what the active client must attest. Without a row for it, nothing."""
    row = ServiceClient.objects.filter(client_ref=client_ref, active=True).values_list("key_attestation", flat=True).first() or {}
    roots = tuple(x509.load_pem_x509_certificate(pem.encode()) for pem in row.get("roots", []))
    return KeyAttestation(bool(row.get("required")), roots)


def letter_certificate(client_ref: str) -> str:
    """Returns the SHA-256 of the certificate that the active supplier's PUK letters are encrypted to; "" if it prints none."""
    rows = ServiceClient.objects.filter(client_ref=client_ref, kind=ClientKind.SUPPLIER, active=True)
    return rows.values_list("letter_certificate", flat=True).first() or ""


def push_endpoints() -> dict[str, PushEndpoint]:
    """Returns the active suppliers that take their orders by signed calls, by reference."""
    rows = ServiceClient.objects.filter(kind=ClientKind.SUPPLIER, active=True).exclude(push={}).order_by("client_ref")
    found = rows.values_list("client_ref", "push")
    return {ref: PushEndpoint(ref, push["url"], tuple(push["keys"])) for ref, push in found}


def registered_suppliers() -> list[SupplierView]:
    """Returns every registered card supplier, sorted by name, in one query. Inactive ones are included."""
    ends = ArrayAgg(
        "certificates__not_after",
        filter=Q(certificates__isnull=False, certificates__revoked_at=None),
        order_by=F("certificates__not_after").desc(nulls_first=True),
    )
    rows = ServiceClient.objects.filter(kind=ClientKind.SUPPLIER).order_by("name", "client_ref").annotate(ends=ends)
    return [SupplierView(row.client_ref, row.name, row.active, bool(row.push), tuple(row.ends or ())) for row in rows]


def idempotency_store() -> idempotency.Store:
    """Returns the store of the APIs' idempotency keys and responses."""
    return idempotency.Store(IdempotencyRecord)


@dataclass
class SyncResult:
    """The numbers of clients and certificates that a synchronisation read and changed."""

    clients: int = 0
    added: int = 0
    changed: int = 0
    deactivated: int = 0
    certificates: int = 0
    certificates_revoked: int = 0


@dataclass
class _Change:
    """The changes of one client, for its event."""

    facts: dict[str, object] = field(default_factory=dict)
    added: list[str] = field(default_factory=list)
    revoked: list[str] = field(default_factory=list)

    def all_facts(self) -> dict[str, object]:
        listed = {"certificates_added": self.added, "certificates_revoked": self.revoked}
        return self.facts | {name: sorted(values) for name, values in listed.items() if values}


def sync_clients(path: Path, *, actor_ref: str = "system:authn_sync_clients") -> SyncResult:
    """Updates the register to match the file at `path`, in one transaction with one event for each changed client.

    Deactivates clients and revokes certificates that the file lacks; removes none. Raises Invalid if the file is malformed (see
    `clients_file`), and Conflict if it lists a certificate that belongs to another client; then nothing is changed.
    """
    entries = read(path)
    result = SyncResult(clients=len(entries), certificates=sum(len(entry.certificates) for entry in entries))
    with transaction.atomic(durable=True):
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        known = {client.client_ref: client for client in ServiceClient.objects.prefetch_related("certificates")}
        owners = {c.thumbprint: ref for ref, client in known.items() for c in client.certificates.all()}
        for entry in entries:
            for certificate in entry.certificates:
                if owners.get(certificate.thumbprint, entry.client_ref) != entry.client_ref:
                    raise Conflict(
                        "certificate-of-another-client",
                        f"{entry.client_ref}: ett av certifikaten är redan {owners[certificate.thumbprint]}s.",
                    )
            _sync_one(known.get(entry.client_ref), entry, result, actor_ref)
        named = {entry.client_ref for entry in entries}
        for client in known.values():
            if client.client_ref not in named and client.active:
                client.active = False
                _save(client, "client.deactivated", _Change(), actor_ref)
                result.deactivated += 1
    return result


def _sync_one(client: ServiceClient | None, entry: ClientEntry, result: SyncResult, actor_ref: str) -> None:
    change = _Change()
    values = {
        "kind": entry.kind,
        "name": entry.name,
        "certificate_subject": entry.certificate_subject,
        "key_attestation": entry.key_attestation,
        "push": entry.push,
        "letter_certificate": entry.letter_certificate,
        "active": True,
    }
    action = "client.changed"
    if client is None:
        client, action = ServiceClient(client_ref=entry.client_ref, **values), "client.registered"
        change.facts = dict(values)
        client.save(force_insert=True)
        result.added += 1
        kept: dict[str, ClientCertificate] = {}
    else:
        kept = {certificate.thumbprint: certificate for certificate in client.certificates.all()}
        change.facts = {name: value for name, value in values.items() if getattr(client, name) != value}
        for name, value in change.facts.items():
            setattr(client, name, value)
    _sync_certificates(client, kept, entry.certificates, change)
    result.certificates_revoked += len(change.revoked)
    if facts := change.all_facts():
        result.changed += action == "client.changed"
        _save(client, action, change, actor_ref)
        log.info("authn.client_synced", action=action, changes=len(facts))


def _sync_certificates(
    client: ServiceClient, kept: dict[str, ClientCertificate], entries: list[CertificateEntry], change: _Change
) -> None:
    valid = {entry.thumbprint for entry in entries if not entry.revoked}
    listed = {entry.thumbprint for entry in entries}
    ends = {entry.thumbprint: entry.not_after for entry in entries}
    now = clock.now()
    new = [
        ClientCertificate(
            client=client, thumbprint=value, not_after=ends[value], added_at=now, revoked_at=None if value in valid else now
        )
        for value in sorted(listed - set(kept))
    ]
    ClientCertificate.objects.bulk_create(new)
    change.added += [row.thumbprint for row in new if row.revoked_at is None]
    change.revoked += [row.thumbprint for row in new if row.revoked_at]
    moved = [row for row in kept.values() if (row.thumbprint in valid) != (row.revoked_at is None)]
    for row in moved:
        row.revoked_at = None if row.thumbprint in valid else now
        (change.revoked if row.revoked_at else change.added).append(row.thumbprint)
    learnt = [row for row in kept.values() if row.not_after is None and ends.get(row.thumbprint) is not None]
    for row in learnt:
        row.not_after = ends[row.thumbprint]
    ClientCertificate.objects.bulk_update([*moved, *(row for row in learnt if row not in moved)], ["revoked_at", "not_after"])


def _save(client: ServiceClient, action: str, change: _Change, actor_ref: str) -> None:
    client.seq += 1
    client.updated_at = clock.now()
    client.save()
    Event.record(
        actor_ref=actor_ref,
        action=action,
        subject_type="service-client",
        subject_ref=client.client_ref,
        subject_seq=client.seq,
        facts=change.all_facts(),
    )
