"""`issuance_first_administrators FILE`: appoints the first holders of global roles in a new system
(docs/first-administrators.md).
"""

from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from issuance.roles.services import first_administrators
from issuance.roles.services.administrators_file import LONGEST
from siths_portal.lib.errors import DomainError
from siths_portal.lib.files.path_arguments import readable_file
from siths_portal.lib.processes.commands import CheckedCommand


class Command(CheckedCommand):
    """Appoints all people of the file or none. Refused once anybody holds a global role."""

    help = "Utser de första administratörerna, minst två samtidigt, i en portal där ingen har en global roll."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declares the file and `--dry-run`."""
        parser.add_argument("file", type=readable_file, metavar="FIL", help="YAML-fil, se docs/first-administrators.md")
        parser.add_argument("--dry-run", action="store_true", help="kontrollera allt, ändra inget")

    def handle(self, *_arguments: Any, **options: Any) -> None:
        """Exits with 1 if the file or the appointment is refused, with 2 for a file that cannot be read."""
        path: Path = options["file"]
        try:
            with path.open("rb") as file:
                content = file.read(LONGEST + 1)
        except OSError as error:
            raise CommandError(f"filen går inte att läsa: {error.strerror}", returncode=2) from None
        try:
            done = first_administrators.appoint(content, dry_run=options["dry_run"])
        except DomainError as error:
            raise CommandError(error.message) from None
        self.stdout.write(f"{'skulle utse' if options['dry_run'] else 'utsåg'} {done.people} personer med {done.roles} roller")
