"""`pki_replay_journal`: gives a restored database the certificates, ended holds and revocations of the journal."""

import json
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils.dateparse import parse_datetime

from pki.takeover import replaying
from siths_portal.lib.files.journal import JournalDamaged
from siths_portal.lib.processes.commands import CheckedCommand


class Command(CheckedCommand):
    """`ops_restore` runs it before anything else can reach the database. It may be repeated."""

    help = "Läser in certifikat, avslutade vilolägen och spärrar ur journalen som databasen saknar efter en återläsning."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declares --since."""
        parser.add_argument("--since", metavar="TID", help="läs bara filer som skrevs efter tiden, till exempel säkerhetskopians")

    def handle(self, *_arguments: Any, **options: Any) -> None:
        """Prints the counts as JSON and a line for each record that cannot be used.

        Exits with 1 if there is such a record, with 2 for a bad time.
        """
        since = parse_datetime(options["since"]) if options["since"] else None
        if options["since"] and (since is None or since.tzinfo is None):
            raise CommandError("skriv tiden med tidszon, till exempel 2026-12-01T07:00:00Z", returncode=2)
        try:
            found = replaying.replay(since=since, report_progress=lambda done: self.stderr.write(f"{done} poster"))
        except (JournalDamaged, OSError) as error:
            raise CommandError(f"journalen går inte att läsa: {error}", returncode=1) from None
        self.stdout.write(json.dumps(replaying.summary(found)))
        for line in found.faults:
            self.stdout.write(line)
        if found.faults:
            raise CommandError(f"{len(found.faults)} poster gick inte att använda", returncode=1)
