"""`issuance_import_cards FILE…`: imports cards from an earlier portal, as the page does (rules/issuance 7.12)."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from issuance.authz import system
from issuance.imports.services import CARRIER_IMPORTER, CarrierPlan
from siths_portal.lib.errors import DomainError
from siths_portal.lib.files.path_arguments import readable_file
from siths_portal.lib.processes.commands import CheckedCommand

_SHOWN = 1000
_UNCONFIRMED = "Ange certifikaten på raderna, eller kör igen med --without-certificates."


class Command(CheckedCommand):
    """Safe to repeat and to stop: each file is imported completely or not at all."""

    help = "Läser in kort från en tidigare portal ur filer (XLSX eller CSV)."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declares the files and the options."""
        parser.add_argument("files", nargs="+", type=readable_file, metavar="FIL", help="ifylld mall, XLSX eller CSV")
        parser.add_argument("--dry-run", action="store_true", help="kontrollera allt och räkna, ändra inget")
        parser.add_argument("--without-certificates", action="store_true", help="läs in också kort i bruk utan certifikat")

    def handle(self, *_arguments: Any, **options: Any) -> None:
        """Stops at the first file that is refused, with exit 1; exits with 2 for a file that cannot be read."""
        for path in options["files"]:
            self._import(path, dry_run=options["dry_run"], confirmed=options["without_certificates"])

    def _import(self, path: Path, *, dry_run: bool, confirmed: bool) -> None:
        actor = system("migration")
        try:
            content = path.read_bytes()
        except OSError as error:
            raise CommandError(f"filen går inte att läsa: {error.strerror}", returncode=2) from None
        try:
            kept = CARRIER_IMPORTER.keep(actor=actor, content=content)
            plan = CARRIER_IMPORTER.planned(actor=actor, row=kept)
            for line in _faults(plan):
                self.stdout.write(line)
            if dry_run or plan.is_empty or plan.has_errors:
                CARRIER_IMPORTER.give_up(actor=actor, import_id=kept.pk)
            else:
                CARRIER_IMPORTER.carry_out(actor=actor, import_id=kept.pk, sha256=plan.sha256, confirmed=confirmed)
        except DomainError as error:
            unconfirmed, _asks = CARRIER_IMPORTER.unconfirmed
            message = _UNCONFIRMED if error.code == unconfirmed else error.message
            raise CommandError(f"{path.name}: {message}") from None
        counts = plan.counts
        self.stdout.write(
            f"{path.name}: {'skulle läsa' if dry_run or plan.has_errors else 'läste'} in {counts['carriers']} kort med "
            f"{counts['eids']} SITHS eID, {counts['certificates']} certifikat; {counts['same']} rader fanns redan, "
            f"{counts['uncertified']} utan certifikat, {counts['wrong']} fel"
        )
        if plan.has_errors:
            raise CommandError(f"{path.name}: inget är inläst; rätta raderna och kör igen")


def _faults(plan: CarrierPlan) -> Iterator[str]:
    """Yields the first wrong rows, each with its column. Names nobody: the file's rows do."""
    wrong = [row for row in plan.rows if row.errors]
    for row in wrong[:_SHOWN]:
        for field, messages in row.errors.items():
            yield from (f"{row.place}: {row.table.heading(field)}: {message}" for message in messages)
    if len(wrong) > _SHOWN:
        yield f"… och {len(wrong) - _SHOWN} rader till"
