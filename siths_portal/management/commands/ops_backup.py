"""`ops_backup`: an encrypted backup of the database and the folders that belong to it."""

from argparse import ArgumentTypeError
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser

from siths_portal.lib.files.path_arguments import writable_folder
from siths_portal.lib.processes.commands import CheckedCommand
from siths_portal.ops import backups, encryption

MEGABYTE = 1_000_000


def _at_least_one(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise ArgumentTypeError("ange ett tal från 1")
    return int(text)


class Command(CheckedCommand):
    """Runs beside the working system. Needs no key that opens a backup: only the recipients of both groups of custodians."""

    help = "Gör en krypterad säkerhetskopia av databasen, tokens, ceremonier och ankare."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declares --to, --keep and --dry-run."""
        parser.add_argument("--to", type=writable_folder, metavar="MAPP", help="utan: BACKUP_DIR")
        parser.add_argument(
            "--keep", type=_at_least_one, metavar="N", help="ta sedan bort alla utom de N senaste, och gammal journal"
        )
        parser.add_argument("--dry-run", action="store_true", help="kontrollera bara att kopian går att göra")

    def handle(self, *_arguments: Any, **options: Any) -> None:
        """Prints the progress on standard error and the finished folder. Exits with 1 if there is none, 2 for wrong settings."""
        target: Path = options["to"] or Path(settings.BACKUP_DIR)
        try:
            encryption.recipients([Path(file) for file in settings.BACKUP_RECIPIENT_FILES])
            if not target.is_dir():
                raise encryption.WrongKeys(f"mappen {target} finns inte")
            backups.check()
        except (encryption.WrongKeys, backups.BackupError) as error:
            raise CommandError(str(error), returncode=2) from None
        if options["dry_run"]:
            self.stdout.write(f"skulle göra en kopia i {target} av {', '.join(name for name, _ in backups.parts())}")
            return
        try:
            made = backups.make(target, report=self._progress)
        except backups.BackupError as error:
            raise CommandError(f"kopian blev inte gjord: {error}", returncode=1) from None
        self.stdout.write(f"{made.folder} ({made.size / MEGABYTE:.1f} MB)")
        if options["keep"]:
            for name in backups.thin_out(target, keep=options["keep"]):
                self.stdout.write(f"borttagen: {name}")

    def _progress(self, name: str, size: int) -> None:
        self.stderr.write(f"{name}: {size / MEGABYTE:.1f} MB")
