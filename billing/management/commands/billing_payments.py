"""`billing_payments FILE [--dry-run]`: books the payments of the bank's file camt.054, for a scheduled transfer from the bank."""

from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from billing.payments.domain.camt054 import MAX_BYTES
from billing.payments.services import receiving
from billing.records.domain import money
from siths_portal.lib.errors import DomainError
from siths_portal.lib.files.path_arguments import readable_file
from siths_portal.lib.processes.commands import CheckedCommand


class Command(CheckedCommand):
    """Prints what was booked. Can be repeated: a payment is booked once. Exit 2 if the file cannot be read."""

    help = "Läser in betalningar från bankens fil (camt.054)."

    def add_arguments(self, parser: CommandParser) -> None:
        """Adds the file and `--dry-run`."""
        parser.add_argument("file", type=readable_file, metavar="FIL", help="bankens fil camt.054")
        parser.add_argument("--dry-run", action="store_true", help="visa vad som skulle läsas in och spara inget")

    def handle(self, *args: Any, **options: Any) -> None:
        """Books the file."""
        try:
            plan = receiving.book_at_once(_content(options["file"]), dry_run=options["dry_run"])
        except DomainError as error:
            raise CommandError(error.message, returncode=2) from None
        except OSError as error:
            raise CommandError(f"Filen går inte att läsa: {error.strerror}.", returncode=2) from None
        waiting = plan.total - plan.allocated
        known = len(plan.rows) - len(plan.new)
        self.stdout.write(
            f"{len(plan.new)} betalningar på {money.swedish(plan.total)} kr, {known} redan inlästa. "
            f"Att fördela för hand: {money.swedish(waiting)} kr." + (" Inget är sparat." if options["dry_run"] else "")
        )


def _content(path: Path) -> bytes:
    """Returns at most one byte more than a file may have, which the service then refuses."""
    with path.open("rb") as file:
        return file.read(MAX_BYTES + 1)
