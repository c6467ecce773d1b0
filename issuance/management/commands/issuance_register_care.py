"""`issuance_register_care`: compares with person register and catalogue, as the nightly task does (rules/issuance 7.11)."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from issuance.register_care.models import CareRun
from issuance.register_care.services import nightly
from siths_portal.lib.errors import Conflict
from siths_portal.lib.processes.commands import CheckedCommand

_SHOWN_EACH = 10_000
"""Progress is printed after so many people."""


class Command(CheckedCommand):
    """Safe to repeat and to stop: it goes on where a stopped run was. A comparison that was done is done again."""

    help = "Reads everybody with a card in the person register, and finds the rows of Registervård."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declares `--quiet` and `--wait`."""
        parser.add_argument("--quiet", action="store_true", help="print the result only")
        parser.add_argument("--wait", action="store_true", help="if another process compares, wait for it and compare again")

    def handle(self, *args: Any, **options: Any) -> None:
        """Prints progress and one line of result. Exits with 1 if another process does it, or if the register did not answer."""
        shown = 0

        def report(run: CareRun) -> None:
            nonlocal shown
            if not options["quiet"] and not run.register_ended and run.read >= shown + _SHOWN_EACH:
                shown = run.read
                self.stdout.write(f"läste {run.read} av {run.persons} personer")

        try:
            run = nightly.work_now(wait=options["wait"], report_progress=report)
        except Conflict as error:
            raise CommandError(error.message) from None
        self.stdout.write(
            f"läste {run.read} personer, {run.changed} ändrade; {run.found} rader kom till, {run.gone} hade ingen orsak längre"
        )
        if not run.register_whole:
            raise CommandError("personregistret svarade inte; raderna bygger på vad portalen visste")
