"""`demo_run [--out DIR] [--month YYYY-MM]`: runs one card through its complete life in the running demo, with artefacts."""

import datetime as dt
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError

from billing.records.domain.periods import Month
from siths_portal.demo.artefacts import Artefacts
from siths_portal.demo.walk import Walk
from siths_portal.lib import clock
from siths_portal.lib.files.path_arguments import result_folder
from siths_portal.lib.processes.commands import CheckedCommand


class Command(CheckedCommand):
    """Exit 1 if a step fails; `summary.json` shows which."""

    help = "Runs one card from order to revocation, invoices last month, and leaves summary.json with its artefacts."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declares --out and --month, the month to invoice (default: last month)."""
        parser.add_argument("--out", type=result_folder, metavar="FOLDER", default=settings.VAR_DIR / "demo")
        parser.add_argument("--month", metavar="YYYY-MM")

    def handle(self, *args: Any, **options: Any) -> None:
        """Runs all steps."""
        last = (clock.today().replace(day=1) - dt.timedelta(days=1)).strftime("%Y-%m")
        try:
            month = Month.parse(options["month"] or last)
        except ValueError as error:
            raise CommandError(str(error), returncode=2) from None
        artefacts = Artefacts(options["out"])
        try:
            Walk(artefacts, month, self.stdout.write).run()
        except Exception as error:
            failed = next((step["name"] for step in artefacts.steps if not step["ok"]), "start")
            raise CommandError(f"{failed}: {error}", returncode=1) from error
        self.stdout.write(f"{artefacts.folder / 'summary.json'}")
