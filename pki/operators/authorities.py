"""CAs for the operators' pages: state, CRLs, responders, and the number of certificates."""

import datetime as dt
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID

from cryptography import x509
from django.db.models import Count, Q, QuerySet

from pki.authorities import ca_states
from pki.authorities.queries import addresses
from pki.domain import serials
from pki.models import CaState, Certificate, CertificateAuthority, CertificateStatus, Crl, OcspSigner
from siths_portal.lib import clock
from siths_portal.lib.errors import NotFound

COUNTED = 20_000
"""The limit up to which a CA's certificates are counted; above it the number is the planner's estimate."""


@dataclass(frozen=True)
class PublishedList:
    """The newest CRL of a CA. `due` is when the next one is planned; if it is in the past, the CRL is late.

    `due` and `next_update` are None for the last CRL of a retired CA.
    """

    number: int
    this_update: dt.datetime
    next_update: dt.datetime | None
    due: dt.datetime | None
    entries: int
    size: int
    sha256: str
    file_name: str


@dataclass(frozen=True)
class Responder:
    """A delegated OCSP responder. `days_left` are whole days until notAfter, negative after it."""

    certificate_id: UUID
    key_id: str
    token_label: str
    not_before: dt.datetime
    not_after: dt.datetime
    retired_at: dt.datetime | None
    days_left: int


@dataclass(frozen=True)
class AuthorityLine:
    """A CA in a list. `parent` is the name of its issuer, empty for a root; `signer_until` is its responder's notAfter."""

    slug: str
    generation: int
    common_name: str
    state: str
    parent: str
    not_before: dt.datetime | None
    not_after: dt.datetime | None
    key_id: str
    newest_list: PublishedList | None
    signer_until: dt.datetime | None


@dataclass(frozen=True)
class StatusCount:
    """The number of a CA's certificates with a status; `estimated` if it is not exact."""

    status: str
    number: int
    estimated: bool


@dataclass(frozen=True)
class AuthorityRecord:
    """All data of one CA.

    `certificate_id` is the row of its own certificate, None if it has no row here. `children` are slug, generation and name of
    the CAs that it certified, `generations` of the CAs that share its slug. `state_obstacle` says in Swedish why no other state
    can be requested now, and is empty if one can.
    """

    line: AuthorityLine
    parent: tuple[str, int] | None
    certificate: bytes = field(repr=False)
    certificate_id: UUID | None
    serial: str
    sha256: str
    sha1: str
    spki_sha256: str
    ski: str
    token_label: str
    serial_mode: str
    file_stem: str
    definition_sha256: str
    certificate_hashes: Mapping[str, str]
    addresses: Mapping[str, str]
    crl_period: dt.timedelta
    crl_validity: dt.timedelta
    created_at: dt.datetime
    responders: tuple[Responder, ...]
    counts: tuple[StatusCount, ...]
    children: tuple[tuple[str, int, str], ...]
    generations: tuple[tuple[str, int, str], ...]
    state_obstacle: str


def authority_lines() -> list[AuthorityLine]:
    """Returns every CA, including planned ones: roots first, then by name and generation."""
    rows = CertificateAuthority.objects.select_related("parent").defer("certificate_der", "parent__certificate_der")
    lists = {row.ca_id: row for row in Crl.objects.filter(shard=None).order_by("ca_id", "-number").distinct("ca_id")}
    signers = OcspSigner.objects.filter(retired_at=None).order_by("ca_id", "-not_after").distinct("ca_id")
    until = dict(signers.values_list("ca_id", "not_after"))
    lines = [_line(row, lists.get(row.id), until.get(row.id)) for row in rows]
    return sorted(lines, key=lambda line: (bool(line.parent), line.common_name, line.generation))


def authority_names() -> dict[str, str]:
    """Returns the common name of every CA by `<slug>:<generation>`, the reference in documents and mass revocations."""
    rows = CertificateAuthority.objects.values_list("slug", "generation", "common_name")
    return {f"{slug}:{generation}": name for slug, generation, name in rows}


def authority_record(slug: str, generation: int) -> AuthorityRecord:
    """Returns all data of the CA. Raises NotFound."""
    row = CertificateAuthority.objects.filter(slug=slug, generation=generation).select_related("parent").first()
    if row is None:
        raise NotFound("ca-unknown", "Utfärdaren finns inte.")
    newest = Crl.objects.filter(ca=row, shard=None).order_by("-number").first()
    responders = [_responder(each) for each in row.ocsp_signers.order_by("-not_after")]
    in_use = [each.not_after for each in responders if each.retired_at is None]
    der = bytes(row.certificate_der)
    serial = serials.text(x509.load_der_x509_certificate(der).serial_number) if der else ""
    own = Certificate.objects.filter(ca_id=row.parent_id or row.id, serial=serial).values_list("id", flat=True).first()
    kin = CertificateAuthority.objects.filter(Q(parent=row) | Q(slug=slug)).exclude(pk=row.pk).order_by("slug", "generation")
    relatives = list(kin.values_list("slug", "generation", "common_name", "parent_id"))
    return AuthorityRecord(
        line=_line(row, newest, in_use[0] if in_use else None),
        parent=(row.parent.slug, row.parent.generation) if row.parent else None,
        certificate=der,
        certificate_id=own,
        serial=serial,
        sha256=hashlib.sha256(der).hexdigest() if der else "",
        sha1=hashlib.sha1(der).hexdigest() if der else "",  # noqa: S324  (to compare with other tools)
        spki_sha256=row.spki_sha256,
        ski=row.ski,
        token_label=row.token_label,
        serial_mode=row.serial_mode,
        file_stem=row.file_stem,
        definition_sha256=row.definition_sha256,
        certificate_hashes={name: getattr(row, name) for name in ("name_sha1", "key_sha1", "name_sha256", "key_sha256")},
        addresses=addresses(row.file_stem),
        crl_period=row.crl_period,
        crl_validity=row.crl_validity,
        created_at=row.created_at,
        responders=tuple(responders),
        counts=tuple(_counts(row)),
        children=tuple((slug, generation, name) for slug, generation, name, parent in relatives if parent == row.pk),
        generations=tuple((each, number, name) for each, number, name, _parent in relatives if each == slug),
        state_obstacle=ca_states.obstacle(row),
    )


def authority_certificate(slug: str, generation: int) -> bytes:
    """Returns the CA's certificate in DER. Raises NotFound for an unknown CA, and for a CA without a certificate."""
    rows = CertificateAuthority.objects.filter(slug=slug, generation=generation).exclude(state=CaState.PLANNED)
    der = rows.values_list("certificate_der", flat=True).first()
    if not der:
        raise NotFound("ca-unknown", "Utfärdaren finns inte, eller har inget certifikat än.")
    return bytes(der)


def _line(row: CertificateAuthority, newest: Crl | None, signer_until: dt.datetime | None) -> AuthorityLine:
    return AuthorityLine(
        slug=row.slug,
        generation=row.generation,
        common_name=row.common_name,
        state=row.state,
        parent=row.parent.common_name if row.parent else "",
        not_before=row.not_before,
        not_after=row.not_after,
        key_id=row.key_id,
        newest_list=_published(row, newest) if newest else None,
        signer_until=signer_until,
    )


def _published(row: CertificateAuthority, crl: Crl) -> PublishedList:
    return PublishedList(
        number=crl.number,
        this_update=crl.this_update,
        next_update=crl.next_update,
        due=crl.this_update + row.crl_period if crl.next_update else None,
        entries=crl.entries,
        size=crl.size,
        sha256=crl.sha256,
        file_name=crl.file_name,
    )


def _responder(row: OcspSigner) -> Responder:
    return Responder(
        certificate_id=row.certificate_id,
        key_id=row.key_id,
        token_label=row.token_label,
        not_before=row.not_before,
        not_after=row.not_after,
        retired_at=row.retired_at,
        days_left=(row.not_after - clock.now()).days,
    )


def _counts(ca: CertificateAuthority) -> list[StatusCount]:
    """Returns the numbers by status: exact up to COUNTED, otherwise estimated, so that the page is fast for millions."""
    own = Certificate.objects.filter(ca=ca)
    some = own.order_by("serial").values("pk")[: COUNTED + 1]
    counted = dict(Certificate.objects.filter(pk__in=some).order_by().values_list("status").annotate(number=Count("pk")))
    estimated = sum(counted.values()) > COUNTED
    return [
        StatusCount(status, _about(own.filter(status=status)) if estimated else counted.get(status, 0), estimated)
        for status in CertificateStatus.values
    ]


def _about(rows: QuerySet[Certificate]) -> int:
    """Returns the planner's estimate of the number of rows, rounded to two significant digits."""
    plan = json.loads(rows.order_by().explain(format="json"))
    guess = int(plan[0]["Plan"]["Plan Rows"])
    scale = int(10 ** max(len(str(guess)) - 2, 0))
    return guess // scale * scale
