"""The publisher's queries for OCSP responses: everything in the database at first, and then only what is new.

Each row has the number of the transaction that wrote it. A publisher keeps the snapshot that it read with
(`pg_current_snapshot`). Later, new rows are those of transactions that this snapshot did not see: those that were running then,
and all later ones. So a long transaction delays nothing, and no row is missed because it was committed late.
"""

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import batched, groupby
from typing import Any, Final, NamedTuple
from uuid import UUID

import structlog
from cryptography.x509 import ocsp as x509_ocsp
from django.db import connection
from django.db.models import Exists, F, OuterRef, Q, QuerySet

from pki.domain import serials
from pki.models import (
    ANSWERING,
    CaState,
    CertIdHash,
    Certificate,
    CertificateAuthority,
    CertificateStatus,
    OcspResponse,
    OcspSigner,
    OcspUnknown,
)
from pki.ocspd import layout
from pki.ocspd.layout import StoreRecord
from siths_portal.lib.database import plans

log = structlog.get_logger(__name__)

CHUNK = 2000
ISSUED_AT_ONCE = 5000
"""How many issued certificates without a response one query reads; revoked ones are all read each time."""


class Snapshot(NamedTuple):
    """What a transaction saw: everything below `end` except transactions that were still `running`."""

    end: int
    running: tuple[int, ...]

    @classmethod
    def current(cls, *, lasts: bool = False) -> "Snapshot":
        """Returns the current transaction's snapshot. `lasts` makes later statements of the transaction read nothing newer."""
        setting = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY; " if lasts else ""
        with connection.cursor() as cursor:
            cursor.execute(f"{setting}SELECT pg_current_snapshot()::text")
            row = cursor.fetchone()
        return cls.from_text(str(row[0]) if row else "")

    @classmethod
    def from_text(cls, text: str) -> "Snapshot":
        """Parses PostgreSQL's text form `xmin:xmax:xip,…`. Raises ValueError."""
        _, end, running = text.split(":")
        return cls(int(end), tuple(int(number) for number in running.split(",") if number))

    @property
    def text(self) -> str:
        """Returns the form that `from_text` parses."""
        return f"0:{self.end}:{','.join(map(str, self.running))}"

    def unseen(self) -> Q:
        """Rows written by transactions that this snapshot did not see."""
        return Q(xid__gte=self.end) | Q(xid__in=self.running)


def authorities() -> list[dict[str, Any]]:
    """Returns the CAs that the responder answers for, in the store's format.

    `signs`: missing responses will be signed; `nonce`: the CA's nonce policy; `name`: the CA's name in metrics.
    """
    signs = Exists(OcspSigner.objects.filter(ca=OuterRef("id"), retired_at=None)) & Q(state__in=ANSWERING)
    fields = ("id", "name_sha1", "name_sha256", "key_sha1", "key_sha256", "signs", "nonce")
    named = CertificateAuthority.objects.exclude(name_sha256="")
    found = named.annotate(signs=signs, nonce=F("nonce_policy")).order_by("id").values(*fields, "slug", "generation")
    return [row | {"name": f"{row.pop('slug')}:{row.pop('generation')}"} for row in found]


def count() -> int:
    """Returns about how many certificates have responses."""
    return OcspResponse.objects.count() // len(CertIdHash)


def answers(since: Snapshot | None) -> Iterator[StoreRecord]:
    """Yields the stored responses: all of them, or those written by transactions that `since` did not see."""
    rows = OcspResponse.objects.all()
    if since is None:
        yield from _records(rows)
        return
    # In the order of `pki_ocsp_feed`, and one query per part: for any other order the database may scan the whole table.
    parts = [rows.filter(xid__gte=since.end).order_by("xid")]
    if since.running:
        parts.append(rows.filter(xid__in=since.running))
    for part in parts:
        new = part.values_list("certificate_id", flat=True)
        for ids in batched(new.iterator(chunk_size=CHUNK), CHUNK, strict=False):
            yield from _records(rows.filter(certificate_id__in=set(ids)))


class _StoredResponse(NamedTuple):
    """One stored response with columns of its certificate."""

    certificate_id: UUID
    cert_id_hash: str
    ca_id: int
    serial: str
    status: str
    held: bool
    version: int
    not_after: dt.datetime
    signed_version: int
    this_update: dt.datetime
    next_update: dt.datetime
    der: bytes

    @property
    def is_true(self) -> bool:
        """Whether `der` is a response for this serial with the certificate's current status, as far as can be told now.

        No stored response is valid for a certificate on hold.
        """
        if self.held:
            return False
        try:
            response = x509_ocsp.load_der_ocsp_response(bytes(self.der))
            serial, said = response.serial_number, response.certificate_status
        except ValueError:
            return False
        status = x509_ocsp.OCSPCertStatus.REVOKED if self.status == CertificateStatus.REVOKED else x509_ocsp.OCSPCertStatus.GOOD
        return serial == int(self.serial, 16) and (said == status or self.signed_version != self.version)


def _records(rows: "QuerySet[OcspResponse]") -> Iterator[StoreRecord]:
    found = rows.order_by("certificate_id", "cert_id_hash").values_list(
        "certificate_id", "cert_id_hash", "ca_id", "certificate__serial", "certificate__status", "certificate__held",
        "certificate__status_version", "certificate__not_after", "status_version", "this_update", "next_update", "der",
    )  # fmt: skip
    for id_, group in groupby(map(_StoredResponse._make, found.iterator(chunk_size=CHUNK)), key=lambda row: row.certificate_id):
        both = list(group)
        if len({row.signed_version for row in both}) != 1 or len(both) != len(CertIdHash) or not all(row.is_true for row in both):
            log.error("ocsp_store.answer_refused", certificate=str(id_))
            continue
        sha1, sha256 = both
        yield StoreRecord(
            layout.key(sha1.ca_id, int(sha1.serial, 16)),
            sha1.signed_version,
            layout.ANSWER,
            int(max(sha1.this_update, sha256.this_update).timestamp()),
            int(min(sha1.next_update, sha256.next_update).timestamp()),
            int(sha1.not_after.timestamp()),
            bytes(sha1.der),
            bytes(sha256.der),
        )


def pending(after: UUID | None) -> tuple[list[StoreRecord], UUID | None]:
    """Returns certificates whose status no stored response has, and the id to continue after; None starts from the beginning.

    Returns every revoked one; of the issued ones, the next after the id, and the newest. Call it inside a transaction.
    """
    # Query by certificate id: a CA without a responder may have a million certificates without a response, which a join would
    # scan.
    signers = OcspSigner.objects.filter(ca=OuterRef("id"))
    cas = CertificateAuthority.objects.filter(Exists(signers) | Q(state=CaState.OFFLINE))
    signs = dict(
        cas.annotate(signs=Exists(signers.filter(retired_at=None)) | Q(state=CaState.OFFLINE)).values_list("id", "signs")
    )
    answered = [ca_id for ca_id, now in signs.items() if now]
    # Includes revoked certificates of a CA whose last responder is gone, if it has signed for them: its responses are valid for
    # hours, and no other response can replace them (B1.33).
    with plans.only_indexed():
        rows = _lacking(answered, after, also_revoked_of=list(signs))
        found = [row for row in rows if row[-1] == CertificateStatus.REVOKED]
        walk = sorted(row for row in rows if row[-1] == CertificateStatus.ISSUED)
        whole = len(walk) < ISSUED_AT_ONCE and after is None
        newest = [] if whole else _lacking(answered, None, newest=True)
    records = [_pending(*row[1:-1]) for row in [*found, *walk, *newest]]
    return records, walk[-1][0] if len(walk) == ISSUED_AT_ONCE else None


def held(cas: Iterable[int], since: Mapping[int, int]) -> tuple[list[StoreRecord], dict[int, int]]:
    """Returns certificates of these CAs that were put on hold after the CA's status version in `since`, and the new versions.

    They are PENDING: no response for them is stored, and the signer is asked for each request. Call it inside a transaction.

    Versions are drawn under the CA's row lock, so a reader who sees one version sees all lower ones (ADR 0021).
    """
    after = {ca_id: since.get(ca_id, -1) for ca_id in cas}
    with plans.only_indexed(), connection.cursor() as cursor:
        cursor.execute(_HELD, {"cas": list(after), "after": list(after.values()), "most": ISSUED_AT_ONCE})
        rows: list[tuple[int, str, int, dt.datetime]] = cursor.fetchall()
    for ca_id, _, version, _ in rows:
        after[ca_id] = max(after[ca_id], version)
    return [_pending(*row) for row in rows], after


type _Lacking = tuple[UUID, int, str, int, dt.datetime, str]

# One index scan of `pki_cert_presign` per CA, in the index's order. For all CAs at once, or with `=` for one, the database would
# read the whole table by id to find no row: it cannot know that the two columns correlate, and expects every row to lack its
# response. ORDER BY the CA, which no `=` makes redundant, is also possible only with that index.
_ISSUED: Final = """
SELECT row.* FROM unnest(%(cas)s::bigint[]) AS answered (ca) CROSS JOIN LATERAL (
    SELECT id, ca_id, serial, status_version, not_after, status FROM pki_certificate
    WHERE (ca_id, id) > (answered.ca, %(after)s) AND ca_id <= answered.ca
    AND status = 'issued' AND status IN ('issued', 'revoked') AND NOT held AND NOT presigned_version = status_version
    ORDER BY ca_id {way}, id {way} LIMIT %(most)s
) AS row ORDER BY row.id {way} LIMIT %(most)s
"""
_REVOKED: Final = """
SELECT id, ca_id, serial, status_version, not_after, status FROM pki_certificate
WHERE ca_id = ANY(%(also)s) AND status = 'revoked' AND status IN ('issued', 'revoked') AND NOT presigned_version = status_version
AND (presigned_version >= 0 OR ca_id = ANY(%(cas)s))
"""
_HELD: Final = """
SELECT row.* FROM unnest(%(cas)s::bigint[], %(after)s::bigint[]) AS answered (ca, version) CROSS JOIN LATERAL (
    SELECT ca_id, serial, status_version, not_after FROM pki_certificate
    WHERE ca_id = answered.ca AND status_version > answered.version AND status = 'issued' AND held
    ORDER BY status_version LIMIT %(most)s
) AS row
"""
_FIRST: Final = UUID(int=0)


def _lacking(cas: list[int], after: UUID | None, *, newest: bool = False, also_revoked_of: Sequence[int] = ()) -> list[_Lacking]:
    """Returns at most `ISSUED_AT_ONCE` issued certificates of these CAs without a response, in no order.

    They come after the id, or are the newest. Adds all revoked ones of the CAs in `also_revoked_of`.
    """
    statement = _ISSUED.format(way="DESC" if newest else "")
    if also_revoked_of:
        statement = f"{_REVOKED} UNION ALL ({statement})"
    revoked_of, first = list(also_revoked_of), after or _FIRST
    with connection.cursor() as cursor:
        cursor.execute(statement, {"cas": cas, "also": revoked_of, "after": first, "most": ISSUED_AT_ONCE})
        return list(cursor.fetchall())


def _pending(ca_id: int, serial: str, version: int, not_after: dt.datetime) -> StoreRecord:
    key = layout.key(ca_id, int(serial, 16))
    return StoreRecord(key, version, layout.PENDING, not_after=int(not_after.timestamp()))


def unknown(since: Snapshot | None) -> Iterator[StoreRecord]:
    """Yields signed `unknown` responses: all of them, or those written by transactions that `since` did not see."""
    rows = OcspUnknown.objects.filter(next_update__isnull=False)
    for row in rows.filter(since.unseen()) if since is not None else rows:
        if row.this_update and row.next_update:
            yield StoreRecord(
                layout.key(row.ca_id, int(row.serial, 16)),
                layout.UNKNOWN_VERSION,
                layout.UNKNOWN,
                int(row.this_update.timestamp()),
                int(row.next_update.timestamp()),
                int(row.next_update.timestamp()),
                bytes(row.der_sha1),
                bytes(row.der_sha256),
            )


def certificates(wanted: Iterable[tuple[int, int]], *, stored: bool = False) -> dict[tuple[int, int], UUID]:
    """Returns the ids of the certificates with these CAs and serials, whatever their status; leaves out those that do not exist.

    `stored` leaves out those on hold, because their responses are not stored.
    """
    rows = Certificate.objects.filter(named(wanted), *([Q(held=False)] if stored else [])).values_list("ca_id", "serial", "id")
    return {(ca_id, int(serial, 16)): id_ for ca_id, serial, id_ in rows}


def named(wanted: Iterable[tuple[int, int]]) -> Q:
    """A condition for certificates with these CAs and serials."""
    by_ca: dict[int, list[str]] = {}
    for ca_id, serial in wanted:
        by_ca.setdefault(ca_id, []).append(serials.text(serial))
    condition = Q(pk__in=[])
    for ca_id, texts in by_ca.items():
        condition |= Q(ca_id=ca_id, serial__in=texts)
    return condition
