"""`ops_restore`: a backup becomes a database that has everything that was issued since, by the journal."""

import time
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from siths_portal.lib.files.path_arguments import readable_file, readable_folder, result_folder
from siths_portal.lib.processes.commands import CheckedCommand
from siths_portal.ops import backups, encryption, restoring
from siths_portal.ops.cluster import ClusterError

MEGABYTE = 1_000_000


class Command(CheckedCommand):
    """Changes nothing but the folder that it writes: taking it into use is the operator's next step (docs/operations.md)."""

    help = "Återläser en säkerhetskopia till en ny mapp och läser in journalen, innan något annat kan nå databasen."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declares the backup, --to, --identity and --dry-run."""
        parser.add_argument("backup", type=readable_folder, metavar="KOPIA", help="mappen som ops_backup gjorde")
        parser.add_argument("--to", type=result_folder, required=True, metavar="MAPP", help="en ny eller tom mapp")
        parser.add_argument(
            "--identity", type=readable_file, action="append", required=True, metavar="FIL",
            help="en nyckelhållares hemliga nyckel; ange två, en ur varje grupp",
        )  # fmt: skip
        parser.add_argument("--dry-run", action="store_true", help="läs bara kopians förteckning och nycklarna")

    def handle(self, *_arguments: Any, **options: Any) -> None:
        """Prints each step. Exits with 1 if the restore fails, with 2 for keys or folders that cannot be used."""
        began = time.monotonic()
        try:
            keys = encryption.identities(options["identity"])
            backup = backups.read(options["backup"])
        except (encryption.WrongKeys, backups.BackupError) as error:
            raise CommandError(str(error), returncode=2) from None
        self.stdout.write(
            f"kopia från {backup.started_at.isoformat()}, {backup.size / MEGABYTE:.1f} MB: {', '.join(backup.parts)}"
        )
        if options["dry_run"]:
            return
        target: Path = options["to"]
        try:
            restored = restoring.restore(backup, target, keys, say=self.stdout.write, report=self._progress)
        except (backups.BackupError, ClusterError) as error:
            raise CommandError(f"återläsningen blev inte klar: {error}", returncode=1) from None
        self.stdout.write(f"nästa transaktion har nummer {restored.next_transaction}")
        self.stdout.write(f"{restored.database} är klar efter {time.monotonic() - began:.1f} s")

    def _progress(self, name: str, size: int) -> None:
        self.stderr.write(f"{name}: {size / MEGABYTE:.1f} MB")
