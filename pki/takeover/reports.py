"""The report of an import, for the auditor: as JSON, whose hash is in the audit chain, and as text (rules/pki 9.6)."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pki.models import Certificate, CertificateAuthority, CertificateStatus
from pki.takeover.findings import KINDS, Ledger
from pki.takeover.manifest import Manifest
from pki.takeover.old_crls import OldLists
from siths_portal.lib.canonical import canonical_json, sha256_hex
from siths_portal.lib.files.atomic import write_atomically

_COUNTS: Mapping[str, str] = {
    "rows": "rader lästa",
    "new": "nya certifikat",
    "new_revoked": "  av dem spärrade",
    "new_serial_only": "  av dem med bara serienummer",
    "completed": "fick sitt certifikat, hade bara serienummer",
    "revoked": "fanns här och spärrades",
    "unchanged": "fanns här likadana",
    "lists": "gamla spärrlistor",
    "papers": "spärrade efter begäran på papper",
    "papers_already_revoked": "begärda på papper, redan spärrade",
}


@dataclass(frozen=True)
class ImportReport:
    """The report of an import or a dry run, as JSON values."""

    values: dict[str, Any]

    @property
    def sha256(self) -> str:
        """Returns the hash of `content`."""
        return sha256_hex(self.content)

    @property
    def content(self) -> bytes:
        """Returns its canonical JSON, which `write` writes and the token signs."""
        return canonical_json(self.values)

    @property
    def findings(self) -> dict[str, int]:
        """Returns the number of findings of each kind."""
        return dict(self.values["findings"])

    def text(self) -> str:
        """Returns the report in Swedish, one fact a line."""
        values = self.values
        lines = [
            f"{'Provkörning' if values['dry_run'] else 'Import'} av {values['ca']['slug']} {values['ca']['generation']}",
            f"certifikat SHA-256 {values['ca']['certificate_sha256']}",
            f"underlag SHA-256 {values['inputs_sha256']}",
            *(f"  {each['sha256']} {each['size']} {each['name']}" for each in values["inputs"]),
            *(f"{values['counts'][name]} {text}" for name, text in _COUNTS.items() if values["counts"].get(name)),
            *(f"gammal spärrlista nummer {each['number']}, {each['entries']} rader: {each['place']}" for each in values["lists"]),
            f"nästa spärrlista får ett nummer över {values['crl_number_above']}",
            f"här finns nu {values['rows']['issued']} utfärdade och {values['rows']['revoked']} spärrade",
            *(f"avvikelse: {count} {KINDS[kind]}" for kind, count in values["findings"].items()),
            *(f"  {each['place']} {each['serial']} {each['kind']} {each['detail']}".rstrip() for each in values["examples"]),
        ]
        return "\n".join([*lines, "" if values["findings"] else "inga avvikelser", f"rapport SHA-256 {self.sha256}", ""])

    @property
    def stem(self) -> str:
        """Returns the name of its files, without suffix."""
        return f"import-{self.values['inputs_sha256'][:12]}{'-prov' if self.values['dry_run'] else ''}"

    def write(self, folder: Path) -> list[Path]:
        """Writes `import-<hash>.json` and `.txt` and returns them. Raises OSError."""
        paths = [folder / f"{self.stem}.json", folder / f"{self.stem}.txt"]
        for path, content in zip(paths, (self.content, self.text().encode()), strict=True):
            write_atomically(path, content)
        return paths


def made(
    manifest: Manifest,
    inputs: list[dict[str, object]],
    ca: CertificateAuthority,
    ledger: Ledger,
    old: OldLists,
    *,
    dry: bool,
) -> ImportReport:
    """Returns the report of a run, in the run's last transaction."""
    rows = Certificate.objects.filter(ca=ca)
    counts = {name: count for name, count in ledger.counts.items() if not name.startswith("finding:")}
    return ImportReport(
        {
            "dry_run": dry,
            "ca": {
                "slug": ca.slug,
                "generation": ca.generation,
                "common_name": ca.common_name,
                "certificate_sha256": sha256_hex(bytes(ca.certificate_der)),
            },
            "format": manifest.format,
            "inputs": inputs,
            "inputs_sha256": sha256_hex(canonical_json(inputs)),
            "counts": counts,
            "rows": {
                "issued": rows.filter(status=CertificateStatus.ISSUED).count(),
                "revoked": rows.filter(status=CertificateStatus.REVOKED).count(),
            },
            "lists": [each.summary for each in old.newest],
            "crl_number_above": str(max(ca.last_crl_number, old.highest)),
            "findings": ledger.findings,
            "examples": _examples(ledger),
        }
    )


def _examples(ledger: Ledger) -> list[dict[str, str]]:
    return [{"place": each.place, "kind": each.kind, "serial": each.serial, "detail": each.detail} for each in ledger.shown]
