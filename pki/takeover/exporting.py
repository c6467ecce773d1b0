"""Exports a CA in the format that `pki_import` reads, so that a customer can leave (rules/pki 9.7)."""

import base64
import datetime as dt
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from django.db import connection, transaction

from pki.crl import building
from pki.crl.scopes import shards_of
from pki.models import CaState, Certificate, CertificateAuthority, CertificateStatus, Crl, Event
from pki.takeover import manifest
from pki.takeover.records import HOLD
from siths_portal.lib import clock
from siths_portal.lib.canonical import sha256_hex
from siths_portal.lib.errors import Conflict
from siths_portal.lib.files.atomic import sync_folder, write_atomically

_PIECE = 2000

# One statement with a server-side cursor: a consistent snapshot that needs little memory.
_ROWS = """
SELECT row.serial, blob.der, row.not_before, row.not_after, row.issued_at,
       CASE WHEN row.held THEN 'revoked' ELSE row.status END,
       CASE WHEN row.held THEN coalesce(row.issued_at, row.created_at) ELSE row.revoked_at END,
       CASE WHEN row.held THEN %s ELSE row.reason END, row.invalidity_date, row.subject_ref, row.carrier_ref, row.unit_ref
FROM pki_certificate row LEFT JOIN pki_certificateblob blob ON blob.certificate_id = row.id
WHERE row.ca_id = %s AND row.status IN ('issued', 'revoked') ORDER BY row.serial
"""
_NAMES = (
    "serial", "der", "not_before", "not_after", "issued_at", "status", "revoked_at", "reason", "invalidity_date",
    "subject_ref", "carrier_ref", "unit_ref",
)  # fmt: skip


def export(ca: CertificateAuthority, folder: Path, *, actor_ref: str) -> dict[str, Any]:
    """Writes the CA's certificate, its certificates with their statuses, its CRLs and a manifest; returns counts and hashes.

    A certificate on hold is written as OCSP shows it: revoked, certificateHold. The import refuses it, or revokes it if the
    manifest says so (ADR 0171), so the move never makes it good.

    Keys are not exported. Raises Conflict if the folder is missing or not empty, if the CA has no certificate, and while
    certificates are being issued, since some may be signed already.
    """
    if not ca.certificate_der or ca.state == CaState.PLANNED:
        raise Conflict("ca-without-certificate", "Utfärdaren har inget certifikat i bruk.")
    if not folder.is_dir():
        raise Conflict("export-folder", "Mappen finns inte.")
    if any(folder.iterdir()):
        raise Conflict("export-folder", "Mappen är inte tom.")
    if Certificate.objects.filter(ca=ca, status=CertificateStatus.RESERVED).exists():
        raise Conflict("export-under-way", "Certifikat håller på att utfärdas. Vänta tills de är klara.")
    write_atomically(folder / "ca.cer", bytes(ca.certificate_der))
    counts, digest = _certificates(ca, folder / "certificates.jsonl")
    numbers = _lists(ca, folder / "crls")
    # Written last: `pki_import` refuses an incomplete folder, which has no manifest.
    write_atomically(folder / manifest.NAME, _manifest(ca).encode())
    summary = {
        "slug": ca.slug,
        "generation": ca.generation,
        "certificate_sha256": sha256_hex(bytes(ca.certificate_der)),
        "counts": counts,
        "certificates_sha256": digest,
        "crl_numbers": numbers,
        "at": clock.now().isoformat(),
    }
    with transaction.atomic(durable=True):
        Event.record(
            actor_ref=actor_ref,
            action="authority.exported",
            subject_type="certificate_authority",
            subject_ref=str(ca.id),
            facts=summary,
        )
    return summary


def _certificates(ca: CertificateAuthority, path: Path) -> tuple[dict[str, int], str]:
    counts, hashed = {"issued": 0, "revoked": 0, "on_hold": 0, "serial_only": 0}, hashlib.sha256()
    with path.open("wb") as file:
        for values in _rows(ca):
            line = json.dumps(_exported(values), separators=(",", ":")).encode() + b"\n"
            file.write(line)
            hashed.update(line)
            counts["on_hold" if values["reason"] == HOLD else values["status"]] += 1
            counts["serial_only"] += values["der"] is None
        file.flush()
        os.fsync(file.fileno())
    sync_folder(path.parent)
    return counts, hashed.hexdigest()


def _rows(ca: CertificateAuthority) -> Iterator[dict[str, Any]]:
    # A server-side cursor of this transaction, as `QuerySet.iterator` uses.
    with transaction.atomic(), closing(connection.chunked_cursor()) as cursor:
        cursor.execute(_ROWS, [HOLD, ca.id])
        while rows := cursor.fetchmany(_PIECE):
            for row in rows:
                yield dict(zip(_NAMES, row, strict=True))


def _exported(values: dict[str, Any]) -> dict[str, str]:
    """Returns the row without empty values. Times keep their microseconds, so that an import gives the same row."""
    exported = {}
    for name, value in values.items():
        if value in (None, ""):
            continue
        if name == "der":
            exported[name] = base64.b64encode(bytes(value)).decode()
        else:
            exported[name] = value if isinstance(value, str) else value.isoformat()
    return exported


def _lists(ca: CertificateAuthority, folder: Path) -> list[int]:
    """Writes the newest published CRL of each scope that is on disk and returns their CRL numbers.

    Raises Conflict if a file is not the newest CRL that we recorded.
    """
    numbers = []
    for shard in shards_of(ca):
        newest = Crl.objects.filter(ca=ca, shard=shard).order_by("-number").first()
        path = building.crl_path(ca, shard)
        if newest is None or not path.is_file():
            continue
        content = path.read_bytes()
        if sha256_hex(content) != newest.sha256:
            raise Conflict("export-crl", "Spärrlistan på disk är inte den senaste. Kör pki_publish_crls först.")
        write_atomically(folder / path.name, content)
        numbers.append(newest.number)
    return numbers


def _manifest(ca: CertificateAuthority) -> str:
    lines = [
        "format: jsonl",
        "ca:",
        f"  slug: {ca.slug}",
        f"  generation: {ca.generation}",
        "  certificate: ca.cer",
        *([f"  parent: {ca.parent.slug}"] if ca.parent else []),
        *([f'  token: "{ca.token_label}"', f'  key_id: "{ca.key_id}"'] if ca.key_id else []),
        f"  crl_period: {_span(ca.crl_period)}",
        f"  crl_validity: {_span(ca.crl_validity)}",
        *([f"  crl_shards: {ca.crl_shards}"] if ca.crl_shards > 1 else []),
        f"  serials: {ca.serial_mode}",
    ]
    return "\n".join([*lines, ""])


def _span(value: dt.timedelta) -> str:
    """Returns the manifest's form of a duration: at most four digits and a unit."""
    minutes = max(1, int(value.total_seconds()) // 60)
    if minutes % 1440 == 0:
        return f"{minutes // 1440}d"
    return f"{minutes // 60}h" if minutes % 60 == 0 else f"{minutes}m"
