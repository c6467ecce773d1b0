"""`pki_import DIR`: another installation's CA into this one (spec F8), under dual control; resumes what was cut off."""

import json
import os
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from pki.management import arguments
from pki.takeover import comparing, manifest, running
from pki.takeover.findings import Ledger
from siths_portal.lib.errors import DomainError

_SHOWN = 1000


class Command(BaseCommand):
    """The folder holds `import.yaml`, the CA's certificate, its certificates in one of five formats, and its old CRLs."""

    help = "Tar över en utfärdare: kontrollera (--dry-run), begär (--request), importera, jämför (--compare)."

    def add_arguments(self, parser: CommandParser) -> None:
        """The folder and what to do with it."""
        parser.add_argument("folder", type=Path, metavar="MAPP", help="mappen med import.yaml")
        act = parser.add_mutually_exclusive_group()
        act.add_argument("--dry-run", action="store_true", help="kontrollera allt, ändra inget, skriv rapporten")
        act.add_argument("--request", action="store_true", help="begär godkännande av importen av just dessa filer")
        act.add_argument("--compare", action="store_true", help="jämför gamla tjänstens spärrlista i crls/ med det som finns här")
        parser.add_argument("--report", type=Path, metavar="MAPP", help="dit rapporten skrivs, som JSON och text")
        parser.add_argument(
            "--workers", type=int, default=os.process_cpu_count() or 1, metavar="ANTAL", help="processer som kontrollerar"
        )
        parser.add_argument("--json", action="store_true", help="skriv resultatet som JSON")

    def handle(self, *_arguments: Any, **options: Any) -> None:
        """Exit 1 for what is refused, for rows that were not taken as they stand and for lists that differ; 2 for no folder."""
        if not options["folder"].is_dir() or options["workers"] < 1:
            raise CommandError("ange en mapp som finns och minst en process", returncode=2)
        try:
            if options["compare"]:
                self._compare(options)
            elif options["request"]:
                self._request(options)
            else:
                self._import(options)
        except DomainError as error:
            raise CommandError(error.message) from None

    def _request(self, options: dict[str, Any]) -> None:
        what = running.asked(options["folder"])
        made = running.request(what, requester_ref=arguments.operator_ref(), workers=options["workers"], say=self._progress)
        if options["json"]:
            self._dump({"request": str(made.id), "document": made.document})
        else:
            self.stdout.write(f"{made.id} väntar på godkännande av {made.required} andra: {made.summary}")

    def _import(self, options: dict[str, Any]) -> None:
        run = running.dry_run if options["dry_run"] else running.carry_out
        what = running.asked(options["folder"])
        outcome = run(what, actor_ref=arguments.operator_ref(), workers=options["workers"], say=self._progress)
        report = outcome.report
        for path in report.write(options["report"]) if options["report"] else ():
            self.stderr.write(f"rapport: {path}")
        if options["json"]:
            self._dump(report.values | {"sha256": report.sha256, "repeated": outcome.repeated})
        else:
            self.stdout.write(report.text() if not outcome.repeated else f"redan importerat; inget är ändrat\n{report.text()}")
        if report.findings:
            raise CommandError(f"{sum(report.findings.values())} avvikelser; se rapporten")

    def _compare(self, options: dict[str, Any]) -> None:
        found = comparing.compare(manifest.read(options["folder"]))
        if options["json"]:
            self._dump({"same": found.same, "lists": found.lists, "differences": found.differences, "later": found.later,
                        "serials": [list(each) for each in found.serials]})  # fmt: skip
        else:
            for kind, serial in found.serials[:_SHOWN]:
                self.stdout.write(f"{serial} {comparing.KINDS[kind]}")
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
