"""`issuance_validate_receipts`: validates every stored receipt again, as the yearly task does."""

from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from issuance.activation.models import ReceiptValidation
from issuance.activation.services import receipt_validation
from issuance.carriers.models import Receipt
from siths_portal.lib.canonical import canonical_json
from siths_portal.lib.files.atomic import write_atomically
from siths_portal.lib.files.path_arguments import output_file
from siths_portal.lib.processes.commands import CheckedCommand


class Command(CheckedCommand):
    """Goes on with a validation that was stopped. Exits 1 if a receipt is not valid."""

    help = "Kontrollerar varje sparad kvittens igen: innehållet, underskriften och kedjan så som den var när den skrevs under."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declares --report and --dry-run."""
        parser.add_argument("--report", type=output_file, metavar="FIL", help="skriv resultatet som JSON")
        parser.add_argument("--dry-run", action="store_true", help="räkna bara kvittenserna")

    def handle(self, *_arguments: Any, **options: Any) -> None:
        """Prints progress on standard error, and each receipt that is not valid."""
        if options["dry_run"]:
            self.stdout.write(f"skulle kontrollera {Receipt.objects.count()} kvittenser")
            return
        row = receipt_validation.run(report_progress=self._progress)
        for each in row.examples:
            self.stdout.write(f"{each['receipt']}: {each['reason']}")
        report: Path | None = options["report"]
        if report is not None:
            told = {"started_at": row.started_at, "ended_at": row.ended_at, "checked": row.checked, "wrong": row.wrong}
            write_atomically(report, canonical_json({**told, "examples": row.examples}), mode=0o600)
        self.stdout.write(f"{row.checked} kvittenser kontrollerade, {row.wrong} gäller inte")
        if row.wrong:
            raise CommandError("alla kvittenser gäller inte", returncode=1)

    def _progress(self, row: ReceiptValidation) -> None:
        self.stderr.write(f"{row.checked} kvittenser")
