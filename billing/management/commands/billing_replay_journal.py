"""`billing_replay_journal`: keeps the numbers of the journal for their documents in a restored database."""

from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils.dateparse import parse_datetime

from billing.invoices.services import replaying
from siths_portal.lib.files.journal import JournalDamaged
from siths_portal.lib.processes.commands import CheckedCommand


class Command(CheckedCommand):
    """`ops_restore` runs it before anything else can reach the database. It may be repeated."""

    help = "Läser in fakturanummer ur journalen som databasen saknar efter en återläsning."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declares --since."""
        parser.add_argument("--since", metavar="TID", help="läs bara filer som skrevs efter tiden, till exempel säkerhetskopians")

    def handle(self, *_arguments: Any, **options: Any) -> None:
        """Prints each number that the database had lost. Exits with 1 if the journal cannot be read, with 2 for a bad time."""
        since = parse_datetime(options["since"]) if options["since"] else None
        if options["since"] and (since is None or since.tzinfo is None):
            raise CommandError("skriv tiden med tidszon, till exempel 2026-12-01T07:00:00Z", returncode=2)
        try:
            numbers = replaying.replay(since=since)
        except (JournalDamaged, OSError) as error:
            raise CommandError(f"journalen går inte att läsa: {error}", returncode=1) from None
        for number in numbers:
            self.stdout.write(number)
        self.stdout.write(f"{len(numbers)} nummer väntar på sina dokument; inget annat dokument får dem")
