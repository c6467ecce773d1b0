"""`demo_load [--persons N]`: demo organisations, people and roles, and the directory simulator's data file."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from siths_portal.demo import loading
from siths_portal.demo.people import MOST
from siths_portal.lib.errors import DomainError
from siths_portal.lib.processes.commands import CheckedCommand


class Command(CheckedCommand):
    """Can be repeated: adds only what is missing."""

    help = "Loads the demo's regions with synthetic people."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declares --persons."""
        parser.add_argument("--persons", type=int, default=200, metavar="N")

    def handle(self, *args: Any, **options: Any) -> None:
        """Loads. Exit 2 if the number is out of range, 1 with the reason if loading is refused."""
        count = options["persons"]
        if not loading.LEAST <= count <= MOST:
            raise CommandError(f"--persons: ange {loading.LEAST} till {MOST}", returncode=2)
        try:
            loading.load(count, self.stdout.write)
        except DomainError as error:
            raise CommandError(error.message) from error
