"""`issuance_read_role_holders`: reads every role holder again from the HSA directory, as the nightly task does (ADR 0036)."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from issuance.roles.services import role_holder_reading
from siths_portal.lib import clock
from siths_portal.lib.processes.commands import CheckedCommand


class Command(CheckedCommand):
    """Safe to repeat and to stop."""

    help = "Reads role holders from the catalogue; posts that it has lost end, and the roles that hung on them rest."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declares `--dry-run` and `--accept-losses`."""
        parser.add_argument("--dry-run", action="store_true", help="only ask and count")
        parser.add_argument("--accept-losses", action="store_true", help="believe the catalogue, however many it has lost")

    def handle(self, *args: Any, **options: Any) -> None:
        """Reports one line. Exits with 1 if the directory did not respond, or if it lacked so many assignments that none was
        ended.
        """
        everyone = role_holder_reading.due(since=clock.now())
        done = role_holder_reading.read(everyone, accept_losses=options["accept_losses"], dry_run=options["dry_run"])
        head = "skulle läsa" if options["dry_run"] else "läste"
        self.stdout.write(
            f"{head}: {done.read} av {len(everyone)} rollinnehavare, "
            f"{done.left} har förlorat ett uppdrag, {done.came} har fått ett"
        )
        if done.unanswered:
            raise CommandError("katalogen svarar inte; resten läses senare")
        if done.held:
            raise CommandError(
                f"katalogen saknar uppdrag för {done.held} av {done.read}: så många att inget avslutades. "
                "Kontrollera katalogen; stämmer det, kör med --accept-losses"
            )
