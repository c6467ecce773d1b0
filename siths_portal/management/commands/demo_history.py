"""`demo_history --month YYYY-MM`: loads cards ordered and sent in a past month, through the services with the clock moved."""

import datetime as dt
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from billing.records.domain.periods import Month
from siths_portal.demo import history
from siths_portal.lib import clock
from siths_portal.lib.errors import DomainError
from siths_portal.lib.processes.commands import CheckedCommand


class Command(CheckedCommand):
    """Can be repeated for a month. Needs `demo_load`, the CA `demo-bulk`, and the running HSA directory and person register."""

    help = "Gives the demo a month of history, so that there is something to invoice."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declares --month (default: last month)."""
        parser.add_argument("--month", metavar="YYYY-MM")

    def handle(self, *args: Any, **options: Any) -> None:
        """Loads. Exit 2 for a malformed month or one that is not over, 1 if a service refuses."""
        last = (clock.today().replace(day=1) - dt.timedelta(days=1)).strftime("%Y-%m")
        try:
            month = Month.parse(options["month"] or last)
        except ValueError:
            raise CommandError("--month: ange ÅÅÅÅ-MM", returncode=2) from None
        if month.end > clock.now():
            raise CommandError("--month: månaden är inte slut", returncode=2)
        try:
            history.load_month(month, self.stdout.write)
        except DomainError as error:
            raise CommandError(f"{error.code}: {error.message}", returncode=1) from None
