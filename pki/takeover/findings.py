"""The counts of an import, and the rows that it reports."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from pki.models import CaImport, ImportFinding
from siths_portal.lib.database import bulk

KINDS: Mapping[str, str] = {
    "unreadable": "raden går inte att läsa",
    "serial": "radens serienummer är inte certifikatets, eller inget serienummer",
    "issuer": "certifikatet har en annan utfärdare",
    "issuer-key": "certifikatet nämner en annan nyckel hos utfärdaren",
    "signature": "utfärdarens underskrift stämmer inte",
    "times": "raden saknar certifikat och tider, eller har en spärrtid i framtiden eller före 1950",
    "reason": "spärrorsaken finns inte här; spärrat utan orsak",
    "status": "statusen finns inte här",
    "on-hold": "certifikatet är tillfälligt spärrat (certificateHold), vilket inte finns här; måste avgöras före importen",
    "twice": "serienumret står två gånger med olika uppgifter",
    "other-certificate": "serienumret har här ett annat certifikat",
    "other-revocation": "certifikatet är här spärrat med annan tid eller orsak",
    "revoked-here": "certifikatet är spärrat här men inte i underlaget",
    "address": "adressen i certifikaten leder inte till något som publiceras här",
    "list-unreadable": "spärrlistan går inte att läsa eller är inte utfärdarens",
    "list-number": "spärrlistans nummer är högre än vad som kan fortsättas här; raderna på den är tagna",
    "listed-unknown": "står på gamla listan men saknas i underlaget; lagt in med bara serienummer",
    "listed-not-revoked": "står på gamla listan men är inte spärrat i underlaget; spärrat här",
    "listed-differently": "gamla listan har annan tid eller orsak",
    "not-listed": "spärrat före gamla listan men står inte på den",
    "paper-unknown": "begäran på papper gäller ett serienummer som inte finns",
    "paper-invalid": "begäran på papper går inte att läsa eller inte att utföra",
}
"""The kinds of findings, with the report's Swedish texts."""
DIFFERENCES: Mapping[str, str] = {
    "only-old-unknown": "bara på gamla listan; serienumret finns inte här",
    "only-old": "bara på gamla listan; inte spärrat här",
    "different": "annan tid eller orsak",
    "only-here": "spärrat här före gamla listan men står inte på den",
    "list-unreadable": "spärrlistan går inte att läsa eller är inte utfärdarens",
    "reason": "gamla listan har en orsak som inte finns här",
    "on-hold": "tillfälligt spärrat på gamla listan",
}
"""The kinds of differences between an old service's CRLs and our rows, with Swedish texts."""

LOCK = 0x70_6B_69_03
"""The advisory lock of the process that executes an import."""

SHOWN = 100
"""The limit of findings that a report shows; the table has all of them."""


def plain(text: str) -> str:
    """Returns external text for a column or a line of a report; unprintable and invalid characters are escaped."""
    kept = "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text[:1000])
    return kept.encode(errors="backslashreplace").decode()


@dataclass
class Ledger:
    """The counts of the complete import, the findings since the last stored batch, and the first findings to show."""

    counts: Counter[str] = field(default_factory=Counter)
    found: list[ImportFinding] = field(default_factory=list)
    shown: list[ImportFinding] = field(default_factory=list)

    def report(self, place: str, kind: str, serial: str = "", detail: str = "") -> None:
        """Records a finding about a row."""
        self.counts[f"finding:{kind}"] += 1
        self.found.append(
            ImportFinding(place=plain(place)[-200:], kind=kind, serial=plain(serial)[:40], detail=plain(detail)[:200])
        )

    def store(self, ca_import: CaImport | None) -> None:
        """Writes the findings in the caller's transaction. A dry run has no import and keeps only those that it shows."""
        self.shown += self.found[: SHOWN - len(self.shown)]
        if ca_import is not None:
            for each in self.found:
                each.ca_import = ca_import
            bulk.insert(self.found)
        self.found.clear()

    def resume(self, ca_import: CaImport) -> None:
        """Loads the counts and the first findings of an interrupted import."""
        self.counts.update(ca_import.counts)
        self.shown = list(ImportFinding.objects.filter(ca_import=ca_import).order_by("id")[:SHOWN])

    @property
    def findings(self) -> dict[str, int]:
        """Returns the count of each kind."""
        return {name.removeprefix("finding:"): n for name, n in sorted(self.counts.items()) if name.startswith("finding:")}
