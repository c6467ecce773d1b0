"""Signatures over the reports of imports (rules/pki 9.6), by the token's key for signed heads (ADR 0142, 0177).

The command signs when its import is finished; if the token does not respond, or the process has no token, the `pki` worker
signs later. The signed bytes are DOMAIN and the report's canonical JSON, which is the file `import-<hash>.json` byte for byte,
so that anybody with the public key can verify it with openssl.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import structlog
from django.db import transaction

from pki.models import CaImport, Event, HsmKey, ImportState, KeyPurpose
from siths_portal.lib import clock, ports
from siths_portal.lib.audit.keys import AuditKeys, KeysUnavailable, KeyUnknown
from siths_portal.lib.canonical import canonical_json, sha256_hex
from siths_portal.lib.errors import Invalid
from siths_portal.lib.files.atomic import write_atomically

log = structlog.get_logger(__name__)

DOMAIN = b"siths-portal import report 1\x00"
ACTOR = "system:imports"


@dataclass(frozen=True)
class Signature:
    """A signature as DER (ECDSA-Sig-Value), the CKA_ID of its key, and the key's public half as PEM."""

    der: bytes
    key_id: str
    public_key: bytes


@dataclass(frozen=True)
class Verified:
    """The result for one file: the id of our key that signed it ("" if none did), and whether the audit chain has it."""

    name: str
    key_id: str
    recorded: bool

    @property
    def ok(self) -> bool:
        """Returns whether one of our keys signed it and the audit chain has it."""
        return bool(self.key_id) and self.recorded


def of(row: CaImport) -> Signature | None:
    """Returns the signature over the import's report, or None until it is made."""
    if not row.signature:
        return None
    return Signature(bytes(row.signature), row.signature_key_id, ports.get(AuditKeys).public_key(row.signature_key_id))


def sign(row: CaImport, *, actor_ref: str = ACTOR) -> Signature | None:
    """Signs the report of a finished import once, outside a transaction. Returns None if the token cannot be used now."""
    keys = ports.get(AuditKeys)
    if not row.signature:
        if not keys.usable():
            return None
        try:
            key_id, signature = keys.sign(DOMAIN + canonical_json(row.report))
        except (KeysUnavailable, KeyUnknown) as error:
            log.error("import.report_not_signed", ca_import=str(row.pk), error=type(error).__name__)
            return None
        _store(row.pk, key_id, signature, actor_ref)
        row.refresh_from_db(fields=["signature", "signature_key_id", "signed_at"])
    return of(row)


@transaction.atomic(durable=True)
def _store(pk: UUID, key_id: str, signature: bytes, actor_ref: str) -> None:
    """Stores the signature, unless another process was first."""
    row = CaImport.objects.select_for_update(no_key=True).get(pk=pk)
    if row.signature:
        return
    row.signature, row.signature_key_id, row.signed_at = signature, key_id, clock.now()
    row.save(update_fields=["signature", "signature_key_id", "signed_at"])
    Event.record(
        actor_ref=actor_ref,
        action="import.report_signed",
        subject_type="certificate_authority",
        subject_ref=str(row.ca_id),
        facts={"import": str(row.pk), "report_sha256": sha256_hex(canonical_json(row.report)), "key_id": key_id},
    )


def sign_waiting() -> int:
    """Signs the reports that no command could sign and returns their number. Runs in the `pki` worker: it needs the token."""
    waiting = CaImport.objects.filter(state=ImportState.FINISHED, signature=b"").order_by("id")
    return sum(sign(row) is not None for row in waiting)


def write(folder: Path, stem: str, signature: Signature) -> list[Path]:
    """Writes `<stem>.sig` and `<stem>.pem` beside the report. Raises OSError."""
    paths = [folder / f"{stem}.sig", folder / f"{stem}.pem"]
    for path, content in zip(paths, (signature.der, signature.public_key), strict=True):
        write_atomically(path, content)
    return paths


def verify(folder: Path) -> Iterator[Verified]:
    """Verifies each signed report of the folder with our own keys; the PEM file in the folder is not trusted.

    Raises Invalid if the folder has no signed report, or if a file cannot be read.
    """
    signed = [path for path in sorted(folder.glob("import-*.json")) if path.with_suffix(".sig").exists()]
    if not signed:
        raise Invalid("report-missing", "Mappen har ingen signerad rapport (import-….json med .sig).")
    known = list(HsmKey.objects.filter(purpose=KeyPurpose.AUDIT_HEAD).order_by("-created_at").values_list("key_id", flat=True))
    keys = ports.get(AuditKeys)
    for path in signed:
        try:
            content, signature = path.read_bytes(), path.with_suffix(".sig").read_bytes()
        except OSError as error:
            raise Invalid("report-unreadable", f"{path.name} går inte att läsa: {error.strerror}.") from None
        signer = next((key_id for key_id in known if keys.verifies(key_id, DOMAIN + content, signature)), "")
        signed_events = Event.objects.filter(action="import.report_signed", facts__report_sha256=sha256_hex(content))
        yield Verified(path.name, signer, signed_events.filter(facts__key_id=signer).exists())
