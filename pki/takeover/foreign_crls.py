"""CRLs of a CA whose key is in another system: we verify and publish them unchanged (rules/pki 6.2, ADR 0218)."""

import datetime as dt
from collections.abc import Iterator
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from django.db import transaction

from pki.crl.building import crl_path, publish_ca_certificate
from pki.domain.crl_shards import list_name
from pki.domain.findings import Finding, Severity
from pki.models import CaState, CertificateAuthority, Crl, CrlScope, Event
from pki.ocsp import store_sync
from pki.takeover import foreign_revocations
from pki.takeover.old_crls import OldList
from siths_portal.lib import clock
from siths_portal.lib.canonical import sha256_hex
from siths_portal.lib.certificates.unreadable import UNREADABLE
from siths_portal.lib.errors import Conflict, Invalid
from siths_portal.lib.files.atomic import write_atomically

LAST_PART = 0.25
"""The remaining fraction of a CRL's validity below which `pki_check` asks for the next CRL."""
_HIGHEST = (1 << 63) - 1  # of the column


def publish(ca: CertificateAuthority, content: bytes, *, revoke_held: bool = False, actor_ref: str) -> Crl:
    """Publishes a CRL of the CA, in DER or PEM, and the CA's certificate. Returns the same row if the CRL is published already.

    Its certificates are first revoked here permanently, so that the OCSP responder knows them (B1.33); entries on hold only with
    `revoke_held`.

    Raises Conflict for a CA that makes its CRLs here, for a CRL that is not newer than the published one and for one with
    entries on hold. Raises Invalid for a CRL that is not the CA's, does not verify or does not cover every certificate that
    names its URL. Raises OSError if the file cannot be written.
    """
    if ca.state != CaState.EXTERNAL:
        raise Conflict("ca-not-external", "Utfärdaren gör sina spärrlistor här.")
    found = _read(ca, content)
    _newer(found, _newest(ca))
    status_version = foreign_revocations.follow(ca, found, revoke_held=revoke_held, actor_ref=actor_ref)
    store_sync.await_store()
    der, path = found.crl.public_bytes(Encoding.DER), crl_path(ca)
    with transaction.atomic(durable=True):
        scope = _locked(ca)
        newest = scope.newest
        if _newer(found, newest) or newest is None:
            newest = scope.newest = _entered(ca, found, status_version, path.name, actor_ref)
            scope.save(update_fields=["newest"])
        # Under the scope's lock, so that an older CRL never replaces a newer one.
        write_atomically(path, der)
    publish_ca_certificate(ca)
    return newest


def _newer(found: OldList, newest: Crl | None) -> bool:
    """Returns whether the CRL replaces the published one; False if it is the same. Raises Conflict for an older one."""
    if newest is None:
        return True
    if newest.sha256 == found.sha256:
        return False
    if found.number <= newest.number or found.this_update < newest.this_update:
        raise Conflict("crl-not-newer", f"Spärrlistan har nummer {found.number}; nummer {newest.number} är redan publicerad.")
    return True


def _newest(ca: CertificateAuthority) -> Crl | None:
    scope = CrlScope.objects.filter(ca=ca, shard=None).select_related("newest").first()
    return scope.newest if scope is not None else None


def _locked(ca: CertificateAuthority) -> CrlScope:
    CrlScope.objects.bulk_create([CrlScope(ca=ca, shard=None)], ignore_conflicts=True)
    rows = CrlScope.objects.select_for_update(of=("self",), no_key=True).select_related("newest")
    return rows.get(ca=ca, shard=None)


def _entered(ca: CertificateAuthority, found: OldList, status_version: int, file_name: str, actor_ref: str) -> Crl:
    row = Crl.objects.create(
        ca=ca,
        number=found.number,
        this_update=found.this_update,
        next_update=found.crl.next_update_utc,
        entries=found.entries,
        size=len(found.crl.public_bytes(Encoding.DER)),
        sha256=found.sha256,
        file_name=file_name,
        status_version=status_version,
    )
    facts = {"ca": ca.slug, "number": row.number, "entries": row.entries, "sha256": row.sha256, "made": "elsewhere"}
    Event.record(
        actor_ref=actor_ref,
        action="crl.published",
        subject_type="certificate_authority",
        subject_ref=str(ca.id),
        facts=facts,
    )
    return row


def _read(ca: CertificateAuthority, content: bytes) -> OldList:
    issuer = x509.load_der_x509_certificate(bytes(ca.certificate_der))
    pem = content.lstrip().startswith(b"-----BEGIN")
    try:
        found = x509.load_pem_x509_crl(content) if pem else x509.load_der_x509_crl(content)
        number = found.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
        ours = found.issuer == issuer.subject and found.is_signature_valid(issuer.public_key())  # type: ignore[arg-type]
    except (*UNREADABLE, x509.ExtensionNotFound):
        raise Invalid("crl-unreadable", "Filen är inte en spärrlista med nummer.") from None
    if not ours:
        raise Invalid("crl-signature", "Spärrlistan är inte utfärdarens: namnet eller underskriften stämmer inte.")
    if not is_whole(found, ca.file_stem):
        raise Invalid("crl-scope", "Spärrlistan är en deltalista, en del av en lista eller en lista för en annan adress.")
    if number > _HIGHEST or found.last_update_utc > clock.now():
        raise Invalid("crl-times", "Spärrlistan är från framtiden, eller dess nummer är för högt.")
    sha256 = sha256_hex(found.public_bytes(Encoding.DER))
    return OldList("crl", number, found.last_update_utc, len(found), "", sha256, found)


def is_whole(found: x509.CertificateRevocationList, file_stem: str) -> bool:
    """Returns whether a CRL at the CA's one URL covers all of its certificates, or all of its CA certificates."""
    for extension in found.extensions:
        value = extension.value
        if isinstance(value, x509.DeltaCRLIndicator):
            return False
        if isinstance(value, x509.IssuingDistributionPoint):
            partly = value.only_contains_user_certs or value.only_contains_attribute_certs or value.only_some_reasons
            if partly or value.indirect_crl or value.relative_name:
                return False
            paths = [urlsplit(str(name.value)).path for name in value.full_name or ()]
            if paths and not any(path.endswith(f"/{list_name(file_stem, None)}") for path in paths):
                return False
    return True


def has_list(ca: CertificateAuthority) -> bool:
    """Returns whether a CRL of the CA is published."""
    return CrlScope.objects.filter(ca=ca, shard=None, newest__isnull=False).exists()


def watched() -> Iterator[Finding]:
    """Yields one finding for each CA with a CRL from another system: whether an operator must fetch the next one."""
    scopes = CrlScope.objects.filter(ca__state=CaState.EXTERNAL, ca__not_after__gt=clock.now(), newest__isnull=False)
    for scope in scopes.select_related("ca", "newest").order_by("ca_id"):
        if scope.newest is not None:
            yield _judged(scope.ca, scope.newest)


def _judged(ca: CertificateAuthority, newest: Crl) -> Finding:
    subject, text = f"crl {ca.slug}:{ca.generation}", f"nummer {newest.number}, {newest.entries} poster, gjord på annat håll"
    if newest.next_update is None:
        return Finding(subject, Severity.OK, f"{text}, den sista")
    left = newest.next_update - clock.now()
    if left <= dt.timedelta():
        return Finding(subject, Severity.ERROR, f"{text}, har gått ut; hämta nästa (pki_publish_crls --file)", "days", left.days)
    soon = left < LAST_PART * (newest.next_update - newest.this_update)
    text = f"{text}, gäller {left.days} dagar till{'; hämta nästa (pki_publish_crls --file)' if soon else ''}"
    return Finding(subject, Severity.WARNING if soon else Severity.OK, text, "days", left.days)
