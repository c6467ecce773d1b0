"""`pki_import DIR`: imports another installation's CA (rules/pki 9), under dual control; resumes an interrupted import."""

import json
import os
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from pki.management import arguments
from pki.takeover import comparing, findings, lifecycle, manifest, signatures
from pki.takeover.findings import Ledger
from siths_portal.lib.errors import DomainError
from siths_portal.lib.files.path_arguments import readable_folder, writable_folder
from siths_portal.lib.processes.commands import CheckedCommand

_SHOWN = 1000


class Command(CheckedCommand):
    """Imports a folder: `import.yaml`, the CA's certificate, its certificates in one of five formats, and its old CRLs."""

    help = "Tar över en utfärdare: kontrollera (--dry-run), begär (--request), importera, jämför (--compare), granska (--verify)."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declares the folder and the modes."""
        parser.add_argument("folder", type=readable_folder, metavar="MAPP", help="mappen med import.yaml")
        act = parser.add_mutually_exclusive_group()
        act.add_argument("--dry-run", action="store_true", help="kontrollera allt, ändra inget, skriv rapporten")
        act.add_argument("--request", action="store_true", help="begär godkännande av importen av just dessa filer")
        act.add_argument("--compare", action="store_true", help="jämför gamla tjänstens spärrlista i crls/ med det som finns här")
        act.add_argument("--verify", action="store_true", help="kontrollera underskrifterna på rapporter i mappen")
        parser.add_argument("--report", type=writable_folder, metavar="MAPP", help="dit rapporten skrivs, som JSON och text")
        parser.add_argument(
            "--workers", type=int, default=os.process_cpu_count() or 1, metavar="ANTAL", help="processer som kontrollerar"
        )
        parser.add_argument("--json", action="store_true", help="skriv resultatet som JSON")

    def handle(self, *_arguments: Any, **options: Any) -> None:
        """Exits with 1 for refused imports, findings, CRLs that differ and invalid signatures; 2 for wrong use."""
        if options["workers"] < 1:
            raise CommandError("ange minst en process", returncode=2)
        try:
            if options["verify"]:
                self._verify(options)
            elif options["compare"]:
                self._compare(options)
            elif options["request"]:
                self._request(options)
            else:
                self._import(options)
        except DomainError as error:
            raise CommandError(error.message) from None

    def _request(self, options: dict[str, Any]) -> None:
        what = lifecycle.asked(options["folder"])
        made = lifecycle.request(what, requester_ref=arguments.operator_ref(), workers=options["workers"], say=self._progress)
        if options["json"]:
            self._dump({"request": str(made.id), "document": made.document})
        else:
            self.stdout.write(f"{made.id} väntar på godkännande av {made.required} andra: {made.summary}")

    def _import(self, options: dict[str, Any]) -> None:
        run = lifecycle.dry_run if options["dry_run"] else lifecycle.carry_out
        what = lifecycle.asked(options["folder"])
        outcome = run(what, actor_ref=arguments.operator_ref(), workers=options["workers"], say=self._progress)
        report = outcome.report
        for path in self._written(options["report"], outcome) if options["report"] else ():
            self.stderr.write(f"rapport: {path}")
        if not options["dry_run"] and outcome.signature is None:
            self.stderr.write("rapporten är inte signerad än; pki-workern gör det. Kör kommandot igen för att hämta den")
        if options["json"]:
            signed_by = outcome.signature.key_id if outcome.signature else ""
            self._dump(report.values | {"sha256": report.sha256, "repeated": outcome.repeated, "signed_by": signed_by})
        else:
            self.stdout.write(report.text() if not outcome.repeated else f"redan importerat; inget är ändrat\n{report.text()}")
        if report.findings:
            raise CommandError(f"{sum(report.findings.values())} avvikelser; se rapporten")

    def _written(self, folder: Path, outcome: lifecycle.ImportResult) -> list[Path]:
        paths = outcome.report.write(folder)
        return paths + (signatures.write(folder, outcome.report.stem, outcome.signature) if outcome.signature else [])

    def _verify(self, options: dict[str, Any]) -> None:
        found = list(signatures.verify(options["folder"]))
        if options["json"]:
            self._dump([{"name": each.name, "signed_by": each.key_id, "recorded": each.recorded} for each in found])
        else:
            for each in found:
                signed = f"signerad av nyckeln {each.key_id}" if each.key_id else "FEL: ingen av våra nycklar har signerat den"
                recorded = "står i händelsekedjan" if each.recorded else "FEL: händelsekedjan nämner den inte"
                self.stdout.write(f"{each.name}: {signed}; {recorded}")
        if bad := [each.name for each in found if not each.ok]:
            raise CommandError(f"rapporten stämmer inte: {', '.join(bad)}")

    def _compare(self, options: dict[str, Any]) -> None:
        found = comparing.compare(manifest.read(options["folder"]), actor_ref=arguments.operator_ref())
        if options["json"]:
            self._dump({"same": found.same, "lists": found.lists, "differences": found.differences, "later": found.later,
                        "serials": [list(each) for each in found.serials]})  # fmt: skip
        else:
            for kind, serial in found.serials[:_SHOWN]:
                self.stdout.write(f"{serial} {findings.DIFFERENCES[kind]}")
            self.stdout.write(f"{found.later} spärrade här efter gamla listan")
        if not found.same:
            raise CommandError(f"listorna skiljer sig i {len(found.serials)} fall")
        if not options["json"]:
            self.stdout.write("gamla listan säger detsamma")

    def _progress(self, ledger: Ledger, position: int) -> None:
        if self.stderr.isatty():
            self.stderr.write(f"\r{position} rader, {ledger.counts['new']} nya ", ending="")

    def _dump(self, value: Any) -> None:
        self.stdout.write(json.dumps(value, ensure_ascii=False))
